"""The receiver: what is handed over, how much may come, where a next link begins, and what ends it."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
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
from shared.eventhubs import client
from tests.unit.plain_settings import eventhub
from tests.unit.readable import DEADLINE_S, readable
from tests.unit.worker.source.events import ENQUEUED_MS, event, long
from tests.unit.worker.source.rig import Hub, HubSide, Script, delivering
from worker.source import link as link_module
from worker.source import partition_end
from worker.source import receiver as receiver_module
from worker.source.batch_queue import Batch
from worker.source.credit import HELD_BYTES
from worker.source.envelope import Envelope
from worker.source.link import Position
from worker.source.receiver import HUNG_AFTER_S, Receiver

AFTER_4 = Position(4)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Hub:
    """The SDK, and no pauses between links."""
    made = Hub()
    monkeypatch.setattr(link_module, "EventHubClient", made.client)
    monkeypatch.setattr(receiver_module, "REOPEN_FIRST_S", 0.0)
    monkeypatch.setattr(receiver_module, "REOPEN_MOST_S", 0.0)
    return made


Start = Callable[..., Receiver]


@pytest.fixture
def start(hub: Hub) -> Iterator[Start]:
    """Starts a receiver that plays these links."""
    started: list[Receiver] = []

    def receiver(*scripts: Script, position: Position = AFTER_4, **settings: Any) -> Receiver:
        hub.scripts = list(scripts)
        event_of = Envelope("3", "fail").event_of
        started.append(Receiver(eventhub(**{"max_wait_time": 0.0, **settings}), "3", 7, position, event_of))
        started[-1].start()
        return started[-1]

    yield receiver
    for each in started:
        each.stop()
        each.join(Deadline.after(DEADLINE_S))
        assert each.has_ended


def numbers(batch: Batch | None) -> list[int | None]:
    return [] if batch is None else [event.sequence_number for event in batch.events]


def taken(receiver: Receiver) -> Batch:
    """The next batch, waited for."""
    while True:
        assert readable(receiver)
        if batch := receiver.take():
            return batch


def taken_numbers(receiver: Receiver, events: int) -> list[int | None]:
    """The numbers of so many events, in however many batches they come."""
    found: list[int | None] = []
    while len(found) < events:
        found += numbers(taken(receiver))
    return found


def raised(receiver: Receiver) -> EvsupError:
    """The error that ends the receiver, waited for."""
    try:
        while readable(receiver):
            receiver.take()
    except EvsupError as error:
        return error
    raise AssertionError("the receiver goes on")


def until(condition: Callable[[], object]) -> None:
    deadline = Deadline.after(DEADLINE_S)
    while not condition():
        assert not deadline.passed()
        threading.Event().wait(0.01)


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
    assert batches[-1].last_enqueued == 100


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
    def link(hub_side: HubSide) -> None:
        hub_side.deliver(*range(5, 305))
        hub_side.fail(ConnectError("refused"))

    receiver = start(link, delivering(305), prefetch=100)
    assert taken_numbers(receiver, 301) == list(range(5, 306))
    assert max(hub.links[0].granted) == 100
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


# --- links that end ---------------------------------------------------------------------------------------------------


def broken_after(*numbers: int, error: Exception | None = None) -> Script:
    """A link that delivers these events and then breaks."""

    def link(hub: HubSide) -> None:
        hub.deliver(*numbers)
        hub.fail(error or ConnectionLostError("Connection closed"))

    return link


def test_a_broken_link_is_opened_again_after_the_last_event_handed_over(start: Start, hub: Hub) -> None:
    receiver = start(broken_after(5, 6), delivering(7))
    assert taken_numbers(receiver, 3) == [5, 6, 7]
    assert hub.starts == [4, 6]


def test_a_connection_that_ends_is_opened_again(start: Start, hub: Hub) -> None:
    def link(hub_side: HubSide) -> None:
        hub_side.deliver(5)
        hub_side.link._hub.close()

    assert taken_numbers(start(link, delivering(6)), 2) == [5, 6]


def test_a_connection_that_sends_no_amqp_is_opened_again(start: Start, hub: Hub) -> None:
    def link(hub_side: HubSide) -> None:
        hub_side.deliver(5)
        hub_side.send(b"\x48TTP/1.1 400 Bad Request\r\n\r\n" * 100)

    assert taken_numbers(start(link, delivering(6)), 2) == [5, 6]
    assert hub.starts == [4, 5]


def test_a_hub_that_was_recreated_between_two_links_is_not_read(start: Start, hub: Hub) -> None:
    hub.created_at_s = [1000.0, 5000.0]
    receiver = start(broken_after(5, 6), position=Position(4, hub_created_at_s=1000.0))
    assert taken_numbers(receiver, 2) == [5, 6]
    assert isinstance(raised(receiver), ResumeRefused)
    assert len(hub.links) == 1


def test_a_link_begins_with_the_last_event_known_and_goes_on_behind_it(start: Start, hub: Hub) -> None:
    receiver = start(broken_after(5, 6), delivering(6, 7))
    assert taken_numbers(receiver, 3) == [5, 6, 7]
    assert [link.options["inclusive"] for link in hub.links] == [False, True]


def test_numbers_that_the_hub_gives_to_other_events_end_the_receiver(start: Start) -> None:
    def failed_over(hub: HubSide) -> None:
        later = {b"x-opt-offset": b"99", b"x-opt-enqueued-time": long(ENQUEUED_MS + 1000)}
        hub.deliver_messages([event(b"{}", 6, annotations=later), event(b"{}", 7, annotations=later)])

    receiver = start(broken_after(5, 6), failed_over)
    assert taken_numbers(receiver, 2) == [5, 6]
    assert isinstance(raised(receiver), ResumeRefused)


def test_what_is_delivered_again_does_not_move_the_position_back(start: Start, hub: Hub) -> None:
    receiver = start(broken_after(5, 6, 7, 5))
    assert taken_numbers(receiver, 4) == [5, 6, 7, 5]
    assert hub.opened_again.wait(DEADLINE_S)
    assert hub.starts == [4, 7]


def test_a_fresh_start_becomes_a_sequence_number_with_the_first_event(start: Start, hub: Hub) -> None:
    receiver = start(broken_after(0), position=Position(None))
    assert taken_numbers(receiver, 1) == [0]
    assert hub.opened_again.wait(DEADLINE_S)
    assert hub.starts == ["-1", 0]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConnectionLostError("amqp:link:stolen: New receiver with higher epoch"), OwnershipLost),
        (AuthenticationError("CBS Token authentication failed"), NotPermitted),
        (ConnectError("amqp:not-found: The messaging entity could not be found"), ConfigurationError),
        (ZeroDivisionError("in the SDK"), Bug),
    ],
)
def test_what_does_not_pass_ends_the_receiver_after_what_was_received(
    start: Start, hub: Hub, error: Exception, expected: type[EvsupError]
) -> None:
    receiver = start(broken_after(5, error=error))
    assert taken_numbers(receiver, 1) == [5]
    assert type(raised(receiver)) is expected
    with pytest.raises(expected):
        receiver.take()
    assert len(hub.links) == 1


def test_an_error_of_opening_ends_the_receiver(start: Start, hub: Hub) -> None:
    hub.refusal = AuthenticationError("at the first connection")
    assert type(raised(start())) is NotPermitted


def test_failures_in_a_row_end_in_time(start: Start, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiver_module, "REOPEN_LIMIT_S", 0.0)
    hub.refusal = ConnectError("refused")
    error = raised(start())
    assert type(error) is SourceUnavailable
    assert "refused" in error.why


def test_a_link_that_was_open_for_a_while_was_no_failure_although_no_event_came(
    start: Start, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gateway may cut every connection after half a minute, also on an idle partition."""
    monkeypatch.setattr(receiver_module, "REOPEN_LIMIT_S", 1e-9)
    monkeypatch.setattr(receiver_module, "LIVED_S", -1.0)
    receiver = start(broken_after(), broken_after(), broken_after(), delivering(5))
    assert taken_numbers(receiver, 1) == [5]
    assert len(hub.links) == 4


