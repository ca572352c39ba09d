"""Orphans are reaped, and nobody loses the exit code of a process that was started here."""

import ctypes
import os
from collections.abc import Iterator
from multiprocessing import get_context

import pytest

from supervisor.process.orphans import EVERY_S, OrphanReaper
from tests.unit.descriptors import no_descriptor_left

PR_SET_CHILD_SUBREAPER = 36  # <linux/prctl.h>
CODE = 7


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
