"""What a control store on Postgres is asked, and what a group of a thousand partitions costs it.

A real tree runs for a minute on an idle hub, and for as long while events come to each of its partitions. Then a
thousand partitions are claimed in the same tables, and each call that a supervisor or a worker makes is timed.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from statistics import median

import psutil
import psycopg
from rich.console import Console
from rich.table import Table

from scripts.bench.lab.moving import running
from scripts.command_line import Parser, amount, run, whole
from scripts.harness.host import Host
from scripts.localcloud.cloud import CloudSettings, LocalCloud
from shared.clock import Deadline, monotonic
from shared.config.environment import load
from shared.control.open import open_store
from shared.control.store import ControlStore
from shared.model import Checkpoint, ConsumerGroup, SupervisorRow, Term

LEASE_S = 600.0
SETTLE_S = 5.0
TICK_S = 0.25  # in which each partition gets an event
TIMES = 5
SAVES = 1_000
GROUP = ConsumerGroup("thousand.servicebus.windows.net", "hub", "$Default")
SUPERVISORS = 10  # of the group that is computed

Row = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Count:
    """What the server has done since it started, as it counts by itself."""

    transactions: int
    checkpoints: int


class Server:
    """The Postgres of the cloud."""

    def __init__(self, dsn: str, pid: int) -> None:
        self._dsn, self._pid = dsn, pid

    def count(self) -> Count:
        """https://www.postgresql.org/docs/current/monitoring-stats.html; a session reports at its end, or after 1 s."""
        with psycopg.connect(self._dsn, autocommit=True) as session:
            rows = session.execute(
                "SELECT xact_commit, (SELECT n_tup_upd FROM pg_stat_user_tables WHERE relname = 'evsup_checkpoint')"
                " FROM pg_stat_database WHERE datname = current_database()"
            ).fetchall()
        return Count(*rows[0])

    def per_s(self, during: Callable[[], None]) -> Mapping[str, float]:
        """Of each count, what there was a second."""
        before, began_s = self.count(), monotonic()
        during()
        after, seconds = self.count(), monotonic() - began_s
        return {
            "transactions": (after.transactions - before.transactions - 1) / seconds,  # the first count was one
            "checkpoints": (after.checkpoints - before.checkpoints) / seconds,
        }

    def cpu_s(self) -> float:
        """Processor time of all its processes that live."""
        server = psutil.Process(self._pid)
        times = [each.cpu_times() for each in (server, *server.children(recursive=True))]
        return sum(one.user + one.system for one in times)


def main() -> int:
    """Measure and print both tables."""
    options = _parser().parse_args()
    with LocalCloud(CloudSettings(partitions=options.partitions, store="postgres")) as cloud:
        assert cloud.postgres
        assert cloud.postgres.pid
        server = Server(cloud.postgres.dsn, cloud.postgres.pid)
        rows = [*_tree(cloud, server, options.partitions, options.seconds), *_rows(cloud, server, options.rows)]
    table = Table("", "", box=None, show_header=False)
    for row in rows:
        table.add_row(*row)
    Console(width=120).print(table)
    return 0


def _parser() -> Parser:
    parser = Parser("scripts.bench.store", __doc__, "python -m scripts.bench.store --partitions 2 --seconds 10")
    parser.add_argument(
        "--partitions", type=whole(1, 1000), default=8, metavar="N", help="partitions of the real tree (default: 8)"
    )
    parser.add_argument(
        "--seconds",
        type=amount("seconds"),
        default=60.0,
        metavar="N",
        help="seconds without events, and as many with (default: 60)",
    )
    parser.add_argument(
        "--rows",
        type=whole(1),
        default=1_000,
        metavar="N",
        help="partitions that are only in the tables (default: 1,000)",
    )
    return parser


def _tree(cloud: LocalCloud, server: Server, partitions: int, seconds: float) -> list[Row]:
    with closing(Host(cloud.environment, cloud.directory)) as host:
        host.output("init")
    directory = cloud.directory / "tree"
    directory.mkdir(mode=0o700)
    with running(cloud.environment, directory, partitions) as evsup:
        evsup.await_running(partitions)
        time.sleep(SETTLE_S)
        idle = server.per_s(lambda: time.sleep(seconds))
        busy = server.per_s(lambda: _publish(cloud, partitions, seconds))
    a_worker = busy["checkpoints"] / partitions
    beside = busy["transactions"] - busy["checkpoints"]
    return [
        (f"{partitions} idle workers and their supervisor", f"{idle['transactions']:.2f} transactions/s"),
        (f"{partitions} workers with traffic and their supervisor", f"{busy['transactions']:.2f} transactions/s"),
        ("checkpoints of a worker with traffic", f"{a_worker:.2f} a second"),
        ("everything else", f"{beside:.2f} transactions/s"),
        ("checkpoints of 1,000 workers with traffic", f"{1_000 * a_worker:,.0f} a second"),
    ]


def _publish(cloud: LocalCloud, partitions: int, seconds: float) -> None:
    """An event to each partition again and again, so that every commit moves a checkpoint."""
    deadline, events = Deadline.after(seconds), 0
    while not deadline.passed():
        for partition in range(partitions):
            cloud.hub.seed(str(partition), 1, first_n=events)
        events += 1
        time.sleep(TICK_S)


def _rows(cloud: LocalCloud, server: Server, partitions: int) -> list[Row]:
    settings = load(environ=cloud.environment).settings.control
    with closing(open_store(settings, GROUP, LEASE_S)) as store:
        terms = [_claimed(store, str(number)) for number in range(partitions)]
        checkpoints = [Checkpoint(term.partition_id, 0, "0", term.epoch) for term in terms]
        for checkpoint in checkpoints:
            store.save_checkpoint(checkpoint)
        me = SupervisorRow("me", "host", 1, None, "0")
        store.heartbeat(me)
        timed = {
            f"one statement renews {partitions:,} leases": lambda: store.renew(terms),
            "ownerships and members of the group are read": lambda: (store.ownerships(), store.supervisors()),
            f"{partitions:,} checkpoints are read": store.checkpoints,
            "a heartbeat": lambda: store.heartbeat(me),
        }
        rows = [(what, f"{1000 * _took_s(call):.1f} ms") for what, call in timed.items()]
        before_s = server.cpu_s()
        for number in range(SAVES):
            store.save_checkpoint(replace(checkpoints[number % partitions], sequence_number=1 + number))
        cpu_ms = 1000 * (server.cpu_s() - before_s) / SAVES
    return [*rows, ("a checkpoint, of a processor of Postgres", f"{cpu_ms:.2f} ms")]


def _claimed(store: ControlStore, partition_id: str) -> Term:
    term = store.claim(partition_id, "me", LEASE_S)
    assert term is not None
    return term


def _took_s(call: Callable[[], object]) -> float:
    """The median of a few."""

    def once_s() -> float:
        began_s = monotonic()
        call()
        return monotonic() - began_s

    return median(once_s() for _ in range(TIMES))


if __name__ == "__main__":
    run(main)
