"""The receiver: what is handed over, and how much may come."""

import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from azure.eventhub.exceptions import ConnectError

from shared.clock import Deadline, monotonic
from shared.errors import SequenceGap, UndecodableEvent
from shared.model import LastEnqueued
from tests.unit.plain_settings import eventhub
from tests.unit.readable import DEADLINE_S, readable
from tests.unit.worker.rows.events import ENQUEUED_MS, event
from tests.unit.worker.source.receiving import AFTER_4, Start, numbers, raised, taken, taken_numbers, until
from tests.unit.worker.source.rig import Hub, HubSide, delivering
from worker.rows.envelope import Envelope
from worker.source.continuity import LastEvent
from worker.source.credit import HELD_BYTES
from worker.source.link import Position
from worker.source.receiver import HUNG_AFTER_S
from worker.tasks.replay import UpTo

# --- opening ----------------------------------------------------------------------------------------------------------


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


def test_a_time_is_the_first_that_is_read_and_a_number_is_not() -> None:
    assert Position(None, "2026-01-31T00:00:00Z").is_inclusive
    assert not Position(4).is_inclusive
    assert not Position(None).is_inclusive


def test_the_link_is_exclusive_with_the_terms_epoch(start: Start, hub: Hub) -> None:
    taken(start(delivering(5), track_last_enqueued=False))
    [link] = hub.links
    expected = {"partition_id": "3", "start": 4, "owner_level": 7, "inclusive": False, "track": False}
    assert link.options == expected


def test_the_sdk_retries_nothing_by_itself(start: Start, hub: Hub) -> None:
    taken(start(delivering(5)))
    assert hub.retry_totals == [0]


# --- handing over -----------------------------------------------------------------------------------------------------


def test_events_come_in_order_with_the_partitions_last_number(start: Start) -> None:
    def link(hub: HubSide) -> None:
        hub.deliver(5, last=99)
        hub.deliver(6, 7, last=100)
        hub.stay()

    receiver = start(link)
    batches = [taken(receiver)]
    while numbers(batches[-1])[-1] != 7:
        batches.append(taken(receiver))
    assert [number for batch in batches for number in numbers(batch)] == [5, 6, 7]
    assert batches[-1].last_enqueued == LastEnqueued(100, 1_700_000_100.0)


def test_the_last_number_may_be_unknown(start: Start) -> None:
    assert taken(start(delivering(5))).last_enqueued is None


def test_without_tracking_the_last_number_is_not_looked_for(start: Start) -> None:
    assert taken(start(delivering(5, last=9), track_last_enqueued=False)).last_enqueued is None


def test_a_batch_is_no_larger_than_it_may_be(start: Start) -> None:
    receiver = start(delivering(*range(5, 45)), max_batch_size=3)
    sizes: list[int] = []
    while sum(sizes) < 40:
        sizes.append(len(numbers(taken(receiver))))
    assert max(sizes) <= 3


def test_a_full_backlog_stops_the_hub_until_a_batch_is_taken(start: Start, hub: Hub) -> None:
    receiver = start(delivering(*range(5, 2005)), prefetch=4, max_batch_size=1)
    until(lambda: hub.links and hub.links[0].credit == 0 and sum(hub.links[0].granted))
    assert readable(receiver)
    settled = [-1, -2]
    while settled[-1] != settled[-2]:  # no more is granted, however long nobody takes anything
        assert hub.links[0].kept.wait(DEADLINE_S)
        hub.links[0].kept.clear()
        settled.append(sum(hub.links[0].granted))
    assert settled[-1] < 50
    assert taken_numbers(receiver, 2000) == list(range(5, 2005))


def test_a_body_that_may_not_be_kept_ends_the_receiver_with_its_address(start: Start) -> None:
    receiver = start(lambda link: link.deliver_messages([event(b"{}", 5), event(b"not json", 6)]))
    assert numbers(taken(receiver)) == [5]
    error = raised(receiver)
    assert isinstance(error, UndecodableEvent)
    assert "event 6" in str(error)


@pytest.mark.parametrize(("again", "expected"), [([4], [5]), ([3, 4], [3, 4, 5])])
def test_a_body_that_may_not_be_kept_is_no_error_where_it_was_processed_already(
    start: Start, again: list[int], expected: list[int]
) -> None:
    """As with another setting, or after `evsup checkpoints set` past it."""
    last = LastEvent(4, "123", datetime.fromtimestamp(ENQUEUED_MS / 1000, UTC))
    messages = [*(event(b"not json", number) for number in again), event(b"{}", 5)]
    receiver = start(lambda link: link.deliver_messages(messages), position=Position(4, last_event=last))
    assert taken_numbers(receiver, len(expected)) == expected


