"""The links of a receiver that end: what ends one, and where the next one begins."""

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
)
from shared.eventhubs import client
from tests.unit.readable import DEADLINE_S
from tests.unit.shared.eventhubs import failures
from tests.unit.worker.rows.events import ENQUEUED_MS, event, events, long
from tests.unit.worker.source.receiving import Start, raised, taken, taken_numbers
from tests.unit.worker.source.rig import Hub, HubSide, Script, delivering
from tests.unit.worker.source.test_stream import split
from worker.source import link as link_module
from worker.source import partition_end
from worker.source import receiver as receiver_module
from worker.source.link import FRESH_S, Position


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


def test_a_stolen_link_is_the_reason_and_not_an_event_that_is_refused(start: Start) -> None:
    def link(hub: HubSide) -> None:
        hub.link.await_credit(1)
        (refused,) = split(event(b"not json", 5), 1, [])
        hub.fail(ConnectionLostError("amqp:link:stolen: New receiver with higher epoch"), refused)

    assert isinstance(raised(start(link, max_wait_time=60.0)), OwnershipLost)


def test_an_event_that_is_refused_is_said_at_once_however_long_a_batch_may_wait(start: Start) -> None:
    def link(hub: HubSide) -> None:
        # As many as it takes until the next event is no full batch.
        hub.deliver_messages([*events(*range(5, 105)), event(b"not json", 105)])
        hub.stay()

    receiver = start(link, max_wait_time=600.0, prefetch=100)
    assert taken_numbers(receiver, 100) == list(range(5, 105))
    assert "event 105" in str(raised(receiver))


def test_a_connection_that_ends_is_opened_again(start: Start, hub: Hub) -> None:
    def link(hub_side: HubSide) -> None:
        hub_side.deliver(5)
        hub_side.drop()

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


def test_a_hub_that_was_just_asked_when_it_was_created_is_asked_again_from_the_second_link_on(
    start: Start, hub: Hub
) -> None:
    hub.created_at_s = [5000.0]
    receiver = start(broken_after(5, 6), position=Position(4, hub_created_at_s=1000.0, hub_read_s=monotonic()))
    assert taken_numbers(receiver, 2) == [5, 6]
    assert isinstance(raised(receiver), ResumeRefused)


def test_a_hub_that_was_asked_a_while_ago_is_asked_again(start: Start, hub: Hub) -> None:
    hub.created_at_s = [5000.0]
    asked_s = monotonic() - FRESH_S
    assert isinstance(raised(start(position=Position(4, hub_created_at_s=1000.0, hub_read_s=asked_s))), ResumeRefused)
    assert not hub.links


def test_a_link_begins_with_the_last_event_known_and_goes_on_after_it(start: Start, hub: Hub) -> None:
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


def test_links_on_which_nothing_comes_at_all_are_failures_however_long_they_lived(
    start: Start, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "SILENCE_LIMIT_S", 0.05)
    monkeypatch.setattr(link_module, "TURN_S", 0.01)
    monkeypatch.setattr(receiver_module, "REOPEN_LIMIT_S", 0.1)
    monkeypatch.setattr(receiver_module, "LIVED_S", -1.0)
    assert type(raised(start())) is SourceUnavailable
    assert len(hub.links) > 1


def test_links_that_deliver_nothing_while_the_partition_goes_on_are_failures_however_long_they_lived(
    start: Start, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partition_end, "QUIET_S", 0.0)
    monkeypatch.setattr(partition_end, "PATIENCE_S", 0.0)
    monkeypatch.setattr(link_module, "TURN_S", 0.01)
    monkeypatch.setattr(receiver_module, "REOPEN_LIMIT_S", 1e-9)
    monkeypatch.setattr(receiver_module, "LIVED_S", -1.0)
    hub.last = 9
    assert "The link of partition 3 delivers nothing" in str(raised(start()))


def test_an_error_while_stopping_is_no_error(start: Start) -> None:
    def link(hub: HubSide) -> None:
        hub.deliver(5)
        hub.stay()

    receiver = start(link)
    taken(receiver)
    receiver.stop()
    receiver.join(Deadline.after(DEADLINE_S))
    assert receiver.take() is None


def test_links_that_were_opened_again_are_counted(start: Start) -> None:
    receiver = start(broken_after(5), broken_after(6), delivering(7))
    assert taken_numbers(receiver, 3) == [5, 6, 7]
    assert receiver.reopened == 2


def test_a_link_that_event_hubs_breaks_because_it_throttles_is_counted(start: Start) -> None:
    busy = failures.link("com.microsoft:server-busy", "Please wait 4 seconds")
    receiver = start(broken_after(5, error=busy), broken_after(6), delivering(7))
    assert taken_numbers(receiver, 3) == [5, 6, 7]
    assert (receiver.reopened, receiver.throttled) == (2, 1)
