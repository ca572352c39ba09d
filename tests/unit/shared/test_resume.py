"""Where a worker starts: every row of the table in shared.resume, and what holds for all of them."""

from dataclasses import replace
from typing import Literal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shared.errors import ResumeRefused
from shared.model import Checkpoint, PartitionFacts
from shared.resume import CREATION_TOLERANCE_S, SETTLED_AFTER_S, Resume, decide

OnGap = Literal["fail", "warn"]
BORN_S = 1_700_000_000.123


def partition(first: int = 0, last: int = 100, *, is_empty: bool = False) -> PartitionFacts:
    return PartitionFacts(first, last, is_empty, BORN_S)


NEVER_USED = partition(0, -1, is_empty=True)
ALL_EXPIRED = partition(101, 100, is_empty=True)


def checkpoint(sequence_number: int | None, born_s: float | None = BORN_S) -> Checkpoint:
    """One after which nothing is unsettled."""
    after = None if sequence_number is None else sequence_number + 1
    return Checkpoint("3", sequence_number, "offset", 1, hub_created_at_s=born_s, unsettled_from=after)


def moved(sequence_number: int | None, generation: int = 1, opened: int = 0) -> Checkpoint:
    """A checkpoint that a person has moved to another channel."""
    return replace(
        checkpoint(sequence_number),
        channel_generation=generation,
        opened_generation=opened,
        begins_after=sequence_number,
    )


def start(
    token: int | None, position: int | None, facts: PartitionFacts | None = None, on_gap: OnGap = "fail"
) -> Resume:
    return decide(token, checkpoint(position), facts or partition(), on_gap)


@pytest.mark.parametrize(
    ("token", "position", "facts", "after", "reason"),
    [
        (50, None, partition(), 50, "token without a checkpoint"),
        (50, 50, partition(), 50, "token and checkpoint agree"),
        (0, 0, partition(), 0, "token and checkpoint agree"),
        (50, 49, partition(), 50, "the checkpoint 49 was behind the token"),
        (50, 0, partition(), 50, "the checkpoint 0 was behind the token"),
        (None, None, partition(), None, "a fresh partition"),
        (None, None, NEVER_USED, None, "a fresh partition"),
        (None, None, ALL_EXPIRED, None, "a fresh partition"),
        (100, 100, partition(), 100, "agree"),  # the position is the last event: nothing to read yet
        (50, 50, partition(first=51), 50, "agree"),  # the next event is the oldest retained one
        (50, 50, partition(first=50), 50, "agree"),
        (100, 100, ALL_EXPIRED, 100, "agree"),  # everything left retention after it was read
    ],
)
def test_what_fits_together_goes_on_after_the_token(
    token: int | None, position: int | None, facts: PartitionFacts, after: int | None, reason: str
) -> None:
    resume = start(token, position, facts)
    assert resume.after == after
    assert reason in resume.reason
    assert resume.lost == 0


@pytest.mark.parametrize("on_gap", ["fail", "warn"])
@pytest.mark.parametrize("token", [49, 0])
def test_a_token_behind_the_checkpoint_is_refused(token: int, on_gap: OnGap) -> None:
    with pytest.raises(ResumeRefused, match=f"token {token} is behind the checkpoint 50") as refused:
        start(token, 50, on_gap=on_gap)
    assert f"rows {token + 1} to 50" in refused.value.why
    assert "`evsup checkpoints set --partition 3 --table-end`" in refused.value.fix


@pytest.mark.parametrize("on_gap", ["fail", "warn"])
@pytest.mark.parametrize("position", [0, 50])
def test_a_checkpoint_without_a_token_is_refused(position: int, on_gap: OnGap) -> None:
    with pytest.raises(
        ResumeRefused, match=f"the checkpoint is at {position}, but the channel has no token"
    ) as refused:
        start(None, position, on_gap=on_gap)
    assert "`evsup checkpoints set --partition 3 --table-end`" in refused.value.fix


LAST = PartitionFacts(0, 100, is_empty=False, hub_created_at_s=BORN_S, last_offset="offset")
EMPTIED = replace(LAST, first=101, is_empty=True)


