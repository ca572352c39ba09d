"""One blocking call at a time, and a file descriptor that says when it has ended."""

import threading
from functools import partial

import pytest

from shared.errors import StoreUnavailable
from tests.unit.readable import DEADLINE_S, readable
from worker.pipeline.background import Background


def test_the_result_can_be_taken_once_when_the_descriptor_is_readable() -> None:
    background: Background[int] = Background("test")
    background.submit(lambda: 42)
    assert readable(background)
    assert [background.is_busy, background.take(), background.is_busy] == [True, 42, False]
    assert background.take() is None
    assert not readable(background, 0)


def test_while_the_call_runs_there_is_nothing_to_take() -> None:
    background: Background[int] = Background("test")
    ended = threading.Event()
    background.submit(lambda: 1 if ended.wait(DEADLINE_S) else 0)
    assert background.take() is None
    assert background.is_busy
    assert not readable(background, 0)
    ended.set()
    assert readable(background)
    assert background.take() == 1


def test_what_the_call_raises_is_raised_by_take_and_the_next_call_runs() -> None:
    background: Background[int] = Background("test")

    def fail() -> int:
        raise StoreUnavailable("away")

    background.submit(fail)
    assert readable(background)
    with pytest.raises(StoreUnavailable, match="away"):
        background.take()
    background.submit(lambda: 2)
    assert readable(background)
    assert background.take() == 2


def test_a_second_call_is_refused_until_the_first_was_taken() -> None:
    background: Background[int] = Background("test")
    background.submit(lambda: 1)
    assert readable(background)
    with pytest.raises(AssertionError):
        background.submit(lambda: 2)
    assert background.take() == 1


def test_taking_at_any_time_gives_each_result_exactly_once() -> None:
    background: Background[int] = Background("test")
    for number in range(500):
        background.submit(partial(int, number))
        taken = None
        while taken is None:  # spinning finds the time between the end of a call and its wakeup
            taken = background.take()
        assert taken == number
        assert not readable(background, 0)
