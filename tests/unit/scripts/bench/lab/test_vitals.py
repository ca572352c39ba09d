"""What of a process grew is named, and what comes and goes is not."""

import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from scripts.bench.lab.vitals import GROWTH_BYTES, Look, Vitals, grown
from scripts.harness.waiting import eventually

STEADY = Vitals(rss_bytes=100_000_000, descriptors=27, threads=11)
LOOKS = 30


def looks(worker: Callable[[int], Vitals]) -> list[Look]:
    """A supervisor that stays as it is, and a worker that is so at each look."""
    return [Look(5.0 * number, 1_000 * number, (STEADY, worker(number))) for number in range(LOOKS)]


@contextmanager
def a_file() -> Iterator[None]:
    descriptor = os.open(os.devnull, os.O_RDONLY)
    try:
        yield
    finally:
        os.close(descriptor)


@contextmanager
def a_thread() -> Iterator[None]:
    ended = threading.Event()
    thread = threading.Thread(target=ended.wait)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        task = Path(f"/proc/self/task/{thread.native_id}")
        eventually(lambda: not task.exists(), "it has ended for the kernel, too", every_s=0.001)


@pytest.mark.parametrize(("leak", "named"), [(a_file, "descriptors of worker 0"), (a_thread, "threads of worker 0")])
def test_a_process_that_leaks_one_at_each_look_is_named(
    leak: Callable[[], AbstractContextManager[None]], named: str
) -> None:
    with ExitStack() as leaked:

        def vitals(_number: int) -> Vitals:
            leaked.enter_context(leak())
            return Vitals.of(os.getpid())

        assert grown(looks(vitals)) == [named]


def test_a_process_that_opens_and_closes_has_not_grown() -> None:
    def vitals(number: int) -> Vitals:
        with ExitStack() as open_now:
            for _ in range(number % 5):
                open_now.enter_context(a_file())
                open_now.enter_context(a_thread())
            return Vitals.of(os.getpid())

    assert grown(looks(vitals)) == []


def test_a_leak_of_one_descriptor_in_a_third_of_the_time_is_named() -> None:
    leaking = looks(lambda number: replace(STEADY, descriptors=27 + number % 3 + number // 10))
    assert grown(leaking) == ["descriptors of worker 0"]


@pytest.mark.parametrize("when", range(LOOKS))
def test_what_is_opened_once_and_kept_is_no_growth(when: int) -> None:
    opened = looks(lambda number: replace(STEADY, descriptors=27 + (number >= when), threads=11 + (number >= when)))
    assert grown(opened) == []


@pytest.mark.parametrize(("more", "named"), [(GROWTH_BYTES, []), (GROWTH_BYTES + 1, ["memory of worker 0"])])
def test_memory_is_named_when_its_median_has_grown_by_more_than_the_limit(more: int, named: list[str]) -> None:
    def vitals(number: int) -> Vitals:
        peak = 50_000_000 if number % 4 == 0 else 0
        return replace(STEADY, rss_bytes=STEADY.rss_bytes + peak + (more if number > LOOKS / 2 else 0))

    assert grown(looks(vitals)) == named


def test_a_process_that_has_ended_has_no_vitals() -> None:
    with subprocess.Popen(["true"]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        with pytest.raises(OSError, match="zombie"):
            Vitals.of(process.pid)
    with pytest.raises(OSError, match="No such"):
        Vitals.of(process.pid)