def test_an_error_while_stopping_is_no_error(start: Start) -> None:
    def link(hub: HubSide) -> None:
        hub.deliver(5)
        hub.stay()

    receiver = start(link)
    taken(receiver)
    receiver.stop()
    receiver.join(Deadline.after(DEADLINE_S))
    assert receiver.take() is None


# --- links that live --------------------------------------------------------------------------------------------------


def test_token_and_heartbeats_are_looked_after_while_nobody_takes_anything(start: Start, hub: Hub) -> None:
    start(delivering(*range(5, 2005)), prefetch=4, max_batch_size=1)
    until(lambda: hub.links and hub.links[0].kept.is_set())


def test_a_hub_that_says_nothing_at_all_is_left(start: Start, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "SILENCE_LIMIT_S", 0.2)
    receiver = start(delivering(5), delivering(6))
    assert taken_numbers(receiver, 2) == [5, 6]
    assert hub.starts == [4, 5]


def test_a_link_that_delivers_nothing_while_the_partition_goes_on_is_opened_again(
    start: Start, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partition_end, "QUIET_S", 0.0)
    monkeypatch.setattr(partition_end, "PATIENCE_S", 0.0)
    hub.last = 9
    receiver = start(delivering(5), delivering(*range(6, 10)))
    assert taken_numbers(receiver, 5) == [5, 6, 7, 8, 9]
    assert hub.starts == [4, 5]