@pytest.mark.parametrize("facts", [LAST, EMPTIED, replace(LAST, first=100)])
def test_a_channel_that_is_gone_after_the_last_event_is_followed_by_the_next(facts: PartitionFacts) -> None:
    resume = decide(None, checkpoint(100), facts, "fail")
    assert (resume.after, resume.begins_next, resume.lost) == (100, True, 0)
    assert "the next one begins there" in resume.reason


@pytest.mark.parametrize(
    ("known", "facts"),
    [
        (checkpoint(99), LAST),  # event 100 may have been written
        (checkpoint(100, born_s=None), LAST),  # of any hub
        (checkpoint(100), replace(LAST, last_offset="other")),  # another event has its number
        (replace(checkpoint(100), offset=None), LAST),  # nothing is known of the event
        (replace(checkpoint(100), offset=None, enqueued_at_s=1.0), EMPTIED),  # nobody can look at it any more
        (checkpoint(100), replace(LAST, last_offset=None)),
    ],
)
def test_where_anything_is_in_doubt_a_person_says_where_the_next_channel_begins(
    known: Checkpoint, facts: PartitionFacts
) -> None:
    with pytest.raises(ResumeRefused, match="but the channel has no token") as refused:
        decide(None, known, facts, "fail")
    assert "`evsup checkpoints set --partition 3 --table-end`" in refused.value.fix


def test_a_missing_channel_names_every_setting_that_is_in_its_name() -> None:
    """Names of the same group in another case give the same channel: `test_channel_name`."""
    with pytest.raises(ResumeRefused) as refused:
        start(None, 50)
    for setting in (
        "SNOWFLAKE_PIPE",
        "SNOWFLAKE_TABLE",
        "SNOWFLAKE_CHANNEL_PREFIX",
        "the port :5671 after the namespace",
    ):
        assert setting in refused.value.why


def test_an_event_without_an_offset_is_looked_at_by_its_time_when_the_link_opens() -> None:
    known = replace(checkpoint(100), offset=None, enqueued_at_s=1.0)
    assert decide(None, known, LAST, "fail").begins_next


def test_who_lost_its_channel_knows_what_it_has_written() -> None:
    assert decide(None, checkpoint(50), partition(), "fail", written=50).begins_next
    for written in (None, 49, 51):
        with pytest.raises(ResumeRefused, match="but the channel has no token"):
            decide(None, checkpoint(50), partition(), "fail", written)
    with pytest.raises(ResumeRefused, match="beyond the last event"):
        decide(None, checkpoint(50), partition(last=49), "fail", written=50)
    with pytest.raises(ResumeRefused, match="not the one of the checkpoint"):
        decide(None, checkpoint(50, BORN_S + 5), partition(), "fail", written=50)
    later = decide(None, checkpoint(50), partition(first=61), "warn", written=50)
    assert (later.after, later.lost, later.begins_next) == (60, 10, True)


@pytest.mark.parametrize("written", [None, 100])
def test_a_rejection_that_is_not_counted_yet_is_not_left_behind_in_a_lost_channel(written: int | None) -> None:
    for first in (40, 100, None, 161):  # the last: after a gap that was accepted, so the events before it are in doubt
        for age_s in (None, 0.0, SETTLED_AFTER_S - 1, -86400.0):
            known = replace(checkpoint(100), unsettled_from=first, age_s=age_s)
            with pytest.raises(ResumeRefused, match="may have been rejected without being counted") as refused:
                decide(None, known, LAST, "fail", written)
            assert "`evsup checkpoints set --partition 3 --table-end`" in refused.value.fix
        expired = replace(checkpoint(100), unsettled_from=first, age_s=SETTLED_AFTER_S)
        assert decide(None, expired, LAST, "fail", written).begins_next


def test_no_other_start_begins_the_next_channel() -> None:
    for token, known in (
        (100, checkpoint(100)),
        (None, checkpoint(None)),
        (None, moved(100)),
        (None, moved(100, 1, 1)),
    ):
        assert not decide(token, known, LAST, "fail", known.sequence_number).begins_next


