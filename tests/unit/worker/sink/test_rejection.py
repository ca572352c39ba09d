"""Whether rejected rows may be quarantined: only if the numbers agree, and only while rejection is an exception."""

from dataclasses import replace

import pytest
from msgspec import structs

from shared.errors import CountsUnsettled, RowsRejected
from shared.ipc.messages import ChannelStatus
from shared.model import Checkpoint
from shared.snowflake.quarantine_table import Coverage, RecentQuarantine
from worker.sink.rejection import (
    MOST_AN_HOUR,
    MOST_READ_AGAIN,
    SHARE_FROM,
    Rejection,
    refuse_contradiction,
    refuse_expired,
    refuse_flood,
    refuse_incomplete,
    refuse_nothing_committed,
    refuse_unproven,
    refuse_vast,
)

NOTHING = RecentQuarantine(0, 0)


def rejection(rows: int, committed: int) -> Rejection:
    """So many of so many committed rows were rejected, five having been known before."""
    status = ChannelStatus(99 + committed, 5 + rows, last_error="too long", last_error_up_to="104")
    return Rejection(status, 5, range(100, 100 + committed), "CHANNEL_3", Checkpoint("3", 99 + committed, None, 7))


def test_the_reason_is_snowflake_s_last_message_and_its_bound() -> None:
    assert rejection(2, 10).reason == "too long; at or before sequence number 104"


def test_a_refusal_says_why_not_and_among_which_events_they_are_beside_what_it_always_says() -> None:
    plain, refused = rejection(2, 10).error(), rejection(2, 10).error("because")
    assert plain.what == "Snowflake rejected 2 rows"
    assert refused.what == "Snowflake rejected 2 rows, which cannot be quarantined: because"
    assert refused.why == plain.why
    assert "they are among events 100 to 109" in plain.why
    assert refused.fix == plain.fix
    assert "--rejected-rows 7`" in plain.fix


@pytest.mark.parametrize(
    ("rows", "committed", "lately"),
    [
        (MOST_AN_HOUR, 10 * MOST_AN_HOUR, NOTHING),
        (1, 10, RecentQuarantine(MOST_AN_HOUR - 1, 0)),
        (SHARE_FROM, 2 * SHARE_FROM, NOTHING),
        (SHARE_FROM - 1, SHARE_FROM - 1, NOTHING),  # too few rows to speak of a share
        (4, 4, RecentQuarantine(18, 18)),
        (1, 1, RecentQuarantine(900, 0)),
    ],
)
def test_a_few_rejected_rows_may_be_quarantined(rows: int, committed: int, lately: RecentQuarantine) -> None:
    refuse_flood(rejection(rows, committed), lately)


@pytest.mark.parametrize(
    ("rows", "committed", "lately", "why_not"),
    [
        (MOST_AN_HOUR + 1, 10 * MOST_AN_HOUR, NOTHING, "1001 rows were rejected in an hour, the limit is 1000"),
        (1, 10, RecentQuarantine(MOST_AN_HOUR, 0), "1001 rows were rejected in an hour, the limit is 1000"),
        (SHARE_FROM, 2 * SHARE_FROM - 1, NOTHING, "quarantined: more than half of the recent events were rejected"),
        (4, 4, RecentQuarantine(500, 19), "quarantined: more than half of the recent events were rejected"),
    ],
)
def test_a_stream_that_is_rejected_as_a_whole_is_refused(
    rows: int, committed: int, lately: RecentQuarantine, why_not: str
) -> None:
    with pytest.raises(RowsRejected, match=why_not):
        refuse_flood(rejection(rows, committed), lately)


def test_the_table_lacks_as_many_as_snowflake_counted() -> None:
    refuse_contradiction(rejection(2, 10), [100, 109])
    with pytest.raises(CountsUnsettled, match="lacks 3 of the events, and Snowflake counted 2"):
        refuse_contradiction(rejection(2, 10), [100, 101, 109])  # the count may still rise
    for missing in ([100], []):
        with pytest.raises(
            RowsRejected, match=f"lacks {len(missing)} of the events, and Snowflake counted 2"
        ) as refused:
            refuse_contradiction(rejection(2, 10), missing)
        assert type(refused.value) is RowsRejected, "no later count makes it fewer"


