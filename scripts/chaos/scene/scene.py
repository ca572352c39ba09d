"""What the faults strike: local services, and supervisors over one control store."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from scripts.chaos.judging.audit import Audit
from scripts.chaos.judging.pauses import Pauses
from scripts.chaos.judging.reports import Owners, require_checkpoints_behind, require_marks_in_order
from scripts.chaos.scene.limits import BRISK, Limits
from scripts.chaos.scene.load import Load
from scripts.chaos.scene.unit import Unit
from scripts.harness.table import total
from scripts.localcloud.cloud import CloudSettings, LocalCloud
from shared.clock import monotonic
from shared.config.environment import load_worker
from shared.control.open import open_store
from shared.eventhubs.client import consumer_group
from shared.snowflake.channel_name import channel_name
from supervisor.status.model import PartitionStatus

if TYPE_CHECKING:
    from scripts.harness.evsup import Evsup

PARTITIONS, UNITS = 4, 2
EVENTS_PER_S = 2400.0
CLOUD = CloudSettings(partitions=PARTITIONS, store="postgres", commit_delay_s=0.3)
KEYS = ("N NUMBER(38,0)", "PARTITION VARCHAR")
"""The columns of a table with a column for a key; the padding of bodies has none."""
CHECKPOINTS = "SELECT partition_id, sequence_number FROM evsup_checkpoint"


class Scene:
    """Everything of one run. `look` compares all reports once, and raises when they contradict each other."""

    def __init__(
        self, cloud: LocalCloud, directory: Path, events_per_s: float = EVENTS_PER_S, limits: Limits = BRISK
    ) -> None:
        assert cloud.postgres
        self.hub, self.snow, self.postgres = cloud.hub, cloud.snow, cloud.postgres
        self.columns = cloud.settings.columns
        self.limits = limits
        self.load, self.pauses = Load(self.hub, events_per_s), Pauses(limits.recovery_s)
        self.struck: Counter[str] = Counter()
        """How often faults without a counter of their own were seen to strike."""
        self.locks: dict[str, psycopg.Connection[Any]] = {}
        self._directory, self._environment = directory, {**cloud.environment, **limits.settings}
        settings = load_worker(self._environment)
        group = consumer_group(settings.eventhub)
        self.channels = {
            partition: channel_name(settings.snowflake.channel_prefix, group, partition)
            for partition in self.hub.facts().partitions
        }
        with closing(open_store(settings.control, group, limits.expiration_s)) as store:
            store.initialise()
        self.audit = Audit(self.postgres.socket_dsn)
        self._owners = Owners()
        self.units: list[Unit] = []
        self._seen: dict[Evsup, Sequence[PartitionStatus]] = {}

    def join(self, entrance: Sequence[str] = ()) -> None:
        """Start one more supervisor, on the host behind `entrance`."""
        number = len(self.units)
        directory = self._directory / f"supervisor-{number}"
        name, drain_timeout_s = f"supervisor {number}", self.limits.drain_timeout_s
        self.units.append(Unit(name, self._environment, directory, drain_timeout_s, entrance))

    def look(self, changed_s: float | None) -> None:
        """Check I3, I5 and I10: the trees' own reports, and what the control store and Snowflake have.

        While events are published, `changed_s` is when something was last done to the group.
        """
        self._seen = {unit.evsup: tuple(unit.workers().values()) for unit in self.units}
        rows = [row for workers in self._seen.values() for row in workers]
        for row in rows:
            require_marks_in_order(row)
        self._owners.see(rows)
        checkpoints = dict(self.ask(CHECKPOINTS)) if self.postgres.pid else {}
        tokens = self.tokens()
        require_checkpoints_behind(checkpoints, tokens)
        if changed_s is not None:
            self.pauses.see(tokens, monotonic(), changed_s)

    def tokens(self) -> Mapping[str, str | None]:
        """What Snowflake has committed, by partition."""
        tokens = {name: one.token for name, one in self.snow.channels().items()}
        return {partition: tokens.get(name) for partition, name in self.channels.items()}

    def is_shared(self) -> bool:
        """Whether the supervisors that are to run had a worker for each partition in fair shares at the last look.

        One that has ended or was started since then makes it false.
        """
        wanted = [unit.evsup for unit in self.units if unit.is_wanted]
        if not all(evsup.is_running and evsup in self._seen for evsup in wanted):
            return False
        shares = [_running(self._seen[evsup]) for evsup in wanted]
        return sum(shares) == len(self.channels) and max(shares) - min(shares) <= 1

    def worker(self, partition: str) -> PartitionStatus | None:
        """The running worker of a partition, whoever has it."""
        workers = (unit.workers().get(partition) for unit in self.units)
        return next((row for row in workers if row and row.state == "running"), None)

    def ask(self, statement: str) -> list[tuple[Any, ...]]:
        """Ask the control store's database behind evsup's back."""
        with psycopg.connect(self.postgres.socket_dsn, autocommit=True) as session:
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
        for _ in range(UNITS):
            scene.join()
        yield scene


def _running(workers: Sequence[PartitionStatus]) -> int:
    return sum(row.state == "running" for row in workers)
