"""The receiver: what the SDK hands over, what it swallows, and where a next link begins."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from azure.eventhub.exceptions import AuthenticationError, ConnectError, ConnectionLostError

from shared.clock import Deadline, monotonic
from shared.errors import (
    Bug,
    ConfigurationError,
    EvsupError,
    NotPermitted,
    OwnershipLost,
    ResumeRefused,
    SourceUnavailable,
    UndecodableEvent,
)
from tests.unit.plain_settings import eventhub
from tests.unit.readable import DEADLINE_S, readable
from tests.unit.worker.source.events import ENQUEUED_MS, event, events, long
from tests.unit.worker.source.rig import Hub, Receiver, Script, delivering
from worker.source import receiver as link_module
from worker.source import source as source_module
from worker.source.batch_queue import QUEUED_BATCHES, Batch
from worker.source.credit import HELD_BYTES
from worker.source.envelope import envelope
from worker.source.receiver import HUNG_AFTER_S, Position
from worker.source.source import Source

AFTER_4 = Position(4)
row_of = envelope("3", "fail")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Hub:
    """The SDK, and no pauses between links."""
    made = Hub()
    monkeypatch.setattr(link_module, "EventHubClient", made.client)
    monkeypatch.setattr(source_module, "REOPEN_FIRST_S", 0.0)
    monkeypatch.setattr(source_module, "REOPEN_MOST_S", 0.0)
    return made


Start = Callable[..., Source]


@pytest.fixture
def start(hub: Hub) -> Iterator[Start]:
    """Starts a source that plays these links."""
    started: list[Source] = []

    def source(*links: Script, position: Position = AFTER_4, **settings: Any) -> Source:
        hub.links = list(links)
        started.append(Source(eventhub(**settings), "3", 7, position, row_of))
        started[-1].start()
        return started[-1]

    yield source
    for each in started:
        each.stop()
        each.join(Deadline.after(DEADLINE_S))
        assert not each._thread.is_alive()


def numbers(batch: Batch | None) -> list[int | None]:
    return [] if batch is None else [row["SEQUENCE_NUMBER"] for row in batch.rows]


def taken(source: Source) -> Batch:
    """The next batch, waited for."""
    while True:
        assert readable(source)
        if batch := source.take():
            return batch


def raised(source: Source) -> EvsupError:
    """The error that ends the source, waited for."""
    try:
        while readable(source):
            source.take()
    except EvsupError as error:
        return error
    raise AssertionError("the source goes on")


# --- handing over -----------------------------------------------------------------------------------------------------


def test_the_sdk_retries_nothing_by_itself(start: Start, hub: Hub) -> None:
    source = start(delivering(5))
    taken(source)
    assert hub.retry_totals == [0]


def test_batches_come_in_order_with_the_partitions_last_number(start: Start) -> None:
    def link(receiver: Receiver) -> None:
        receiver.deliver(5, 6, last=99)
        receiver.deliver()  # nothing came within the wait time
        receiver.deliver(7, last=100)
        receiver.stay()

    source = start(link)
    first, second = taken(source), taken(source)
    assert (numbers(first), first.last_enqueued) == ([5, 6], 99)
    assert (numbers(second), second.last_enqueued) == ([7], 100)
    assert source.take() is None


def test_the_last_number_may_be_unknown(start: Start) -> None:
    source = start(delivering(5))
    assert taken(source).last_enqueued is None


def test_without_tracking_the_last_number_is_not_asked_for(start: Start) -> None:
    source = start(delivering(5, last=9), track_last_enqueued=False)
    assert taken(source).last_enqueued is None


def test_a_full_queue_holds_the_sdk_back_until_a_batch_is_taken(start: Start) -> None:
    delivered: list[int] = []
    full = threading.Event()

    def link(receiver: Receiver) -> None:
        for number in range(5, 5 + QUEUED_BATCHES + 1):
            if number == 5 + QUEUED_BATCHES:
                full.set()
            receiver.deliver(number)
            delivered.append(number)
        receiver.stay()

    source = start(link)
    assert full.wait(DEADLINE_S)
    assert len(delivered) == QUEUED_BATCHES
    assert [numbers(taken(source)) for _ in range(QUEUED_BATCHES + 1)] == [[n] for n in range(5, 6 + QUEUED_BATCHES)]


def test_a_body_that_may_not_be_kept_ends_the_receiver_with_its_address(start: Start) -> None:
    source = start(lambda receiver: receiver.deliver_events([event(b"{}", 5), event(b"not json", 6)]))
    error = raised(source)
    assert isinstance(error, UndecodableEvent)
    assert "event 6" in str(error)


def test_stop_frees_a_receiver_that_waits_for_room_and_drops_what_is_queued(start: Start) -> None:
    full = threading.Event()

    def link(receiver: Receiver) -> None:
        for number in range(5, 5 + QUEUED_BATCHES):
            receiver.deliver(number)
        full.set()
        receiver.deliver(99)
        receiver.stay()

    source = start(link)
    assert full.wait(DEADLINE_S)
    source.stop()
    source.join(Deadline.after(DEADLINE_S))
    assert not source._thread.is_alive()
    assert source.take() is None


def test_a_receiver_that_waits_for_room_does_not_hang(start: Start) -> None:
    source = start(delivering(5))
    assert readable(source)
    source.check_alive(monotonic() + 10 * HUNG_AFTER_S)


# --- large events -----------------------------------------------------------------------------------------------------


def test_a_link_begins_as_if_all_events_were_of_the_largest_size(start: Start, hub: Hub) -> None:
    taken(start(delivering(5)))
    assert hub.opened[0]["prefetch"] == 1


def test_what_is_granted_follows_what_came_from_batch_to_batch_and_over_links(start: Start, hub: Hub) -> None:
    granted: list[int | None] = []
    over = threading.Event()

    def link(receiver: Receiver) -> None:
        granted.append(receiver.client.credit)
        for number in range(5, 11):
            receiver.deliver(number)
        granted.append(receiver.client.credit)
        receiver.fail(ConnectError("refused"))

    def next_link(receiver: Receiver) -> None:
        granted.append(receiver.client.credit)
        receiver.deliver_events([event(b'"' + b"x" * HELD_BYTES + b'"', 11)])
        granted.append(receiver.client.credit)
        over.set()
        receiver.stay()

    source = start(link, next_link)
    assert [numbers(taken(source)) for _ in range(7)] == [[number] for number in range(5, 12)]
    assert over.wait(DEADLINE_S)
    assert granted == [1, 12, 12, 1]


def test_the_next_link_does_not_wait_until_the_sdk_has_closed_the_last_one(
    start: Start, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_module, "EVENTS_PER_LINK", 4)
    opened = threading.Event()

    def slow_to_close(receiver: Receiver) -> None:
        receiver.deliver(5, 6, 7, 8)
        assert opened.wait(DEADLINE_S)

    def following(receiver: Receiver) -> None:
        opened.set()
        receiver.stay()

    taken(start(slow_to_close, following))
    assert opened.wait(DEADLINE_S)


def test_a_backlog_of_large_events_holds_the_sdk_back_by_its_bytes(start: Start) -> None:
    body = b'"' + b"x" * HELD_BYTES + b'"'
    delivered: list[int] = []
    full = threading.Event()

    def large(receiver: Receiver) -> None:
        for number in (5, 6, 7):
            if number == 6:
                full.set()
            receiver.deliver_events([event(body, number)])
            delivered.append(number)
        receiver.stay()

    source = start(large)
    assert full.wait(DEADLINE_S)
    assert delivered == [5]
    assert [numbers(taken(source)) for _ in range(3)] == [[5], [6], [7]]


# --- links that end ---------------------------------------------------------------------------------------------------


def test_a_broken_link_is_opened_again_after_the_last_event_handed_over(start: Start, hub: Hub) -> None:
    def broken(receiver: Receiver) -> None:
        receiver.deliver(5, 6)
        receiver.fail(ConnectionLostError("Connection closed"))

    source = start(broken, delivering(7))
    assert [numbers(taken(source)), numbers(taken(source))] == [[5, 6], [7]]
    assert [options["starting_position"] for options in hub.opened] == [4, 6]


def test_a_hub_that_was_recreated_between_two_links_is_not_read(start: Start, hub: Hub) -> None:
    def broken(receiver: Receiver) -> None:
        receiver.deliver(5, 6)
        receiver.fail(ConnectError("refused"))

    hub.created_at_s = [1000.0, 5000.0]
    source = start(broken, position=Position(4, hub_created_at_s=1000.0))
    assert numbers(taken(source)) == [5, 6]
    assert isinstance(raised(source), ResumeRefused)
    assert len(hub.opened) == 1


def test_a_link_begins_with_the_last_event_known_and_goes_on_behind_it(start: Start, hub: Hub) -> None:
    def broken(receiver: Receiver) -> None:
        receiver.deliver(5, 6)
        receiver.fail(ConnectionLostError("Connection closed"))

    source = start(broken, delivering(6, 7))
    assert [numbers(taken(source)), numbers(taken(source))] == [[5, 6], [7]]
    assert [options["starting_position_inclusive"] for options in hub.opened] == [False, True]


def test_numbers_that_the_hub_gives_to_other_events_end_the_receiver(start: Start) -> None:
    def broken(receiver: Receiver) -> None:
        receiver.deliver(5, 6)
        receiver.fail(ConnectionLostError("Connection closed"))

    def failed_over(receiver: Receiver) -> None:
        later = {b"x-opt-offset": b"99", b"x-opt-enqueued-time": long(ENQUEUED_MS + 1000)}
        receiver.deliver_events([event(b"{}", 6, annotations=later), event(b"{}", 7, annotations=later)])

    source = start(broken, failed_over)
    assert numbers(taken(source)) == [5, 6]
    assert isinstance(raised(source), ResumeRefused)


def test_what_is_delivered_again_does_not_move_the_position_back(start: Start, hub: Hub) -> None:
    def broken(receiver: Receiver) -> None:
        receiver.deliver(5, 6, 7)
        receiver.deliver(5)
        receiver.fail(ConnectError("refused"))

    source = start(broken)
    assert [numbers(taken(source)), numbers(taken(source))] == [[5, 6, 7], [5]]
    assert hub.opened_again.wait(DEADLINE_S)
    assert [options["starting_position"] for options in hub.opened] == [4, 7]


def test_a_fresh_start_becomes_a_sequence_number_with_the_first_event(start: Start, hub: Hub) -> None:
    def broken(receiver: Receiver) -> None:
        receiver.deliver(0)
        receiver.fail(ConnectError("refused"))

    source = start(broken, position=Position(None))
    assert numbers(taken(source)) == [0]
    assert hub.opened_again.wait(DEADLINE_S)
    assert [options["starting_position"] for options in hub.opened] == ["-1", 0]


def test_a_link_is_given_up_for_a_new_one_after_so_many_events(
    start: Start, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_module, "EVENTS_PER_LINK", 3)

    def link(receiver: Receiver) -> None:
        receiver.deliver(5, 6)
        assert not receiver.closed.is_set()
        receiver.deliver(7)
        receiver.stay()

    source = start(link)
    assert [numbers(taken(source)), numbers(taken(source))] == [[5, 6], [7]]
    assert hub.opened_again.wait(DEADLINE_S)
    assert [options["starting_position"] for options in hub.opened] == [4, 7]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConnectionLostError("amqp:link:stolen: New receiver with higher epoch"), OwnershipLost),
        (AuthenticationError("CBS Token authentication failed"), NotPermitted),
        (ConnectError("amqp:not-found: The messaging entity could not be found"), ConfigurationError),
        (ZeroDivisionError("in the SDK"), Bug),
    ],
)
def test_what_does_not_pass_ends_the_source_after_what_was_received(
    start: Start, hub: Hub, error: Exception, expected: type[EvsupError]
) -> None:
    def link(receiver: Receiver) -> None:
        receiver.deliver(5)
        receiver.fail(error)
        receiver.fail(ConnectError("a consequence"))

    source = start(link)
    assert numbers(taken(source)) == [5]
    assert type(raised(source)) is expected
    with pytest.raises(expected):
        source.take()
    assert len(hub.opened) == 1


def test_an_error_that_leaves_receive_batch_is_not_lost(start: Start) -> None:
    def link(_: Receiver) -> None:
        raise AuthenticationError("at the first connection")

    assert type(raised(start(link))) is NotPermitted


def test_an_error_in_our_own_callback_ends_the_source(start: Start) -> None:
    def link(receiver: Receiver) -> None:
        receiver.on_batch(None, events(5))  # a context without what is read from it
        receiver.stay()

    assert type(raised(start(link))) is Bug


def test_failures_without_an_event_between_them_end_in_time(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_module, "REOPEN_LIMIT_S", 0.0)
    error = raised(start(lambda receiver: receiver.fail(ConnectError("refused"))))
    assert type(error) is SourceUnavailable
    assert "refused" in error.why


def test_an_error_while_stopping_is_no_error(start: Start) -> None:
    def link(receiver: Receiver) -> None:
        receiver.stay()
        receiver.fail(ConnectError("closed"))

    source = start(link)
    source.stop()
    source.join(Deadline.after(DEADLINE_S))
    assert source.take() is None
