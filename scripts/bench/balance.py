"""What balancing costs, and how long it takes: four supervisors share 32 partitions over one Postgres.

They are real trees with real workers on an idle hub. One more joins, then one is killed. With the default lease of 60 s
it takes about five minutes.
"""

import signal
import statistics
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from datetime import datetime

import psycopg
from rich.console import Console
from rich.table import Table

from scripts.command_line import Parser, run, whole
from scripts.harness.evsup import Evsup
from scripts.harness.host import BOUND, Host
from scripts.harness.waiting import eventually
from scripts.localcloud.cloud import CloudSettings, LocalCloud
from shared.clock import monotonic
from shared.config.environment import load
from shared.control.open import open_store
from shared.eventhubs.client import consumer_group

LIMIT_S = 240.0
LOOK_S = 0.1
EXPIRATION_S, INTERVAL_S = 60.0, 10.0  # the defaults


class Group:
    """Supervisors over one control store."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud, self.looks = cloud, 0
        self.hosts: list[Host] = []
        Host(cloud.environment, cloud.directory).output("init")
        settings = load(environ=cloud.environment).settings
        self.store = open_store(settings.control, consumer_group(settings.eventhub), EXPIRATION_S)

    @property
    def running(self) -> list[Evsup]:
        """Those that run, one on each host, in the order in which they joined."""
        return [evsup for host in self.hosts for evsup in host.started if evsup.is_running]

    def start(self) -> None:
        """Start one more, as on a host of its own."""
        directory = self._cloud.directory / f"supervisor-{len(self.hosts)}"
        directory.mkdir(mode=0o700)
        self.hosts.append(Host(self._cloud.environment, directory))
        self.hosts[-1].start(command=BOUND)

    def all_run(self, partitions: int) -> bool:
        """Whether so many workers receive, and no other is there."""
        states = [row.state for evsup in self.running for row in evsup.workers().values()]
        return states == ["running"] * partitions

    def shares(self) -> list[int]:
        """Live partitions of each owner, the most first."""
        self.looks += 1
        live = (row.owner_id for row in self.store.ownerships() if row.owner_id and row.age_s < EXPIRATION_S)
        return sorted(Counter(live).values(), reverse=True)

    def close(self) -> None:
        """End all, whatever they do."""
        for host in self.hosts:
            host.close()
        self.store.close()


class Statements:
    """Counts the transactions that the server has committed, without those of our own looks.

    Most of evsup's have one statement between their begin and their commit; a claim that succeeds has two.
    """

    def __init__(self, dsn: str, group: Group) -> None:
        self._group = group
        self._connection = psycopg.connect(dsn, autocommit=True)

    def count(self) -> int:
        """Since the server started."""
        row = self._connection.execute(
            "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
        ).fetchone()
        assert row is not None
        self._group.looks += 1
        return int(row[0]) - self._group.looks

    def per_s(self, during: Callable[[], None]) -> float:
        """Transactions a second while `during` runs."""
        before, began_s = self.count(), monotonic()
        during()
        return (self.count() - before) / (monotonic() - began_s)


def main() -> int:
    """Measure and print the table."""
    parser = Parser("scripts.bench.balance", __doc__, "python -m scripts.bench.balance --partitions 8 --supervisors 2")
    parser.add_argument(
        "--partitions", type=whole(1, 1000), default=32, metavar="N", help="partitions of the hub (default: 32)"
    )
    parser.add_argument(
        "--supervisors",
        type=whole(2, 100),
        default=4,
        metavar="N",
        help="supervisors after one has joined (default: 4)",
    )
    options = parser.parse_args()
    settings = CloudSettings(partitions=options.partitions, store="postgres")
    with LocalCloud(settings) as cloud, closing(Group(cloud)) as group:
        assert cloud.postgres is not None
        statements = Statements(cloud.postgres.dsn, group)
        rows = _measure(group, statements, options.partitions, options.supervisors)
    table = Table("", "", box=None, show_header=False)
    for name, value in rows:
        table.add_row(name, value)
    Console().print(table)
    return 0


def _measure(group: Group, statements: Statements, partitions: int, supervisors: int) -> list[tuple[str, str]]:
    for _ in range(supervisors - 1):
        group.start()
    _until(lambda: group.shares() == fair(partitions, supervisors - 1), "fair shares")
    _until(lambda: group.all_run(partitions), "all run")
    idle = statements.per_s(lambda: time.sleep(3 * INTERVAL_S))
    began_s = monotonic()
    group.start()
    moving = statements.per_s(lambda: _until(lambda: group.shares() == fair(partitions, supervisors), "a fair share"))
    joined_s = monotonic() - began_s
    _until(lambda: group.all_run(partitions), "all run again")
    pauses = _pauses(group)
    group.running[0].send(signal.SIGKILL)
    killed_s = monotonic()
    _until(lambda: sum(group.shares()) < partitions, "its leases end", EXPIRATION_S + INTERVAL_S)
    _until(lambda: sum(group.shares()) == partitions, "all are owned")
    owned_s = monotonic() - killed_s
    return [
        (f"idle, {supervisors - 1} supervisors", f"{idle:.1f} transactions/s"),
        ("while one more joins", f"{moving:.1f} transactions/s"),
        ("from its start to a fair share", f"{joined_s:.1f} s"),
        ("a partition stands still", f"{statistics.median(pauses):.1f} s (median), {max(pauses):.1f} s (most)"),
        ("from kill -9 of one to all owned", f"{owned_s:.1f} s (limit {EXPIRATION_S + INTERVAL_S + 2:.0f} s)"),
    ]


def fair(partitions: int, supervisors: int) -> list[int]:
    """Equal shares, the most first."""
    each, rest = divmod(partitions, supervisors)
    return [each + 1] * rest + [each] * (supervisors - rest)


def _pauses(group: Group) -> list[float]:
    """Seconds from the drain of each partition in its old tree to its first receive in the new one."""
    *others, newest = group.running
    opened = _times(newest, "partition_opened")
    handed: dict[str, datetime] = {}
    for evsup in others:
        for partition, at in _times(evsup, "partition_handing_over").items():
            handed[partition] = max(at, handed.get(partition, at))  # some moved before, among the first supervisors
    return [(opened[partition] - handed[partition]).total_seconds() for partition in opened]


def _times(evsup: Evsup, event: str) -> dict[str, datetime]:
    """The last time of this event for each partition."""
    return {line["partition"]: datetime.fromisoformat(line["timestamp"]) for line in evsup.events(event)}


def _until(condition: Callable[[], object], what: str, limit_s: float = LIMIT_S) -> None:
    eventually(condition, what, limit_s, LOOK_S)


if __name__ == "__main__":
    run(main)
