"""The credit of a link follows the size of events, quickly down and slowly up."""

import pytest

from worker.credit import HELD_BYTES, LARGEST_EVENT_BYTES, MORE, Credit

SMALL_BYTES = 550
FIRST = HELD_BYTES // LARGEST_EVENT_BYTES


def seen(credit: Credit, event_bytes: int) -> Credit:
    """It met a full batch of such events, and was renewed if that is worth it."""
    credit.see(credit.events, credit.events * event_bytes)
    if credit.is_wrong:
        credit.renew()
    return credit


def test_the_first_link_holds_no_more_even_if_all_events_are_of_the_largest_size() -> None:
    assert Credit(1000).events == FIRST


def test_whoever_wants_less_gets_less() -> None:
    assert seen(Credit(2), SMALL_BYTES).events == 2


def test_one_full_batch_of_small_events_is_enough_to_begin_with() -> None:
    assert seen(Credit(1000), SMALL_BYTES).events == 1000


def test_a_trickle_needs_no_other_credit() -> None:
    credit = Credit(1000)
    credit.see(FIRST - 1, SMALL_BYTES)
    assert not credit.is_wrong


@pytest.mark.parametrize("event_bytes", [20_000, 100_000, LARGEST_EVENT_BYTES, 20 * LARGEST_EVENT_BYTES])
def test_large_events_never_get_more_than_may_be_held(event_bytes: int) -> None:
    credit = seen(seen(Credit(1000), SMALL_BYTES), event_bytes)
    assert credit.events == max(1, HELD_BYTES // event_bytes)


def test_a_large_event_in_a_trickle_of_small_ones_changes_nothing() -> None:
    credit = seen(Credit(1000), SMALL_BYTES)
    credit.see(1, LARGEST_EVENT_BYTES)
    assert not credit.is_wrong


def test_large_events_are_remembered_for_many_batches_of_small_ones() -> None:
    credit = seen(seen(Credit(1000), SMALL_BYTES), LARGEST_EVENT_BYTES)
    for _ in range(20):
        assert seen(credit, SMALL_BYTES).events == FIRST
    for _ in range(200):
        seen(credit, SMALL_BYTES)
    assert credit.events > 1000 / MORE
