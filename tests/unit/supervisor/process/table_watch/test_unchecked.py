"""Events are in doubt from their append until a check covers them, and a failure names those that are."""

from supervisor.process.table_watch.unchecked import UncheckedEvents, with_ranges
from tests.unit.supervisor.process.table_watch.rig import GONE, NEXT_TERM, Worker


def following(**workers: Worker) -> UncheckedEvents:
    """What is unchecked of these workers, each of the partition in its name, from the beginning."""
    return follow(UncheckedEvents(), **workers)


def follow(events: UncheckedEvents, **workers: Worker) -> UncheckedEvents:
    events.follow({name.removeprefix("p"): worker for name, worker in workers.items()})
    return events


def check(events: UncheckedEvents) -> dict[str, int]:
    """A check that passes, requested now."""
    events.begin_check()
    return events.pass_check()


def test_a_partition_that_began_after_the_check_counts_from_its_first_row() -> None:
    assert following(p0=Worker(None, 104, after=None, rows=5)).ranges() == [("0", 100, 104)]


def test_a_check_covers_what_was_durable_when_it_was_requested_and_no_more() -> None:
    events = following(p0=Worker(19, 25))
    events.begin_check()
    follow(events, p0=Worker(25, 30))
    assert events.pass_check() == {"0": 19}
    assert events.ranges() == [("0", 20, 30)]


def test_a_term_that_begins_below_the_end_of_the_last_one_counts_from_its_own_beginning() -> None:
    events = following(p0=Worker(900, 900))
    check(events)
    assert follow(events, p0=Worker(20, 25, after=9, term=NEXT_TERM)).ranges() == [("0", 10, 25)]


def test_what_an_earlier_term_appended_is_named_until_a_check_covers_it() -> None:
    events = following(p0=Worker(19, 25))
    assert follow(events, p0=Worker(None, 25, after=25, term=NEXT_TERM)).ranges() == [("0", 10, 25)]
    check(events)
    assert events.ranges() == []


def test_rows_of_an_earlier_owner_are_in_doubt_until_a_check_covers_them() -> None:
    events = following(p0=Worker(None, 20, after=20, checked=12))
    assert events.ranges() == [("0", 13, 20)]
    assert check(events) == {"0": 20}


def test_without_an_event_since_the_last_check_there_is_nothing_to_read_again() -> None:
    error = with_ranges(GONE, following(p0=Worker(9, 9)).ranges())
    assert "no event was loaded since" in error.why
    assert "replay" not in error.fix


def test_many_partitions_are_named_in_part() -> None:
    error = with_ranges(GONE, following(**{f"p{number}": Worker(9, 30) for number in range(32)}).ranges())
    assert (error.fix.count("evsup replay"), "32 in all" in error.fix) == (3, True)
