"""Which committed events may have been rejected without being counted yet."""

from hypothesis import given
from hypothesis import strategies as st

from shared.resume import SETTLED_AFTER_S
from worker.sink.unsettled import MOST_UNSETTLED, Unsettled


def test_an_event_is_settled_when_the_count_was_looked_at_long_enough_after_its_commit() -> None:
    events = Unsettled(5)
    events.observe(9, 0.0)
    events.observe(19, 1.0)
    events.observe(19, SETTLED_AFTER_S - 0.1)
    assert events.first == 5
    events.observe(19, SETTLED_AFTER_S)
    assert events.first == 10
    events.observe(29, 10 * SETTLED_AFTER_S)
    assert events.first == 20


def test_nothing_is_settled_by_time_alone() -> None:
    """A status has to say that the count did not rise."""
    events = Unsettled(5)
    events.observe(9, 0.0)
    assert events.first == 5
    events.observe(None, 1000.0)
    assert events.first == 10


def test_of_a_fast_stream_a_bounded_number_is_unsettled() -> None:
    events = Unsettled(0)
    for second in range(50):
        events.observe(50_000 * (second + 1), float(second))
        assert events.first is not None
        assert 50_000 * (second + 1) - events.first < MOST_UNSETTLED


def test_the_first_unsettled_one_may_be_unknown_before_the_first_event() -> None:
    events = Unsettled(None)
    events.observe(None, 0.0)
    assert events.first is None
    events.begin_at(7)
    assert events.first == 7


@given(st.lists(st.tuples(st.integers(0, 50), st.floats(0.1, SETTLED_AFTER_S)), min_size=1))
def test_the_first_unsettled_event_only_rises_and_is_never_beyond_what_was_committed_lately(
    steps: list[tuple[int, float]],
) -> None:
    events, token, now_s, before = Unsettled(0), 0, 0.0, 0
    seen: dict[int, float] = {}
    for rise, pause_s in steps:
        token, now_s = token + rise, now_s + pause_s
        seen.setdefault(token, now_s)
        events.observe(token, now_s)
        assert events.first is not None
        assert before <= events.first <= token + 1
        assert all(now_s - at_s >= SETTLED_AFTER_S for number, at_s in seen.items() if number < events.first)
        before = events.first
