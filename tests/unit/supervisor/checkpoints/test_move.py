"""A move says which events it repeats, skips and loses, before it is made."""

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shared.errors import DataRefused
from shared.model import Checkpoint, PartitionFacts
from supervisor.checkpoints.move import Destination, describe, plan_move

HUB_CREATED_AT_S = 1_700_000_000.0


def partition(first: int = 0, last: int = 100, *, is_empty: bool = False) -> PartitionFacts:
    return PartitionFacts(first, last, is_empty, HUB_CREATED_AT_S, f"offset-{last}")


def at(sequence_number: int | None) -> Checkpoint:
    return Checkpoint(
        "3", sequence_number, "offset-stored", 5, 2, HUB_CREATED_AT_S, channel_generation=4, opened_generation=4
    )


@pytest.mark.parametrize(
    ("before", "to", "facts", "repeated", "skipped", "lost"),
    [
        (50, 50, partition(), range(0), range(0), range(0)),
        (50, 20, partition(), range(21, 51), range(0), range(0)),
        (50, 80, partition(), range(0), range(51, 81), range(0)),
        (50, None, partition(), range(51), range(0), range(0)),
        (50, None, partition(first=30), range(30, 51), range(0), range(0)),
        (50, 20, partition(first=30), range(30, 51), range(0), range(21, 30)),
        (50, 80, partition(first=70), range(0), range(70, 81), range(0)),
        (None, 20, partition(), range(0), range(21), range(0)),
        (None, 100, partition(first=90), range(0), range(90, 101), range(0)),
        (None, None, partition(), range(0), range(0), range(0)),
        (100, 100, partition(101, 100, is_empty=True), range(0), range(0), range(0)),
        (None, None, partition(0, -1, is_empty=True), range(0), range(0), range(0)),
    ],
)
def test_a_move_names_every_event_between_the_two_positions(
    before: int | None, to: int | None, facts: PartitionFacts, repeated: range, skipped: range, lost: range
) -> None:
    move = plan_move(at(before), Destination(to), facts)
    assert (list(move.repeated), list(move.skipped), list(move.lost)) == (list(repeated), list(skipped), list(lost))


numbers = st.none() | st.integers(0, 30)


@given(numbers, numbers, st.integers(0, 30), st.integers(-1, 30))
def test_a_start_after_a_move_does_what_the_plan_said(
    before: int | None, to: int | None, first: int, last: int
) -> None:
    assume(first <= last and (to is None or to <= last) and (before is None or before <= last))
    move = plan_move(at(before), Destination(to), partition(first, last))
    done = set() if before is None else set(range(before + 1))
    retained = set(range(first, last + 1))
    read = {number for number in retained if to is None or number > to}
    assert set(move.repeated) == read & done
    assert set(move.skipped) == retained - read - done
    assert set(move.lost) == (set() if to is None else set(range(to + 1, first)))


def test_a_position_beyond_the_last_event_is_refused() -> None:
    with pytest.raises(DataRefused, match="its last event is 100"):
        plan_move(at(50), Destination(101), partition())


def test_no_position_of_a_partition_without_any_event_is_possible() -> None:
    with pytest.raises(DataRefused, match="no event was ever in it"):
        plan_move(at(None), Destination(5), partition(0, -1, is_empty=True))


@pytest.mark.parametrize(
    ("to", "offset"),
    [
        (Destination(20), None),
        (Destination(50), "offset-stored"),
        (Destination(100), "offset-100"),
        (Destination(20, "theirs"), "theirs"),
        (Destination(None), None),
    ],
)
def test_the_moved_checkpoint_has_the_offset_of_its_own_event_and_the_present_hub(
    to: Destination, offset: str | None
) -> None:
    written = plan_move(at(50), to, partition()).checkpoint(epoch=9)
    assert written == Checkpoint("3", to.sequence_number, offset, 9, hub_created_at_s=HUB_CREATED_AT_S)


@pytest.mark.parametrize(
    ("to", "enqueued_at_s"),
    [
        (Destination(50), None),
        (Destination(50, enqueued_at_s=8.0), 8.0),
        (Destination(20, enqueued_at_s=8.0), 8.0),
        (Destination(20), None),
        (Destination(100), None),
        (Destination(None), None),
    ],
)
def test_the_moved_checkpoint_has_the_enqueued_time_of_its_own_event(
    to: Destination, enqueued_at_s: float | None
) -> None:
    before = replace(at(50), enqueued_at_s=7.0)
    assert plan_move(before, to, partition()).checkpoint(epoch=9).enqueued_at_s == enqueued_at_s


def test_a_move_is_described_line_by_line() -> None:
    lines = "\n".join(describe(plan_move(at(50), Destination(20), partition(first=30)), owner="somebody"))
    assert "the hub has events 30 to 100" in lines
    assert "event 50 done, channel generation 4" in lines
    assert "event 20 done, channel generation 5" in lines
    assert "21 events, 30 to 50: their rows are written again" in lines
    assert "9 events, 21 to 29: have left the hub" in lines
    assert "somebody holds the partition" in lines
    assert "owner" not in "\n".join(describe(plan_move(at(50), Destination(20), partition()), owner=None))


@pytest.mark.parametrize(
    ("to", "skipped", "offset"), [(None, range(0), None), (50, range(51), None), (100, range(101), "offset-100")]
)
def test_after_a_position_of_a_hub_that_is_gone_nothing_is_repeated(
    to: int | None, skipped: range, offset: str | None
) -> None:
    of_the_one_before = replace(at(50), hub_created_at_s=HUB_CREATED_AT_S - 60)
    move = plan_move(of_the_one_before, Destination(to), partition())
    assert (list(move.repeated), list(move.skipped)) == ([], list(skipped))
    assert move.checkpoint(epoch=9).offset == offset
    lines = "\n".join(describe(move, owner=None))
    assert "event 50 done of a hub that is gone" in lines
    assert "repeats  nothing" in lines
    assert "written again" not in lines


def test_one_event_is_one_event() -> None:
    lines = "\n".join(describe(plan_move(at(50), Destination(49), partition()), None))
    assert "repeats  1 event, 50 to 50: their rows" in lines
