"""The results of the bench as values, and as the JSON beside the page that shows them."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import msgspec

from scripts.bench.lab.measure import Side

PACKAGES = ("azure-eventhub", "snowpipe-streaming", "msgspec")


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """Where and when it was measured."""

    day: str
    processor: str
    cores: int
    memory_gib: int
    python: str
    packages: dict[str, str]
    load: float
    """Processes that wanted a core before the bench began, on average over a minute."""

    @classmethod
    def here(cls) -> "Machine":
        """The machine that this runs on, now."""
        return cls(
            day=f"{datetime.now(UTC):%Y-%m-%d}",
            processor=_processor(),
            cores=os.cpu_count() or 1,
            memory_gib=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3),
            python=platform.python_version(),
            packages={name: version(name) for name in PACKAGES},
            load=os.getloadavg()[0],
        )


class Feed(msgspec.Struct, frozen=True, kw_only=True):
    """What the local hub feeds to a reader that only counts frames."""

    reader: Side
    hub_cpu_us: float


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """Events of one kind, moved by both sides in turns. The ratios are medians of those of each turn."""

    name: str
    body_bytes: int
    raw: Side
    evsup: Side
    times_per_s: float
    """Events a second, evsup's of raw's."""
    times_cpu: float
    """Processor time for an event, evsup's of raw's."""


class Rival(msgspec.Struct, frozen=True, kw_only=True):
    """Another way to move the same events."""

    name: str
    side: Side


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One worker, or several, under one condition: `value` is the commit delay in seconds, or the number of workers."""

    value: float
    side: Side


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds from an event's enqueued time until Snowflake's token has passed it."""

    load: float
    """Share of the throughput that was measured before."""
    per_s: float
    p50_s: float
    p90_s: float
    p99_s: float
    evsup_cores: float = 0.0
    """Processors that the supervisor and its processes kept busy."""
    other_cores: float = 0.0
    """Those of the local services and of the sender."""


class Threads(msgspec.Struct, frozen=True, kw_only=True):
    """What a group of threads takes while no event comes."""

    count: int
    core: float
    """Share of a core."""
    wakeups_per_s: float


class Idle(msgspec.Struct, frozen=True, kw_only=True):
    """A worker that waits for events."""

    own: Threads
    sdk: Threads


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """From the command to the first row in the table."""

    partitions: int
    first_s: float
    """Of the first partition that has one."""
    all_s: float
    """Of the last one."""
    turns: int
    tree_cpu_s: float = 0.0
    """Processor time of the supervisor and its processes until then."""
    services_cpu_s: float = 0.0
    """That of the local services, which run on the same cores."""


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """Proportional set size: pages that processes share are counted once."""

    workers: int
    workers_bytes: int
    supervisor_bytes: int
    fork_server_bytes: int = 0


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """Processor time from an encoded event to its row, in one process with nothing beside it."""

    name: str
    cpu_us: float


class Results(msgspec.Struct, kw_only=True):
    """Everything. A part that did not run, or failed, is None or empty."""

    machine: Machine
    feed: Feed | None = None
    shapes: list[Shape] = []
    rivals: list[Rival] = []
    delays: list[Setting] = []
    workers: list[Setting] = []
    worker_share: float | None = None
    """What each of these might use of a core; None: all of it, beside the local services."""
    latency: list[Latency] = []
    idle: Idle | None = None
    starts: list[Start] = []
    memory: Memory | None = None
    rows: list[Row] = []
    failed: dict[str, str] = {}
    """Why a part has no figures."""

    def save(self, path: Path) -> None:
        """Write it for people and programs."""
        path.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n")


def read(path: Path) -> Results:
    """What `Results.save` has written."""
    return msgspec.json.decode(path.read_bytes(), type=Results)


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")