def test_an_idle_partition_says_where_it_ends_and_keeps_its_link(
    start: Start, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partition_end, "QUIET_S", 0.0)
    monkeypatch.setattr(partition_end, "PATIENCE_S", 0.0)
    hub.last = 4
    receiver = start(HubSide.stay)
    first, second = taken(receiver), taken(receiver)
    assert (numbers(first), first.last_enqueued) == (numbers(second), second.last_enqueued) == ([], 4)
    assert len(hub.links) == 1


# --- a receiver that hangs --------------------------------------------------------------------------------------------

LOOP_S = 5.0  # of the clock of the loop that asks: threads know another


@pytest.mark.parametrize("max_wait_time", [0.0, 0.5, 60.0])
def test_a_receiver_that_does_not_open_is_reported_whatever_the_wait_time(max_wait_time: float) -> None:
    silent = Receiver(eventhub(max_wait_time=max_wait_time), "3", 7, AFTER_4, Envelope("3", "keep").event_of)
    silent.check_alive(LOOP_S)
    silent.check_alive(LOOP_S + HUNG_AFTER_S)
    with pytest.raises(SourceUnavailable, match="hangs: it did not open"):
        silent.check_alive(LOOP_S + HUNG_AFTER_S + 0.1)


@pytest.mark.parametrize("max_wait_time", [0.0, 60.0])
def test_a_receiver_that_waits_for_events_does_not_hang_whatever_the_wait_time(
    start: Start, hub: Hub, max_wait_time: float
) -> None:
    receiver = start(HubSide.stay, max_wait_time=max_wait_time)
    receiver.check_alive(LOOP_S)
    until(lambda: hub.links and hub.links[0].kept.is_set())
    receiver.check_alive(LOOP_S + 10 * HUNG_AFTER_S)


def test_a_receiver_that_waits_for_room_does_not_hang(start: Start, hub: Hub) -> None:
    receiver = start(delivering(*range(5, 2005)), prefetch=4, max_batch_size=1)
    assert readable(receiver)
    receiver.check_alive(monotonic())
    until(lambda: hub.links[0].kept.is_set())
    receiver.check_alive(monotonic() + 10 * HUNG_AFTER_S)


def test_a_trickle_is_handed_over_after_the_wait_time_at_the_latest(start: Start) -> None:
    receiver = start(delivering(*range(5, 25)), max_wait_time=0.05)
    assert taken_numbers(receiver, 20) == list(range(5, 25))