@pytest.mark.parametrize("on_gap", ["fail", "warn"])
@pytest.mark.parametrize(
    ("token", "position", "facts"),
    [
        (101, 101, partition()),
        (101, None, partition()),
        (101, 50, partition()),
        (0, 0, NEVER_USED),
        (0, None, NEVER_USED),
        (101, 101, ALL_EXPIRED),
    ],
)
def test_a_position_beyond_the_last_event_is_refused(
    token: int, position: int | None, facts: PartitionFacts, on_gap: OnGap
) -> None:
    with pytest.raises(ResumeRefused, match=f"position {token} is beyond the last event {facts.last}"):
        start(token, position, facts, on_gap)


@pytest.mark.parametrize(("position", "to"), [(50, "2023-11-14T22:13:20.124+00:00"), (None, "-1")])
def test_a_hub_that_is_too_short_is_read_from_what_came_after_the_checkpoint(position: int | None, to: str) -> None:
    with pytest.raises(ResumeRefused) as refused:
        decide(101, replace(checkpoint(position), updated_at_s=BORN_S), partition(), "fail")
    assert f"`evsup checkpoints reset --partition 3 --to {to}`" in refused.value.fix


@pytest.mark.parametrize(("token", "moment"), [(101, "22:13:10.124"), (102, "22:13:20.124")])
def test_what_came_after_the_last_event_read_is_known_by_that_events_time(token: int, moment: str) -> None:
    known = replace(checkpoint(101), updated_at_s=BORN_S, enqueued_at_s=BORN_S - 10)
    with pytest.raises(ResumeRefused) as refused:
        decide(token, known, partition(), "fail")
    assert f"--to 2023-11-14T{moment}+00:00`" in refused.value.fix


@pytest.mark.parametrize("later_s", [CREATION_TOLERANCE_S + 0.1, -CREATION_TOLERANCE_S - 0.1, 86400.0])
@pytest.mark.parametrize(("token", "position"), [(50, 50), (None, None), (50, 40), (None, 50)])
def test_another_hub_of_the_same_name_is_refused(token: int | None, position: int | None, later_s: float) -> None:
    with pytest.raises(ResumeRefused, match="the event hub is not the one of the checkpoint"):
        decide(token, checkpoint(position, BORN_S + later_s), partition(), "warn")


@pytest.mark.parametrize("born_s", [None, BORN_S, round(BORN_S), BORN_S + CREATION_TOLERANCE_S / 2])
def test_a_creation_time_that_is_unknown_or_rounded_is_no_other_hub(born_s: float | None) -> None:
    assert decide(50, checkpoint(50, born_s), partition(), "fail").after == 50


LOST = [
    (50, partition(first=52), 1, 51),
    (50, partition(first=61), 10, 60),
    (0, partition(first=100), 99, 99),
    (50, ALL_EXPIRED, 50, 100),
    (99, ALL_EXPIRED, 1, 100),
    (50, partition(first=0, is_empty=True), 50, 100),  # what an empty partition says of its oldest event is nothing
]


@pytest.mark.parametrize(("token", "facts", "lost", "after"), LOST)
def test_lost_events_are_counted_and_refused(token: int, facts: PartitionFacts, lost: int, after: int) -> None:
    with pytest.raises(ResumeRefused, match=f"Partition 3: {lost} events are lost") as refused:
        start(token, token, facts)
    assert f"events {token + 1} to {after} left retention" in refused.value.why
    assert "EVENTHUB_ON_GAP=warn" in refused.value.fix


@pytest.mark.parametrize(("token", "facts", "lost", "after"), LOST)
def test_with_warn_it_goes_on_at_the_oldest_retained_event(
    token: int, facts: PartitionFacts, lost: int, after: int
) -> None:
    resume = start(token, None, facts, "warn")
    assert (resume.after, resume.lost) == (after, lost)
    assert f"events {token + 1} to {after} left retention" in resume.reason


@pytest.mark.parametrize("opened", [0, 1])
@pytest.mark.parametrize(
    ("stored", "after", "reason"),
    [
        (moved(50), 50, "the channel begins after event 50, and nothing is committed in it yet"),
        (moved(0, generation=7), 0, "the channel begins after event 0"),
        (moved(None), None, "reset to the oldest event"),
    ],
)
def test_a_channel_may_be_without_a_token_where_it_begins(
    stored: Checkpoint, after: int | None, reason: str, opened: int
) -> None:
    resume = decide(None, replace(stored, opened_generation=opened), partition(), "fail")
    assert resume.after == after
    assert reason in resume.reason


