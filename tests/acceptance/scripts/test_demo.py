"""`make demo` is what a newcomer runs first, so it runs here as well; its proof has to find wrong tables."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from scripts.demo.flights import Flight, flights
from scripts.demo.proof import ContentProof, PartitionProof, Proof, compare
from scripts.harness.evsup import GRACE_S
from scripts.harness.table import PartitionCount
from scripts.harness.waiting import PATIENCE_S, eventually

REPOSITORY = Path(__file__).parents[3]
EVENTS = 3000

Rows = list[tuple[str | None, str | None]]


@pytest.fixture
def directory() -> Iterator[Path]:
    """Empty, and with a short name: a Unix socket's path has room for little more than 100 bytes."""
    with TemporaryDirectory(prefix="evsup-test-") as name:
        yield Path(name)


@contextmanager
def running_demo(directory: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-m", "scripts.demo", "--events", str(EVENTS)],
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "TMPDIR": str(directory), "PYTHONUNBUFFERED": "1", "SPT_NOENV": "1"},
    ) as process:
        try:
            yield process
        finally:
            process.terminate()


def processes_with(directory: Path) -> list[int]:
    """Processes that were started with this temporary directory: the demo, its services, evsup."""
    marker = f"TMPDIR={directory}".encode()
    return [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/environ") if marker in environment_of(path)]


def environment_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def listen_until(demo: subprocess.Popen[str], words: str) -> str:
    """What the demo says, up to the line with these words."""
    assert demo.stdout is not None
    said = ""
    for line in demo.stdout:
        said += line
        if words in line:
            return said
    raise AssertionError(f"the demo never said {words!r}:\n{said}")


def row_of(flight: Flight) -> tuple[str | None, str | None]:
    return flight.body.decode(), flight.route


def test_the_demo_proves_that_each_event_is_there_once_and_leaves_nothing_behind(directory: Path) -> None:
    with running_demo(directory) as demo:
        said, _ = demo.communicate()
    assert demo.returncode == 0, said
    assert f"PROVED: {EVENTS:,} events published, {EVENTS:,} rows, 0 missing, 0 duplicates" in said.splitlines()[-1]
    assert "was killed by SIGKILL" in said
    assert "exit code 75" in said
    assert "JetBlue Airways" in said
    assert list(directory.iterdir()) == []
    assert processes_with(directory) == []


@pytest.mark.parametrize("moment", ["evsup start", "Kill a worker"])
def test_ctrl_c_ends_the_demo_and_everything_it_started(directory: Path, moment: str) -> None:
    with running_demo(directory) as demo:
        said = listen_until(demo, moment)
        assert len(processes_with(directory)) > 1
        demo.send_signal(signal.SIGINT)
        said += demo.communicate(timeout=PATIENCE_S)[0]
    assert demo.returncode == 128 + signal.SIGINT, said
    assert said.splitlines()[-1] == "Stopped. Nothing is left running."
    assert "Traceback" not in said
    assert list(directory.iterdir()) == []
    assert processes_with(directory) == []


def test_kill_9_of_the_demo_ends_everything_it_started(directory: Path) -> None:
    with running_demo(directory) as demo:
        listen_until(demo, "workers run after")
        assert len(processes_with(directory)) > 1
        demo.kill()
    eventually(lambda: not processes_with(directory), "everything has ended", GRACE_S)


@pytest.mark.parametrize(
    ("row", "lie"),
    [
        (PartitionProof("0", 10, PartitionCount(10, 10, 0, 9)), ""),
        (PartitionProof("0", 10, PartitionCount(9, 9, 0, 9)), "a gap"),
        (PartitionProof("0", 10, PartitionCount(9, 9, 0, 8)), "the end is missing"),
        (PartitionProof("0", 10, PartitionCount(9, 9, 1, 9)), "the beginning is missing"),
        (PartitionProof("0", 10, PartitionCount(11, 10, 0, 9)), "a duplicate"),
        (PartitionProof("0", 10, PartitionCount(10, 9, 0, 9)), "one twice, one missing"),
        (PartitionProof("0", 10, PartitionCount(11, 11, 0, 10)), "one that nobody sent"),
        (PartitionProof("0", 10, PartitionCount()), "nothing"),
        (PartitionProof("0", 0, PartitionCount()), ""),
    ],
)
def test_a_partition_is_proved_only_if_each_number_is_there_once(row: PartitionProof, lie: str) -> None:
    assert row.holds is (lie == "")


def test_a_body_that_is_missing_repeated_or_altered_is_found() -> None:
    sent = flights(4)
    rows: Rows = [row_of(flight) for flight in sent]
    late = (rows[3][0] or "").replace('"carrier":"', '"carrier":"X'), rows[3][1]
    assert compare(sent, rows) == ContentProof(missing=0, repeated=0, altered=0)
    assert compare(sent, rows[1:]) == ContentProof(missing=1, repeated=0, altered=0)
    assert compare(sent, [*rows, rows[0]]) == ContentProof(missing=0, repeated=1, altered=0)
    assert compare(sent, [*rows[:3], late]) == ContentProof(missing=0, repeated=0, altered=1)
    assert compare(sent, [*rows[:3], (rows[3][0], "JFK-???")]) == ContentProof(missing=0, repeated=0, altered=1)
    assert compare(sent, [*rows[:3], (None, rows[3][1])]) == ContentProof(missing=1, repeated=0, altered=1)


def test_nothing_is_proved_when_event_hubs_took_more_or_less_than_was_sent() -> None:
    whole = PartitionProof("0", 10, PartitionCount(10, 10, 0, 9))
    assert Proof(10, (whole,), ContentProof(0, 0, 0)).holds
    assert not Proof(11, (whole,), ContentProof(0, 0, 0)).holds
    assert not Proof(10, (whole,), ContentProof(0, 0, 1)).holds
