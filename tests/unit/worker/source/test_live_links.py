"""The links of a receiver that live: what keeps one, what is waited for, and when one hangs."""

import threading

import pytest

from shared.clock import monotonic
from shared.errors import (
    EvsupError,
    NotPermitted,
    SchemaRegistryUnavailable,
    SourceUnavailable,
)
from shared.eventhubs import client
from shared.model import LastEnqueued
from tests.unit.plain_settings import eventhub
from tests.unit.readable import DEADLINE_S, readable
from tests.unit.worker.rows.events import event
from tests.unit.worker.source.conftest import EVENT_OF
from tests.unit.worker.source.receiving import AFTER_4, Start, numbers, raised, taken, taken_numbers, until
from tests.unit.worker.source.rig import Hub, HubSide, delivering
from tests.unit.worker.source.test_stream import HEARTBEAT, split
from worker.rows.envelope import Envelope
from worker.rows.event import Event
from worker.source import link as link_module
from worker.source import partition_end
from worker.source import receiver as receiver_module
from worker.source.receiver import HUNG_AFTER_S, Receiver


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of a partition is asked for at once, and what is after it has to come at once."""
    monkeypatch.setattr(partition_end, "QUIET_S", 0.0)
    monkeypatch.setattr(partition_end, "PATIENCE_S", 0.0)
    monkeypatch.setattr(link_module, "TURN_S", 0.05)


def test_token_and_heartbeats_are_looked_after_while_nobody_takes_anything(start: Start, hub: Hub) -> None:
    start(delivering(*range(5, 2005)), prefetch=4, max_batch_size=1)
    until(lambda: hub.links and hub.links[0].kept.is_set())


def test_a_hub_that_says_nothing_at_all_is_left(start: Start, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "SILENCE_LIMIT_S", 0.2)
    receiver = start(delivering(5), delivering(6))
    assert taken_numbers(receiver, 2) == [5, 6]
    assert hub.starts[:2] == [4, 5]


@pytest.mark.usefixtures("impatient")
def test_a_link_that_delivers_nothing_while_the_partition_goes_on_is_opened_again(start: Start, hub: Hub) -> None:
    hub.last = 9
    receiver = start(delivering(5), delivering(*range(6, 10)))
    assert taken_numbers(receiver, 5) == [5, 6, 7, 8, 9]
    assert hub.starts == [4, 5]


@pytest.mark.parametrize("sizes", [[100] * 30, []], ids=["many frames", "one frame"])
def test_a_large_event_on_a_slow_line_is_waited_for(
    start: Start, hub: Hub, monkeypatch: pytest.MonkeyPatch, sizes: list[int]
) -> None:
    monkeypatch.setattr(partition_end, "QUIET_S", 0.4)
    monkeypatch.setattr(partition_end, "PATIENCE_S", 0.4)
    monkeypatch.setattr(link_module, "TURN_S", 0.02)
    hub.last = 5
    data = b"".join(split(event(b'"' + b"x" * 3000 + b'"', 5), 1, sizes))

    def slowly(hub_side: HubSide) -> None:
        hub_side.link.await_credit(1)
        for at in range(0, len(data), 100):
            hub_side.send(data[at : at + 100])
            hub_side.link.closed.wait(0.06)
        hub_side.stay()

    assert taken_numbers(start(slowly), 1) == [5]
    assert len(hub.links) == 1


@pytest.mark.usefixtures("impatient")
def test_an_idle_partition_says_where_it_ends_and_keeps_its_link(start: Start, hub: Hub) -> None:
    hub.last = 4
    receiver = start(HubSide.stay)
    first, second = taken(receiver), taken(receiver)
    assert (
        (numbers(first), first.last_enqueued) == (numbers(second), second.last_enqueued) == ([], LastEnqueued(4, None))
    )
    assert len(hub.links) == 1


@pytest.mark.usefixtures("impatient")
def test_a_last_event_that_log_compaction_has_deleted_is_waited_for_once(start: Start, hub: Hub) -> None:
    hub.last = 9
    receiver = start(delivering(5), HubSide.stay, delivering(10), on_gap="warn")
    assert taken_numbers(receiver, 1) == [5]
    for _ in range(6):
        assert taken(receiver).last_enqueued == LastEnqueued(9, None)
    assert len(hub.links) == 2
    hub.last = 10
    assert taken_numbers(receiver, 1) == [10]
    assert hub.starts == [4, 5, 5]


@pytest.mark.usefixtures("impatient")
def test_a_partition_whose_events_have_left_retention_keeps_its_link(start: Start, hub: Hub) -> None:
    hub.last, hub.is_empty = 999, True
    receiver = start(HubSide.stay)
    until(lambda: hub.questions >= 4)
    assert (receiver.take(), len(hub.links)) == (None, 1)


# --- a schema registry that is away -----------------------------------------------------------------------------------


class Registry:
    """What makes events, but of event 6 only when it does not have to wait for a schema."""

    def __init__(self, error: EvsupError) -> None:
        self.error: EvsupError | None = error
        self.asked = 0

    def event_of(self, message: bytes) -> Event:
        event = EVENT_OF(message)
        if event.sequence_number == 6:
            self.asked += 1
            if self.error:
                raise self.error
        return event


def test_events_wait_in_the_hub_for_as_long_as_the_schema_registry_is_away(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiver_module, "REOPEN_LIMIT_S", 0.0)
    registry = Registry(SchemaRegistryUnavailable("The schema registry cannot be asked"))
    receiver = start(delivering(5, 6), *[delivering(6, 7)] * 2000, event_of=registry.event_of)
    assert taken_numbers(receiver, 1) == [5]
    until(lambda: registry.asked > 3 and receiver.waits_for == "The schema registry cannot be asked")
    registry.error = None
    assert taken_numbers(receiver, 2) == [6, 7]
    until(lambda: receiver.waits_for is None)


def test_a_schema_registry_that_refuses_ends_the_receiver(start: Start) -> None:
    registry = Registry(NotPermitted("The schema registry cannot be asked"))
    assert isinstance(raised(start(delivering(6), event_of=registry.event_of)), NotPermitted)


# --- a receiver that hangs --------------------------------------------------------------------------------------------

LOOP_S = 5.0  # of the clock of the loop that asks: threads know another


@pytest.mark.parametrize("max_wait_time", [0.0, 0.5, 60.0])
def test_a_receiver_that_does_not_open_is_reported_whatever_the_wait_time(max_wait_time: float) -> None:
    silent = Receiver(eventhub(max_wait_time=max_wait_time), "3", 7, AFTER_4, Envelope("3", "keep").event_of)
    silent.check_alive(LOOP_S)
    silent.check_alive(LOOP_S + HUNG_AFTER_S)
    with pytest.raises(SourceUnavailable, match="hangs: it did not open"):
        silent.check_alive(LOOP_S + HUNG_AFTER_S + 0.1)


def test_a_mapper_that_does_not_return_is_named_by_its_line(start: Start) -> None:
    begun, goes_on = threading.Event(), threading.Event()

    def stuck(message: bytes) -> Event:
        begun.set()
        goes_on.wait(60)
        return Envelope("3", "keep").event_of(message)

    receiver = start(delivering(6), event_of=stuck)
    assert begun.wait(10)
    receiver.check_alive(LOOP_S)
    with pytest.raises(
        SourceUnavailable, match=r"for 60 s; it is in .*test_live_links\.py:\d+ stuck.*\(EVSUP_MAPPER\)"
    ):
        receiver.check_alive(LOOP_S + HUNG_AFTER_S + 0.1)
    goes_on.set()


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


# --- how long the hub has been silent ---------------------------------------------------------------------------------


def test_silence_counts_from_the_start_and_ends_with_each_heartbeat_also_without_an_event(start: Start) -> None:
    beats = threading.Semaphore(0)

    def beating(hub_side: HubSide) -> None:
        for _ in range(3):
            assert beats.acquire(timeout=DEADLINE_S)
            hub_side.send(HEARTBEAT)
        hub_side.stay()

    began_s = monotonic()
    receiver = start(beating)
    assert receiver.heard_s is not None
    assert receiver.heard_s >= began_s
    for _ in range(3):
        sent_s = monotonic()
        beats.release()
        until(lambda sent_s=sent_s: (receiver.heard_s or 0.0) >= sent_s)  # type: ignore[misc]
    assert receiver.take() is None


@pytest.mark.usefixtures("impatient")
def test_a_partition_all_of_whose_events_were_read_and_have_left_says_where_it_ends(start: Start, hub: Hub) -> None:
    hub.last, hub.is_empty = 4, True
    assert taken(start(HubSide.stay)).last_enqueued == LastEnqueued(4, None)
