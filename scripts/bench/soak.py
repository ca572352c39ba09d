"""Two partitions move for half an hour, and what their processes hold has to stay what it was.

The hub is always ahead of evsup. Rows are proven and deleted, and their events are trimmed, so that the services stay
small.

Exit code 0: all is well; 1: a row is missing or there twice, memory of a process grew by more than 20 MB, or its
descriptors or threads grew and grew.
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress

from rich.console import Console
from rich.table import Table

from scripts.bench.lab.moving import running
from scripts.bench.lab.vitals import Look, grown
from scripts.command_line import Parser, amount, run, whole
from scripts.harness.failure import NotAsPromised
from scripts.harness.table import EVENTS, PartitionCount, count
from scripts.localcloud.cloud import CloudSettings, LocalCloud
from shared.clock import Deadline
from shared.config import environment
from shared.snowflake.session import SqlSession
from supervisor.status.model import PartitionStatus

PARTITIONS = 2
AHEAD = 200_000  # events of each partition in the hub that nobody has read: more than evsup moves in a turn
TURN_S = 5.0
LEAST_LOOKS = 10
SWEEP_S = 300  # the local Snowflake deletes rows on the cores that everything else runs on
LINES = 12
MEBIBYTE = 1024 * 1024
FORGET = f"DELETE FROM {EVENTS} WHERE PARTITION_ID = ? AND SEQUENCE_NUMBER <= ?"  # noqa: S608 (constants)


class Stream:
    """One partition: its events come before the worker needs them, and go when their rows are proven."""

    def __init__(self, partition: str, cloud: LocalCloud, session: SqlSession, ahead: int) -> None:
        self._partition, self._cloud, self._session, self._ahead = partition, cloud, session, ahead
        self._published = self.proven = self._trimmed = 0

    def turn(self, row: PartitionStatus | None) -> None:
        """Publish so many ahead of what the worker has; prove and forget what is durable. Raises as `prove` does."""
        received, durable = (row.received, row.durable) if row else (None, None)
        if (due := (received or 0) + self._ahead - self._published) > 0:
            self._cloud.hub.seed(self._partition, due, first_n=self._published)
            self._published += due
        self._cloud.hub.trim(self._partition, self.proven - self._trimmed)
        self._trimmed = self.proven
        self.prove(-1 if durable is None else durable)

    def prove(self, durable: int) -> None:
        """Require one row for each number from where the last proof ended to `durable`, and delete them.

        Raises NotAsPromised when one is missing or there twice.
        """
        first, events = self.proven, durable + 1 - self.proven
        if events <= 0:
            return
        held = count(self._cloud.snow, f"SEQUENCE_NUMBER <= {durable}").get(self._partition, PartitionCount())
        whole = PartitionCount(events, events, first, durable)
        if held != whole:
            raise NotAsPromised(f"partition {self._partition} from {first} to {durable} has {held}")
        self._session.change(FORGET, self._partition, durable)
        self.proven = durable + 1


def main() -> int:
    """Soak, and print a dozen looks and what grew."""
    options = _parser().parse_args()
    ahead = int(options.rate * TURN_S) if options.rate else AHEAD
    with LocalCloud(CloudSettings(partitions=PARTITIONS)) as cloud:
        session = SqlSession(environment.load(environ=cloud.environment).settings.snowflake, call_s=SWEEP_S)
        streams = {str(number): Stream(str(number), cloud, session, ahead) for number in range(PARTITIONS)}
        with closing(session):
            looks = _soak(cloud, streams, options.minutes * 60)
            for partition, stream in streams.items():
                stream.prove(_token(cloud, partition))
    if len(looks) < LEAST_LOOKS:
        raise NotAsPromised(f"{len(looks)} looks are too few to see growth. Let it run for two minutes or more.")
    _report(looks, sum(stream.proven for stream in streams.values()))
    return 1 if grown(looks) else 0


def _parser() -> Parser:
    parser = Parser(
        "scripts.bench.soak",
        __doc__,
        "python -m scripts.bench.soak                          # half an hour at full speed",
        "python -m scripts.bench.soak --minutes 3 --rate 1000  # short, beside other work",
    )
    parser.add_argument(
        "--minutes",
        type=amount("minutes"),
        default=30.0,
        metavar="N",
        help="how long (default: %(default)g minutes)",
    )
    parser.add_argument(
        "--rate",
        type=whole(1),
        metavar="N",
        help="at most so many events a second of each partition (default: as many as evsup moves)",
    )
    return parser


def _soak(cloud: LocalCloud, streams: Mapping[str, Stream], seconds: float) -> list[Look]:
    """Run for so long, and look once a turn, once every worker moves something."""
    looks: list[Look] = []
    end = Deadline.after(seconds)
    with running(cloud.environment, cloud.directory, PARTITIONS) as evsup:
        while evsup.is_running and not end.passed():
            rows = {row.partition: row for row in status.partitions} if (status := evsup.status()) else {}
            for partition, stream in streams.items():
                stream.turn(rows.get(partition))
            if status and len(rows) == PARTITIONS and all(row.state == "running" for row in rows.values()):
                with suppress(OSError):  # a worker that just ended; the tree says why
                    looks.append(Look.at(status))
            time.sleep(TURN_S)
    return looks


def _token(cloud: LocalCloud, partition: str) -> int:
    (token,) = (one.token for one in cloud.snow.channels().values() if one.name.endswith(f"_{partition}"))
    return int(token or -1)


def _report(looks: Sequence[Look], proven: int) -> None:
    table = Table(box=None, pad_edge=False)
    for name in ("MINUTE", "EVENTS/S", "SUPERVISOR", "WORKERS", "DESCRIPTORS", "THREADS"):
        table.add_column(name, justify="right", no_wrap=True)
    step = max(1, len(looks) // LINES)
    for before, look in zip(looks[::step], looks[step::step], strict=False):
        supervisor, *workers = look.processes
        table.add_row(
            f"{(look.at_s - looks[0].at_s) / 60:.1f}",
            f"{(look.rows - before.rows) / (look.at_s - before.at_s):,.0f}",
            f"{supervisor.rss_bytes / MEBIBYTE:.0f} MiB",
            ", ".join(f"{one.rss_bytes / MEBIBYTE:.0f} MiB" for one in workers),
            ", ".join(str(one.descriptors) for one in look.processes),
            ", ".join(str(one.threads) for one in look.processes),
        )
    console = Console()
    console.print(table)
    console.print(f"{proven:,} events, each in the table once. Grown: {', '.join(grown(looks)) or 'nothing'}.")


if __name__ == "__main__":
    run(main)
