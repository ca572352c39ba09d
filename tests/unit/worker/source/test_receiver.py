"""One link: what the SDK is told, and when its silence is no longer patience."""

from datetime import UTC, datetime

import pytest

from shared.config.settings import EventHubSettings
from shared.errors import SourceUnavailable
from tests.unit.plain_settings import eventhub
from worker.source.credit import Credit
from worker.source.envelope import envelope
from worker.source.receiver import HUNG_AFTER_S, Link, Position, Reader


def link(settings: EventHubSettings | None = None) -> Link:
    """A link after event 4 that nobody has started."""
    reader = Reader(settings or eventhub(), "3", 7, envelope("3", "fail"))
    return Link(reader, Position(4), Credit(1000), lambda _: True)


@pytest.mark.parametrize(
    ("position", "expected"),
    [
        (Position(4), 4),
        (Position(0), 0),
        (Position(4, "2026-01-31T00:00:00Z"), 4),
        (Position(None), "-1"),
        (Position(None, "2026-01-31T00:00:00+00:00"), datetime(2026, 1, 31, tzinfo=UTC)),
        (Position(None, "2026-01-31T00:00:00Z"), datetime(2026, 1, 31, tzinfo=UTC)),
    ],
)
def test_a_sequence_number_is_an_int_to_the_sdk_and_a_fresh_start_is_not(
    position: Position, expected: int | str | datetime
) -> None:
    given = position.for_sdk()
    assert given == expected
    assert type(given) is type(expected)


def test_the_receiver_is_exclusive_with_the_terms_epoch_and_never_inclusive() -> None:
    options = link(eventhub(max_batch_size=5, max_wait_time=0.25)).options()
    assert options["owner_level"] == 7
    assert options["partition_id"] == "3"
    assert options["starting_position"] == 4
    assert options["starting_position_inclusive"] is False
    assert (options["prefetch"], options["max_batch_size"], options["max_wait_time"]) == (Credit(1000).events, 5, 0.25)


def test_a_wait_time_of_zero_means_no_empty_callbacks() -> None:
    assert link(eventhub(max_wait_time=0.0)).options()["max_wait_time"] is None


LOOP_S = 5.0  # of the clock of the loop that asks: the SDK's threads know another

# --- a receiver that hangs --------------------------------------------------------------------------------------------


def test_a_receiver_that_never_calls_back_hangs() -> None:
    silent = link()
    silent.check_alive(LOOP_S)
    silent.check_alive(LOOP_S + HUNG_AFTER_S)
    with pytest.raises(SourceUnavailable, match="hangs"):
        silent.check_alive(LOOP_S + HUNG_AFTER_S + 0.1)


def test_an_empty_callback_is_a_sign_of_life() -> None:
    idle = link()
    idle.check_alive(LOOP_S)
    idle.options()
    idle._on_batch(None, [])
    idle.check_alive(LOOP_S + HUNG_AFTER_S + 1)


def test_without_empty_callbacks_silence_is_no_sign() -> None:
    idle = link(eventhub(max_wait_time=0.0))
    idle.options()["on_partition_initialize"](None)
    idle.check_alive(LOOP_S)
    idle.check_alive(LOOP_S + 10 * HUNG_AFTER_S)


def test_a_receiver_that_does_not_open_is_reported_even_without_empty_callbacks() -> None:
    silent = link(eventhub(max_wait_time=0.0))
    silent.check_alive(LOOP_S)
    with pytest.raises(SourceUnavailable, match="did not open"):
        silent.check_alive(LOOP_S + HUNG_AFTER_S + 1)
