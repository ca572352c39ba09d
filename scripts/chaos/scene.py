"""What the faults strike: local services, and two supervisors over one control store."""

from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg

from scripts.chaos.audit import Audit
from scripts.chaos.load import Load
from scripts.chaos.sampler import Owners, require_checkpoints_behind, require_marks_in_order
from scripts.chaos.unit import Unit
from scripts.harness.table import total
from scripts.localcloud.cloud import CloudSettings, LocalCloud
from shared.config.environment import load_worker
from shared.control.open import open_store
from shared.eventhubs.client import consumer_group
from shared.snowflake.channel_name import channel_name
from supervisor.status.model import PartitionStatus

PARTITIONS, UNITS = 4, 2
EVENTS_PER_S = 2400.0
EXPIRATION_S, COMMIT_TIMEOUT_S, DRAIN_TIMEOUT_S = 8.0, 8.0, 10.0
CLOUD = CloudSettings(partitions=PARTITIONS, store="postgres", commit_delay_s=0.3)
KEYS = ("N NUMBER(38,0)", "PARTITION VARCHAR")
"""The columns of a table with a column for a key; the padding of bodies has none."""
# Short leases, stalls and drains, so that every wait ends within seconds.
BRISK = {
    "EVENTHUB_LOAD_BALANCING_INTERVAL": "1",
    "EVENTHUB_OWNERSHIP_EXPIRATION": f"{EXPIRATION_S:g}",
    "SNOWFLAKE_COMMIT_TIMEOUT": f"{COMMIT_TIMEOUT_S:g}",
    "EVSUP_DRAIN_TIMEOUT": f"{DRAIN_TIMEOUT_S:g}",
}


class Scene:
    """Everything of one run. `look` compares all reports once, and raises when they contradict each other."""

    def __init__(self, cloud: LocalCloud, directory: Path) -> None:
        assert cloud.postgres
        self.hub, self.snow, self.postgres = cloud.hub, cloud.snow, cloud.postgres
        self.columns = cloud.settings.columns
        self.load = Load(self.hub, EVENTS_PER_S)
        self.struck: Counter[str] = Counter()
        """How often faults without a counter of their own were seen to strike."""
        self.locks: dict[str, psycopg.Connection[Any]] = {}
        settings = load_worker({**cloud.environment, **BRISK})
        group = consumer_group(settings.eventhub)
        self.channels = {
            partition: channel_name(settings.snowflake.channel_prefix, group, partition)
            for partition in self.hub.facts().partitions
        }
        with closing(open_store(settings.control, group, EXPIRATION_S)) as store:
            store.initialise()
        self.audit = Audit(self.postgres.dsn)
        self._owners = Owners()
        environment = {**cloud.environment, **BRISK}
        self.units = [
            Unit(f"supervisor {number}", environment, directory / f"supervisor-{number}", DRAIN_TIMEOUT_S)
            for number in range(UNITS)
        ]

    def look(self) -> None:
        """Check I3 and I5: the trees' own reports, and what the control store and Snowflake have."""
        rows = [row for unit in self.units for row in unit.workers().values()]
        for row in rows:
            require_marks_in_order(row)
        self._owners.see(rows)
        if self.postgres.pid:
            checkpoints = dict(self.ask("SELECT partition_id, sequence_number FROM evsup_checkpoint"))
            tokens = {name: one.token for name, one in self.snow.channels().items()}
            require_checkpoints_behind(checkpoints, {p: tokens.get(name) for p, name in self.channels.items()})

    def worker(self, partition: str) -> PartitionStatus | None:
        """The running worker of a partition, whoever has it."""
        workers = (unit.workers().get(partition) for unit in self.units)
        return next((row for row in workers if row and row.state == "running"), None)

    def ask(self, statement: str) -> list[tuple[Any, ...]]:
        """Ask the control store's database behind evsup's back."""
        with psycopg.connect(self.postgres.dsn, autocommit=True) as session:
            return session.execute(statement.encode()).fetchall()

    def rows(self) -> int:
        """Rows in the table."""
        return total(self.snow)

    def close(self) -> None:
        """End what is still running."""
        for session in self.locks.values():
            session.close()
        for unit in self.units:
            unit.close()


@contextmanager
def staged(directory: Path, columns: tuple[str, ...] = ()) -> Iterator[Scene]:
    """Fresh services and two supervisors that begin to claim, and nothing left of them after."""
    with LocalCloud(replace(CLOUD, columns=columns)) as cloud, closing(Scene(cloud, directory)) as scene:
        yield scene
