"""`make soak`: two partitions at full speed for half an hour; memory, descriptors and speed are to stay what they were.

The services are kept small: rows are proven and deleted, events are trimmed after them, and the hub is always ahead.
Ends with 1 when a row is missing or twice, when a worker grew by more than 20 MB, or when descriptors or threads did.
"""

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median_low

from rich.console import Console
from rich.table import Table

from scripts.bench.lab.moving import running
from scripts.harness.table import EVENTS, PartitionCount, count
from scripts.localcloud.cloud import CloudSettings, LocalCloud
from shared.clock import Deadline, monotonic
from shared.config import environment
from shared.snowflake.session import SqlSession
from supervisor.status.model import PartitionStatus, TreeStatus

PARTITIONS = 2
AHEAD = 200_000  # events in the hub that nobody has read
TURN_S = 5.0
WARM_UP = 0.1  # of the time: buffers and caches fill
GROWTH_BYTES = 20_000_000
SWEEP_S = 300  # the local Snowflake deletes rows on the cores that everything else runs on
LINES = 12
MEBIBYTE = 1024 * 1024
FORGET = f"DELETE FROM {EVENTS} WHERE PARTITION_ID = ? AND SEQUENCE_NUMBER <= ?"  # noqa: S608 (constants)


@dataclass(frozen=True)
class Vitals:
    """What one process holds."""

    rss_bytes: int
    descriptors: int
    threads: int

    @classmethod
    def of(cls, pid: int) -> "Vitals":
        """Read from /proc: https://man7.org/linux/man-pages/man5/proc_pid_status.5.html."""
        status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        return cls(
            int(status["VmRSS"].split()[0]) * 1024, len(list(Path(f"/proc/{pid}/fd").iterdir())), int(status["Threads"])
        )


@dataclass(frozen=True)
class Look:
    """One look: rows moved so far, and the vitals of the supervisor, then of each worker."""

    at_s: float
    rows: int
    processes: tuple[Vitals, ...]

    @classmethod
    def at(cls, status: TreeStatus) -> "Look":
        """Now, of the tree that says so of itself."""
        pids = (status.pid, *(row.pid for row in status.partitions))
        rows = sum(row.rows_total for row in status.partitions)
        return cls(monotonic(), rows, tuple(Vitals.of(pid) for pid in pids))


class Stream:
    """One partition: its events come before the worker needs them, and go when their rows are proven."""

    def __init__(self, partition: str, cloud: LocalCloud, session: SqlSession) -> None:
        self._partition, self._cloud, self._session = partition, cloud, session
        self._published = self.proven = self._trimmed = 0

    def turn(self, row: PartitionStatus | None) -> None:
        """Publish up to `AHEAD` of what the worker has; prove and forget what is durable. Raises AssertionError."""
        received, durable = (row.received, row.durable) if row else (None, None)
        if (due := (received or 0) + AHEAD - self._published) > 0:
            self._cloud.hub.seed(self._partition, due, first_n=self._published)
            self._published += due
        self._cloud.hub.trim(self._partition, self.proven - self._trimmed)
        self._trimmed = self.proven
        self.prove(-1 if durable is None else durable)

    def prove(self, durable: int) -> None:
        """Require one row for each number from where the last proof ended to `durable`, and delete them."""
        first, events = self.proven, durable + 1 - self.proven
        if events <= 0:
            return
        held = count(self._cloud.snow, f"SEQUENCE_NUMBER <= {durable}")[self._partition]
        whole = PartitionCount(events, events, first, durable)
        assert held == whole, f"partition {self._partition}: {held} of {first} to {durable}"
        self._session.change(FORGET, self._partition, durable)
        self.proven = durable + 1


def main() -> int:
    """Soak, and print a dozen looks and what grew."""
    parser = argparse.ArgumentParser(prog="python -m scripts.bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="how long (default: %(default)g)")
    options = parser.parse_args()
    with LocalCloud(CloudSettings(partitions=PARTITIONS)) as cloud:
        session = SqlSession(environment.load(environ=cloud.environment).settings.snowflake, call_s=SWEEP_S)
        streams = {str(number): Stream(str(number), cloud, session) for number in range(PARTITIONS)}
        with closing(session):
            looks = _soak(cloud, streams, options.minutes * 60)
            for partition, stream in streams.items():
                stream.prove(_token(cloud, partition))
    _report(looks, sum(stream.proven for stream in streams.values()))
    return 1 if _grown(looks) else 0


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
                with suppress(FileNotFoundError):  # a worker that just ended; the tree says why
                    looks.append(Look.at(status))
            time.sleep(TURN_S)
    return looks


def _token(cloud: LocalCloud, partition: str) -> int:
    (token,) = (one.token for one in cloud.snow.channels().values() if one.name.endswith(f"_{partition}"))
    return int(token or -1)


def _warm(looks: Sequence[Look]) -> Sequence[Look]:
    return looks[int(len(looks) * WARM_UP) :]


def _grown(looks: Sequence[Look]) -> list[str]:
    """What is more in the last tenth of the looks than in the first tenth after the warm-up.

    Of memory the median. Of descriptors and threads the fewest: connections come and go, and a leak is always there.
    """
    warm = _warm(looks)
    tenth = max(1, len(warm) // 10)
    grown = []
    for number, name in enumerate(("supervisor", *(f"worker {number}" for number in range(PARTITIONS)))):
        early, late = ([look.processes[number] for look in part] for part in (warm[:tenth], warm[-tenth:]))
        if _rss_bytes(late) - _rss_bytes(early) > GROWTH_BYTES:
            grown.append(f"memory of {name}")
        if min(one.descriptors for one in late) > min(one.descriptors for one in early):
            grown.append(f"descriptors of {name}")
        if min(one.threads for one in late) > min(one.threads for one in early):
            grown.append(f"threads of {name}")
    return grown


def _rss_bytes(vitals: Sequence[Vitals]) -> int:
    return median_low(one.rss_bytes for one in vitals)


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
    console.print(f"{proven:,} events, each in the table once. Grown: {', '.join(_grown(looks)) or 'nothing'}.")


if __name__ == "__main__":
    sys.exit(main())