def repeating(up_to: int, named: str = "104") -> Rejection:
    """Two of ten rejected, of a range of which an earlier channel has written events up to one."""
    made = rejection(2, 10)
    return replace(
        made,
        checkpoint=replace(made.checkpoint, repeats_up_to=up_to),
        status=structs.replace(made.status, last_error_up_to=named),
    )


def test_only_an_event_that_is_read_again_may_have_a_row_from_before() -> None:
    for up_to, missing in ((101, []), (150, []), (100, [109]), (150, [100])):
        refuse_contradiction(repeating(up_to), missing)
    for up_to in (99, 100):
        with pytest.raises(RowsRejected, match="lacks 0 of the events, and Snowflake counted 2"):
            refuse_contradiction(repeating(up_to), [])


def test_a_rejected_row_that_snowflake_names_before_the_range_is_not_taken_for_one_that_comes_again() -> None:
    with pytest.raises(CountsUnsettled):
        refuse_contradiction(repeating(150, named="99"), [])
    refuse_contradiction(repeating(150, named="100"), [])


def test_a_later_status_counts_when_it_shows_other_rejected_rows() -> None:
    made = rejection(2, 10)
    before = made.status
    for same in (
        before,
        structs.replace(before, token=300),
        structs.replace(before, rows_error_count=6, last_error="x"),
    ):
        assert not made.is_counted_anew(same)
    for later in (structs.replace(before, rows_error_count=8), structs.replace(before, last_error_up_to="106")):
        assert made.is_counted_anew(later)
        assert made.counted(later).rows == later.rows_error_count - 5
        assert made.counted(later).checkpoint.rows_error_count == later.rows_error_count


def test_the_share_of_a_stream_is_that_since_the_checkpoint_or_the_first_that_is_missing() -> None:
    made = replace(rejection(SHARE_FROM, 1000), position=1099 - 30)
    missing = [*range(1080, 1100)]
    with pytest.raises(RowsRejected, match="more than half of the recent events"):
        refuse_flood(made, NOTHING, missing)
    refuse_flood(replace(made, position=1099 - 40), NOTHING, missing)
    refuse_flood(made, NOTHING, [1000, *missing[1:]])
    refuse_flood(replace(made, position=1099), NOTHING, range(500, 520))


def test_rows_rejected_where_every_committed_event_is_settled_are_not_looked_for() -> None:
    refuse_nothing_committed(rejection(1, 1))
    with pytest.raises(RowsRejected, match="every committed event is settled"):
        refuse_nothing_committed(rejection(1, 0))


def test_events_that_have_left_the_hub_are_named() -> None:
    refuse_expired(rejection(2, 10), [])
    with pytest.raises(RowsRejected, match="does not have events 100, 103 any more"):
        refuse_expired(rejection(2, 10), [100, 103])
    with pytest.raises(RowsRejected, match="events 100, 101, 102, 103, 104, … any more"):
        refuse_expired(rejection(9, 10), range(100, 109))


def test_so_many_events_are_read_again_as_can_be_in_one_task() -> None:
    refuse_vast(rejection(2, 10), MOST_READ_AGAIN)
    with pytest.raises(RowsRejected, match="500001 events would have to be read again, more than 500000") as refused:
        refuse_vast(rejection(2, MOST_READ_AGAIN + 1), MOST_READ_AGAIN + 1)
    assert "they are among events 100 to 500100" in refused.value.why


def test_a_range_is_complete_when_the_hub_delivered_all_of_it() -> None:
    refuse_incomplete(rejection(2, 10), 10)
    with pytest.raises(RowsRejected, match="the hub has 9 of 10 events"):
        refuse_incomplete(rejection(2, 10), 9)


def test_each_event_has_to_be_in_one_of_the_tables() -> None:
    refuse_unproven(rejection(2, 10), Coverage(10, None), "Q")
    for numbers in (0, 9):
        with pytest.raises(RowsRejected, match=f"together have {numbers} of 10 events"):
            refuse_unproven(rejection(2, 10), Coverage(numbers, None), "Q")


def test_an_event_that_was_quarantined_and_has_a_second_row_is_named_with_what_to_do() -> None:
    with pytest.raises(RowsRejected, match="Event 104 of partition 3 was quarantined and has a second row") as refused:
        refuse_unproven(rejection(2, 10), Coverage(10, 104), '"A"."B"."C_QUARANTINE"')
    assert refused.value.fix.startswith('Delete its row in "A"."B"."C_QUARANTINE" if the target table has one')
