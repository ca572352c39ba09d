"""A host that stands still, stutters or is overloaded ends no tree; a worker that hangs is found, with its stacks."""

import json
import os
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Event

import pytest

from scripts.harness.evsup import EVSUP, Evsup
from scripts.harness.marker import MARKER
from scripts.harness.waiting import eventually
from supervisor.process.hang_detector import HUNG_AFTER_S
from tests.harness.pipeline import SABOTEUR, UNCHECKED, Pipeline, pipeline_of

LEASE_S = 120.0  # longer than every standstill here; one that is longer than the lease is in faults/test_processes.py
SUPERVISORS = 5
BUSY = 60


@pytest.fixture
def pipeline() -> Iterator[Pipeline]:
    with pipeline_of(partitions=SUPERVISORS, EVENTHUB_OWNERSHIP_EXPIRATION=str(LEASE_S), **UNCHECKED) as made:
        yield made


def hold(evsup: Evsup, pids: list[int], seconds: float) -> None:
    """Stop these of its processes for so long."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    Event().wait(seconds)
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    Event().wait(0.1)


def whole(evsup: Evsup) -> list[int]:
    return [evsup.pid, *workers(evsup)]


def workers(evsup: Evsup) -> list[int]:
    return [row.pid for row in evsup.workers().values()]


def alone(evsup: Evsup) -> list[int]:
    return [evsup.pid]


# How long a tree's processes are stopped, how often, and which of them.
STUTTERS: dict[str, tuple[float, int, Callable[[Evsup], list[int]]]] = {
    "three of 5 s": (5.0, 3, whole),
    "many short ones": (1.2, 12, whole),
    "workers only": (5.0, 3, workers),
    "supervisor only": (15.0, 1, alone),
    "one of 15 s": (15.0, 1, whole),
}


def test_a_host_that_stutters_or_stands_still_ends_no_tree(pipeline: Pipeline) -> None:
    """All kinds at the same time, each on a supervisor of its own."""
    trees = dict(zip(STUTTERS, [one_of_many(pipeline) for _ in STUTTERS], strict=True))
    eventually(lambda: all(evsup.workers() for evsup in trees.values()), "each has a partition")
    before = {name: evsup.await_running(1) for name, evsup in trees.items()}
    pipeline.publish(100)
    with ThreadPoolExecutor(len(trees)) as executor:
        list(executor.map(lambda name: stutter(trees[name], *STUTTERS[name]), trees))
    pipeline.publish(100)
    pipeline.await_all()
    for name, evsup in trees.items():
        assert evsup.is_running, f"{name}: {evsup.last_line}"
        after = evsup.await_running(1)
        assert {row.pid for row in after.values()} == {row.pid for row in before[name].values()}, name
        assert evsup.stop() == 0
    pipeline.prove()


def one_of_many(pipeline: Pipeline) -> Evsup:
    state = pipeline.cloud.directory / f"state-{len(pipeline.started)}"
    return pipeline.start("--max-partitions", "1", EVSUP_STATE_DIR=str(state))


def stutter(evsup: Evsup, seconds: float, times: int, which: Callable[[Evsup], list[int]]) -> None:
    pids = which(evsup)
    for _ in range(times):
        hold(evsup, pids, seconds)


BUSY_CODE = """
import os, sys
from time import sleep
begin, end, core = sys.argv[1:]
os.sched_setaffinity(0, {int(core)})
while not os.path.exists(begin):
    sleep(0.1)
while not os.path.exists(end):
    sum(range(100_000))
"""


def test_a_worker_that_gets_no_processor_is_waited_for(pipeline: Pipeline) -> None:
    """Sixty others want it, and the kernel gives it what they leave.

    They are of evsup's own session, for the kernel shares fairly between sessions first (sched(7), autogroup). From
    then on it has its share again, whatever else the host does.
    """
    begin, end = (pipeline.cloud.directory / name for name in ("begin", "end"))
    cores = os.sched_getaffinity(0)
    core = min(cores)
    busy = f"env -u {MARKER} {shlex.join([sys.executable, '-c', BUSY_CODE, str(begin), str(end), str(core)])} &"
    evsup = pipeline.start("--max-partitions", "1", command=("sh", "-c", busy * BUSY + ' exec "$0" "$@"', EVSUP))
    (worker,) = evsup.await_running(1).values()
    schedule(worker.pid, os.SCHED_IDLE, {core})
    begin.touch()
    try:
        eventually(lambda: silent_s(evsup) > HUNG_AFTER_S + 3.0, "it is silent for longer than one that hangs", 60.0)
    finally:
        end.touch()
        schedule(worker.pid, os.SCHED_OTHER, cores)
    eventually(lambda: silent_s(evsup) < 2.0, "it reports again")
    assert evsup.stop() == 0


def schedule(pid: int, policy: int, cores: set[int]) -> None:
    """All threads of a process."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with suppress(ProcessLookupError):  # it has ended
            os.sched_setaffinity(int(thread.name), cores)
            os.sched_setscheduler(int(thread.name), policy, os.sched_param(0))


def silent_s(evsup: Evsup) -> float:
    """Of its one worker."""
    assert evsup.is_running, evsup.last_line
    (row,) = evsup.workers().values()
    return row.report_age_s


def test_a_worker_that_hangs_is_found_as_soon_as_ever_and_its_stacks_are_in_the_crash_report(
    pipeline: Pipeline,
) -> None:
    """It hangs in native code and holds the interpreter's lock, so no line of Python runs in it any more."""
    go = pipeline.cloud.directory / "go"
    evsup = pipeline.start(PYTHONPATH=SABOTEUR, SABOTAGE="get stuck", SABOTAGE_GO=str(go))
    evsup.await_running(SUPERVISORS)
    stuck_s = time.monotonic()
    go.touch()
    assert evsup.wait() == 75
    assert HUNG_AFTER_S - 2.0 < time.monotonic() - stuck_s < HUNG_AFTER_S + 20.0
    assert "The worker hangs: no status for 12 s in which it could have sent one" in evsup.last_line
    (path,) = evsup.state_dir.glob("crash-*.json")
    report = json.loads(path.read_text())
    assert any("in get_stuck" in line for line in report["stacks"])
    assert any("in step" in line for line in report["stacks"])


def test_sigusr1_shows_the_whole_state_and_every_stack_and_disturbs_nothing(pipeline: Pipeline) -> None:
    evsup = pipeline.start(EVSUP_LOG_FORMAT="json")
    workers = evsup.await_running(SUPERVISORS)
    evsup.send_to_group(signal.SIGUSR1)
    eventually(lambda: evsup.stderr.count("in _open_and_read") >= SUPERVISORS, "every worker shows its stacks")
    (state,) = (line["status"] for line in eventually(lambda: evsup.events("tree_state"), "the state is logged"))
    assert {row["partition"]: row["pid"] for row in state["partitions"]} == {
        partition: row.pid for partition, row in workers.items()
    }
    assert {row["latencies"]["enqueued_durable"]["sum_s"] for row in state["partitions"]} == {0.0}
    (stacks,) = (line["threads"] for line in eventually(lambda: evsup.events("supervisor_stacks"), "so are its stacks"))
    assert {"MainThread", "lease", "http"} <= stacks.keys()
    pipeline.publish(100)
    pipeline.await_all()
    assert evsup.stop() == 0
