"""What a container without an init leaves to its first process: it is reaped, and nobody loses an exit code."""

import ctypes
import os
import signal
import sys
from collections.abc import Iterator
from multiprocessing import get_context

import pytest

from scripts.harness.evsup import EVSUP
from scripts.harness.marker import MARKER, process_state
from scripts.harness.waiting import eventually
from supervisor.process.orphans import EVERY_S, OrphanReaper
from tests.harness.pipeline import Pipeline
from tests.unit.descriptors import no_descriptor_left

PR_SET_CHILD_SUBREAPER = 36  # <linux/prctl.h>
CODE = 7

# Becomes the parent of orphans, as PID 1 of a container does, and has two of them. Then it becomes evsup. The first
# orphan ends at once, the second when the test ends it.
TAKES_ORPHANS_IN = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER: prctl(2)
os.system(f"env -u {sys.argv[1]} sh -c '(sleep 0.1 & echo $! > {sys.argv[2]}) &'")
os.execv(sys.argv[3], sys.argv[3:])
"""


@pytest.fixture
def reaper() -> Iterator[OrphanReaper]:
    """Of a process to which the kernel gives orphans."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    yield OrphanReaper()
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 0)


def test_the_exit_code_of_a_process_that_was_started_here_is_not_lost(reaper: OrphanReaper) -> None:
    process = get_context("spawn").Process(target=os._exit, args=(CODE,))
    process.start()
    assert process.pid
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # its sentinel is ready before it can be reaped
    for turn in range(3):
        reaper.reap([], turn * EVERY_S)
    assert process.exitcode == CODE


def test_without_a_descriptor_orphans_wait_for_the_next_look(reaper: OrphanReaper) -> None:
    with no_descriptor_left():
        reaper.reap([], 0.0)


def test_orphans_that_land_here_do_not_stay_zombies_and_exit_codes_are_not_lost(pipeline: Pipeline) -> None:
    file = pipeline.cloud.directory / "orphan"
    evsup = pipeline.start(command=(sys.executable, "-c", TAKES_ORPHANS_IN, MARKER, str(file), EVSUP))
    worker = evsup.await_running(1)["0"].pid
    orphan = int(file.read_text())
    eventually(lambda: not process_state(orphan), "it is reaped")
    os.kill(worker, signal.SIGKILL)
    assert evsup.wait() == 75
    assert "was killed by SIGKILL" in evsup.last_line