def test_a_body_that_may_not_be_kept_is_no_error_after_the_last_event_of_a_replay(hub: Hub) -> None:
    hub.scripts = [lambda link: link.deliver_messages([event(b"{}", 5), event(b"{}", 6), event(b"not json", 7)])]
    receiver = UpTo(eventhub(max_wait_time=0.0), "3", AFTER_4, 6, Envelope("3", "fail").event_of)
    receiver.start()
    assert taken_numbers(receiver, 2) == [5, 6]
    receiver.join(Deadline.after(DEADLINE_S))
    assert receiver.has_ended
    assert receiver.take() is None
    receiver.check_alive(monotonic())
    receiver.check_alive(monotonic() + 10 * HUNG_AFTER_S)


@pytest.mark.parametrize("received", [[5, 7], [7], [5, 7, 9]])
def test_the_last_event_of_a_replay_that_never_comes_is_named_and_not_waited_for(hub: Hub, received: list[int]) -> None:
    hub.scripts = [delivering(*received)]
    receiver = UpTo(eventhub(max_wait_time=0.0), "3", AFTER_4, 6, Envelope("3", "keep").event_of)
    receiver.start()
    assert readable(receiver)
    with pytest.raises(SequenceGap, match="Event 6 never came: the hub goes on with event 7"):
        until(lambda: receiver.take() and False)
    receiver.join(Deadline.after(DEADLINE_S))
    assert receiver.has_ended


def test_stop_drops_what_is_queued_and_closes_the_link(start: Start, hub: Hub) -> None:
    receiver = start(delivering(*range(5, 500)), max_batch_size=1)
    assert readable(receiver)
    receiver.stop()
    receiver.join(Deadline.after(DEADLINE_S))
    assert hub.links[0].closed.is_set()
    assert receiver.take() is None


# --- how much may come ------------------------------------------------------------------------------------------------


def test_a_link_begins_as_if_all_events_were_of_the_largest_size(start: Start, hub: Hub) -> None:
    taken(start(delivering(5)))
    assert hub.links[0].granted[0] == 1


def test_what_is_granted_follows_what_came_over_links(start: Start, hub: Hub) -> None:
    is_taken = threading.Event()

    def link(hub_side: HubSide) -> None:
        hub_side.deliver(*range(5, 305))
        assert is_taken.wait(DEADLINE_S)  # what a full backlog does not take is left to the next link
        hub_side.fail(ConnectError("refused"))

    receiver = start(link, delivering(305), prefetch=100)
    assert taken_numbers(receiver, 300) == list(range(5, 305))
    is_taken.set()
    assert taken_numbers(receiver, 1) == [305]
    assert hub.links[1].granted[0] == 100


@pytest.mark.parametrize("heavy", ["body", "properties", "footer"])
def test_large_events_bring_the_credit_down_whatever_of_them_is_large(start: Start, hub: Hub, heavy: str) -> None:
    weight = b"x" * HELD_BYTES
    body = b'"' + weight + b'"' if heavy == "body" else b"{}"
    sections: dict[str, Any] = {
        "properties": {"application_properties": {b"p": weight}},
        "footer": {"footer": {b"f": weight}},
    }

    def link(hub_side: HubSide) -> None:
        hub_side.deliver(*range(5, 305))
        hub_side.deliver_messages([event(body, number, **sections.get(heavy, {})) for number in range(305, 308)])
        hub_side.stay()

    receiver = start(link)
    taken_numbers(receiver, 303)
    until(lambda: hub.links[0].granted[-1] == 1)


def test_a_backlog_of_large_events_is_full_by_its_bytes(start: Start, hub: Hub) -> None:
    body = b'"' + b"x" * HELD_BYTES + b'"'
    receiver = start(lambda link: link.deliver_messages([event(body, number) for number in (5, 6, 7, 8, 9)]))
    until(lambda: hub.links and hub.links[0].credit == 0 and len(hub.links[0].granted) == 2)
    assert taken_numbers(receiver, 5) == [5, 6, 7, 8, 9]
    assert set(hub.links[0].granted) == {1}
