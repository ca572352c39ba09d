"""The lag of a partition, in events and in seconds, and the order of partitions."""

import pytest

from shared.model import by_number, lag, lag_s


@pytest.mark.parametrize(
    ("last", "reached", "events"), [(9, 4, 5), (9, 9, 0), (9, None, 10), (-1, None, 0), (9, 12, 0)]
)
def test_the_lag_is_the_number_of_events_after_the_one_reached(last: int, reached: int | None, events: int) -> None:
    assert lag(last, reached) == events


def test_partitions_are_in_the_order_of_their_numbers_although_ids_are_texts() -> None:
    assert sorted(["10", "2", "1", "33"], key=by_number) == ["1", "2", "10", "33"]


@pytest.mark.parametrize(
    ("events", "last_at_s", "durable_at_s", "oldest_age_s", "seconds"),
    [
        (5, 1100.0, 1040.0, None, 60.0),
        (5, 1100.0, 1040.0, 70.0, 60.0),
        (1, 37_000.0, 1000.0, 3.0, 3.0),  # the first event after an idle night
        (5, None, 1040.0, 70.0, 70.0),
        (5, 1100.0, None, 70.0, 70.0),
        (5, 1100.0, None, None, None),
        (5, 1040.0, 1100.0, None, 0.0),  # the hub's clock was set back
        (0, 37_000.0, 1000.0, 3.0, 0.0),
        (0, None, None, None, 0.0),
        (None, 1100.0, 1040.0, 70.0, None),
    ],
)
def test_the_lag_in_seconds_is_from_the_newest_row_to_the_last_event_and_no_more_than_the_oldest_has_waited(
    events: int | None,
    last_at_s: float | None,
    durable_at_s: float | None,
    oldest_age_s: float | None,
    seconds: float | None,
) -> None:
    assert lag_s(events, last_at_s, durable_at_s, oldest_age_s) == seconds