def test_a_partition_begins_where_its_end_was_when_the_group_began() -> None:
    found = decide(None, replace(checkpoint(None), begins_after=50), partition(), "fail")
    assert (found.after, found.reason) == (50, "from the end that the partition had when the group began (@latest)")
    assert decide(None, replace(checkpoint(50), begins_after=50), partition(), "fail").after == 50


@pytest.mark.parametrize(
    ("token", "stored", "after", "reason"),
    [
        (5, moved(None, opened=1), 5, "token without a checkpoint"),
        (50, moved(50, opened=1), 50, "agree"),
        (60, moved(50, opened=1), 60, "behind the token"),
    ],
)
def test_a_channel_of_a_later_generation_goes_on_as_the_first_does(
    token: int, stored: Checkpoint, after: int, reason: str
) -> None:
    resume = decide(token, stored, partition(), "fail")
    assert resume.after == after
    assert reason in resume.reason


@pytest.mark.parametrize("begins_after", [None, 49, 51])
def test_a_channel_past_its_beginning_that_has_no_token_has_lost_it(begins_after: int | None) -> None:
    with pytest.raises(ResumeRefused, match="the checkpoint is at 50, but the channel has no token"):
        decide(None, replace(moved(50, opened=1), begins_after=begins_after), partition(), "warn")


@pytest.mark.parametrize(("token", "position"), [(60, 50), (50, 50), (40, 50), (0, None), (50, 0)])
def test_a_new_channel_with_another_token_is_not_new(token: int, position: int | None) -> None:
    with pytest.raises(ResumeRefused, match=f"new channel 1 has the token {token} already") as refused:
        decide(token, moved(position), partition(), "warn")
    again = "reset --partition 3 --to -1" if position is None else f"set --partition 3 --sequence-number {position}"
    assert f"`evsup checkpoints {again}` again: it takes the next channel" in refused.value.fix


@pytest.mark.parametrize("position", [101, 5000])
def test_a_checkpoint_moved_beyond_the_last_event_is_refused(position: int) -> None:
    with pytest.raises(ResumeRefused, match=f"position {position} is beyond the last event 100"):
        decide(None, moved(position), partition(), "warn")


def test_events_lost_before_a_checkpoint_that_was_moved_are_counted() -> None:
    found = decide(None, moved(50), partition(first=61), "warn")
    assert (found.after, found.lost) == (60, 10)


numbers = st.none() | st.integers(0, 30)


@given(numbers, numbers, st.integers(0, 30), st.integers(-1, 30), st.booleans(), st.sampled_from(["fail", "warn"]))
def test_a_start_never_moves_behind_what_is_known_nor_beyond_what_exists(
    token: int | None, position: int | None, first: int, last: int, is_empty: bool, on_gap: OnGap
) -> None:
    assume(is_empty or first <= last)
    try:
        resume = start(token, position, partition(first, last, is_empty=is_empty), on_gap)
    except ResumeRefused:
        return
    known = [number for number in (token, position) if number is not None]
    if not known:
        assert resume.after is None
        return
    assert resume.after is not None
    assert max(known) <= resume.after <= last
    assert resume.lost == resume.after - max(known)
    assert resume.lost == 0 or on_gap == "warn"
    assert is_empty or resume.after >= first - 1


@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize(
    "begun", [replace(moved(50, opened=1), unsettled_from=51), replace(checkpoint(None), unsettled_from=0)]
)
def test_one_who_only_looks_sees_that_a_channel_was_lost_before_its_first_checkpoint(
    begun: Checkpoint, exists: bool
) -> None:
    if exists:
        assert decide(None, begun, partition(), "fail", channel_exists=True).after == begun.durable_up_to
        return
    with pytest.raises(ResumeRefused, match="rows of events up to 100 may be in the table already") as refused:
        decide(None, begun, partition(), "fail", channel_exists=False)
    assert ("--sequence-number 50" in refused.value.fix) is (begun.durable_up_to == 50)
