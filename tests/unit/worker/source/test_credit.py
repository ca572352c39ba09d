"""The credit of a receiver follows the size of events, at once down and slowly up."""

from itertools import pairwise

import pytest

from worker.source.credit import HELD_BYTES, LARGEST_EVENT_BYTES, Credit

SMALL_BYTES = 550
STANDARD_BYTES = 1024 * 1024  # the largest event of the Standard and Premium tiers


def after(*event_bytes: int, most: int = 1000) -> int:
    """What is granted after batches of events of these sizes, each of all that was granted."""
    credit = Credit(most)
    for one in event_bytes:
        credit.see(credit.events, credit.events * one)
    return credit.events


def test_a_worker_begins_as_if_all_events_were_of_the_largest_size() -> None:
    assert Credit(1000).events == 1
    assert LARGEST_EVENT_BYTES == 20 * STANDARD_BYTES


def test_what_the_largest_events_are_assumed_to_be_is_soon_forgotten() -> None:
    """With an assumption of 1 MB that was forgotten by a tenth a batch it took 38 batches."""
    granted = [after(*[SMALL_BYTES] * batches) for batches in range(13)]
    assert granted[:6] == [1, 1, 1, 1, 3, 6]
    assert granted[-1] > 800


def test_whoever_wants_less_gets_less() -> None:
    assert after(*[SMALL_BYTES] * 100, most=2) == 2


def test_small_events_get_the_whole_credit_step_by_step() -> None:
    granted = [after(*[SMALL_BYTES] * batches) for batches in range(60)]
    assert granted == sorted(granted)
    assert all(more <= less * 2 + 1 for less, more in pairwise(granted))
    assert granted[-1] == 1000


@pytest.mark.parametrize("event_bytes", [20_000, 100_000, STANDARD_BYTES, LARGEST_EVENT_BYTES])
def test_large_events_never_get_more_than_may_be_held(event_bytes: int) -> None:
    assert after(*[SMALL_BYTES] * 60, event_bytes) == max(1, HELD_BYTES // event_bytes)


def test_large_events_are_forgotten_slowly() -> None:
    assert after(*[SMALL_BYTES] * 20, STANDARD_BYTES, *[SMALL_BYTES] * 10) < 3 * HELD_BYTES // STANDARD_BYTES
