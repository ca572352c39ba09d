"""The receiver thread on the real Azure SDK and the local hub: the worker learns of what the SDK hides."""

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import connection
from pathlib import Path
from typing import Any

import msgspec
import pytest
from azure.eventhub import EventData, EventHubProducerClient

from scripts.harness.waiting import BUSY_S, PATIENCE_S
from scripts.localcloud.hub.entity.hub import LARGE_MESSAGE
from scripts.localcloud.hub.process import HubProcess, HubSettings
from scripts.localcloud.tls import TlsFront
from shared.clock import Deadline, monotonic
from shared.config.settings import EventHubSettings
from shared.errors import ConfigurationError, EvsupError, NotPermitted, OwnershipLost, ResumeRefused, SourceUnavailable
from shared.eventhubs import client
from shared.log.secret import Secret
from tests.harness.azure_sdk import sockets
from tests.harness.azure_sdk.sources import running
from tests.harness.services.listener import HOST
from tests.harness.services.websocket_front import WebsocketFront
from worker.rows.envelope import Envelope
from worker.rows.event import Event
from worker.source import partition_end
from worker.source import receiver as receiver_module
from worker.source.batch_queue import QUEUED_BATCHES, Batch
from worker.source.link import Position
from worker.source.receiver import Receiver

pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")  # the SDK's, of broken links


@pytest.fixture(scope="module")
def shared_hub() -> Iterator[HubProcess]:
    with HubProcess(HubSettings(partitions=1)) as process:
        yield process


@pytest.fixture
def hub(shared_hub: HubProcess) -> Iterator[HubProcess]:
    shared_hub.admin.heal()
    shared_hub.admin.recreate()
    yield shared_hub
    shared_hub.admin.heal()
    sockets.let_go()


@contextmanager
def receiving(hub: HubProcess, after: int | None = None, epoch: int = 1, **changes: Any) -> Iterator[Receiver]:
    """A receiver of partition 0 that runs inside the block."""
    settings = {"connection_string": Secret(hub.connection_string), **changes}
    source = Receiver(EventHubSettings(**settings), "0", epoch, Position(after), Envelope("0", "keep").event_of)
    with running(source):
        yield source


def take(source: Receiver, events: int) -> list[Event]:
    """Wait for so many events, as the loop does."""
    taken: list[Event] = []
    deadline = Deadline.after(PATIENCE_S)
    while len(taken) < events:
        assert not deadline.passed(), f"{len(taken)} of {events} events came"
        connection.wait([source.fileno()], deadline.remaining_s())
        batch = source.take()
        taken += batch.events if batch else []
    return taken


def numbers(events: list[Event]) -> list[int | None]:
    return [event.sequence_number for event in events]


def failure(source: Receiver) -> EvsupError:
    """Wait for the error that ends the receiver."""
    with pytest.raises(EvsupError) as caught:
        take(source, 10**9)
    return caught.value


def follow(source: Receiver) -> None:
    """Take and look after the receiver as the loop does, until it fails."""
    deadline = Deadline.after(PATIENCE_S)
    while not deadline.passed():
        connection.wait([source.fileno()], 0.1)
        source.check_alive(monotonic())
        source.take()


def test_a_receiver_begins_after_the_given_sequence_number(hub: HubProcess) -> None:
    hub.admin.seed("0", 100)
    with receiving(hub, after=89) as source:
        assert numbers(take(source, 10)) == list(range(90, 100))


def test_what_a_publisher_sends_to_a_dedicated_cluster_is_received_whole(hub: HubProcess) -> None:
    hub.admin.take_messages_of(LARGE_MESSAGE)
    body = b"x" * (LARGE_MESSAGE - 1_000)
    with EventHubProducerClient.from_connection_string(hub.connection_string) as publisher:
        publisher.send_event(EventData(body), partition_id="0")
    with receiving(hub) as source:
        [event] = take(source, 1)
    assert len(base64.b64decode(msgspec.json.decode(event.row)["RAW_BODY"])) == len(body)


def test_a_trickle_is_not_held_back_until_a_whole_prefetch_has_come(hub: HubProcess) -> None:
    with receiving(hub) as source:
        hub.admin.append("0", [b'{"sent": 0}'])
        take(source, 1)
        delays = []
        for _ in range(40):
            hub.admin.append("0", [json.dumps({"sent": time.monotonic()}).encode()])
            connection.wait(
                [source.fileno()], 0.05
            )  # 20 events a second: with the SDK's own 0.2 s nothing comes for 15 s
            batch = source.take()
            delays += [
                time.monotonic() - json.loads(bytes(event.row))["PAYLOAD"]["sent"]
                for event in (batch.events if batch else ())
            ]
    assert delays
    assert max(delays) < BUSY_S


def test_nobody_but_its_own_thread_reads_the_connection_of_a_receiver(hub: HubProcess) -> None:
    hub.admin.seed("0", 10)
    with receiving(hub) as source:
        take(source, 10)
        assert not [thread.name for thread in threading.enumerate() if "_keep_alive" in thread.name]


def test_a_full_queue_stops_the_receiver_and_loses_nothing(hub: HubProcess) -> None:
    hub.admin.seed("0", 3_000)
    with receiving(hub, prefetch=100, max_batch_size=100) as source:
        deadline = Deadline.after(PATIENCE_S)
        sent = [-1, -2]
        while sent[-1] != sent[-2] or not sent[-1]:
            assert not deadline.passed()
            connection.wait([], 0.5)
            sent.append(sum(one.sent for one in hub.admin.facts().partitions["0"].receivers))
        assert sent[-1] <= (QUEUED_BATCHES + 1) * 100
        assert numbers(take(source, 3_000)) == list(range(3_000))


def test_without_a_wait_time_events_still_come_and_a_stop_still_ends(hub: HubProcess) -> None:
    hub.admin.seed("0", 10)
    with receiving(hub, max_wait_time=0.0) as source:
        take(source, 10)
        started = time.monotonic()
    assert time.monotonic() - started < BUSY_S


def test_a_dropped_connection_is_opened_again_and_nothing_is_missing(hub: HubProcess) -> None:
    hub.admin.seed("0", 500)
    with receiving(hub) as source:
        first = take(source, 500)
        hub.admin.drop_connections()
        hub.admin.seed("0", 500, first_n=500)
        high = 499
        again = [number for number in numbers(take(source, 500)) if number is not None and number > high]
    assert numbers(first) + again == list(range(1_000))


def test_an_unknown_consumer_group_is_a_configuration_error(hub: HubProcess) -> None:
    with receiving(hub, consumer_group="nobody") as source:
        assert isinstance(failure(source), ConfigurationError)


def test_an_unknown_hub_is_a_configuration_error(hub: HubProcess) -> None:
    with receiving(hub, connection_string=Secret(hub.connection_string_with(hub="elsewhere"))) as source:
        assert isinstance(failure(source), ConfigurationError)


def test_a_wrong_key_is_not_permitted(hub: HubProcess) -> None:
    string = hub.connection_string_with(key="d3Jvbmc=")
    with receiving(hub, connection_string=Secret(string)) as source:
        assert isinstance(failure(source), NotPermitted)


def test_a_position_beyond_the_end_is_refused(hub: HubProcess) -> None:
    hub.admin.seed("0", 5)
    with receiving(hub, after=99) as source:
        assert isinstance(failure(source), ResumeRefused)


def test_a_stolen_link_means_that_ownership_is_lost(hub: HubProcess) -> None:
    hub.admin.seed("0", 5)
    with receiving(hub, epoch=1) as old:
        take(old, 5)
        with receiving(hub, epoch=2) as new:
            take(new, 5)
            assert isinstance(failure(old), OwnershipLost)


def test_an_outage_longer_than_the_limit_is_reported(hub: HubProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiver_module, "REOPEN_LIMIT_S", 2.0)
    hub.admin.seed("0", 1)
    with receiving(hub) as source:
        take(source, 1)  # cut off in the middle of its opening the SDK waits for 20 s first
        hub.admin.begin_outage()
        assert isinstance(failure(source), SourceUnavailable)


@pytest.mark.parametrize("max_wait_time", [0.0, 0.5])
def test_a_hub_that_falls_silent_on_a_live_link_is_reported(
    hub: HubProcess, monkeypatch: pytest.MonkeyPatch, max_wait_time: float
) -> None:
    monkeypatch.setattr(client, "SILENCE_LIMIT_S", 4)
    monkeypatch.setattr(receiver_module, "HUNG_AFTER_S", 3.0)
    hub.admin.seed("0", 10)
    with receiving(hub, max_wait_time=max_wait_time) as source:
        take(source, 10)
        hub.admin.hang()
        with pytest.raises(SourceUnavailable, match="hangs: it did not open"):
            follow(source)
        hub.admin.release_hang()


# --- by other ways ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("round_trip_s", [0.0, 0.1])
def test_a_websocket_brings_every_event_also_over_a_long_line(hub: HubProcess, round_trip_s: float) -> None:
    hub.admin.seed("0", 3_000)
    with WebsocketFront(hub.port, round_trip_s / 2) as front:
        way: dict[str, Any] = {"transport": "amqp_websocket", "custom_endpoint": f"{HOST}:{front.port}"}
        with receiving(hub, **way) as source:
            assert numbers(take(source, 3_000)) == list(range(3_000))
            hub.admin.append("0", [b'"x' + b"x" * 500_000 + b'"'])
            [large] = take(source, 1)
            assert large.size_bytes > 500_000
    assert front.upgrades == 1, "one connection for all of it"


def test_a_websocket_that_breaks_is_opened_again(hub: HubProcess) -> None:
    hub.admin.seed("0", 10)
    with WebsocketFront(hub.port) as front:
        way: dict[str, Any] = {"transport": "amqp_websocket", "custom_endpoint": f"{HOST}:{front.port}"}
        with receiving(hub, **way) as source:
            take(source, 10)
            hub.admin.drop_connections()
            hub.admin.seed("0", 10, first_n=10)
            assert numbers(take(source, 10)) == list(range(10, 20))


def test_tls_brings_every_event_and_leaves_none_in_its_buffer(hub: HubProcess, tmp_path: Path) -> None:
    hub.admin.seed("0", 3_000)
    key = f"SharedAccessKeyName={hub.settings.key_name};SharedAccessKey={hub.settings.key}"
    string = Secret(f"Endpoint=sb://ns.servicebus.windows.net/;{key};EntityPath=flights")
    with TlsFront(tmp_path, hub.port) as front:
        way: dict[str, Any] = {"custom_endpoint": f"{HOST}:{front.port}", "ca_file": str(front.ca_file)}
        with receiving(hub, connection_string=string, **way) as source:
            assert numbers(take(source, 3_000)) == list(range(3_000))
            for number in range(3_000, 3_050):  # one at a time: each is alone in its record
                hub.admin.append("0", [b"{}"])
                assert numbers(take(source, 1)) == [number]


# --- time -------------------------------------------------------------------------------------------------------------


def test_an_idle_link_outlives_the_hubs_patience_and_ours(hub: HubProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ends send heartbeats. Without them, each end would close the connection."""
    monkeypatch.setattr(client, "SILENCE_LIMIT_S", 3)
    hub.admin.seed("0", 1)
    with receiving(hub) as source:
        take(source, 1)
        opened = [one.name for one in hub.admin.facts().partitions["0"].receivers]
        until = Deadline.after(8)
        while not until.passed():
            connection.wait([source.fileno()], 0.5)
            assert not (source.take() or Batch((), None)).events
        hub.admin.append("0", [b"{}"])
        take(source, 1)
        assert [one.name for one in hub.admin.facts().partitions["0"].receivers] == opened


def test_a_link_that_gets_nothing_while_events_arrive_is_opened_again(
    hub: HubProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partition_end, "QUIET_S", 1.0)
    monkeypatch.setattr(partition_end, "PATIENCE_S", 1.0)
    hub.admin.seed("0", 10)
    with receiving(hub) as source:
        take(source, 10)
        hub.admin.mute("0")
        hub.admin.seed("0", 10, first_n=10)
        assert numbers(take(source, 10)) == list(range(10, 20))


def test_a_starting_time_is_the_first_that_is_read(hub: HubProcess) -> None:
    with receiving(hub) as source:
        for _ in range(3):
            hub.admin.append("0", [b"{}"])
            connection.wait([], 0.01)
        second = take(source, 3)[1]
    assert second.enqueued
    settings = EventHubSettings(connection_string=Secret(hub.connection_string))
    position = Position(None, second.enqueued.isoformat())
    with running(Receiver(settings, "0", 2, position, Envelope("0", "keep").event_of)) as source:
        assert numbers(take(source, 2)) == [1, 2]


def test_a_delivery_that_the_hub_aborts_comes_whole_when_it_comes_again(hub: HubProcess) -> None:
    bodies = [b'"' + b"x" * 200_000 + b'"', b"7" * 30]
    hub.admin.abort_deliveries("0", 1)
    hub.admin.append("0", bodies)
    with receiving(hub) as source:
        rows = [json.loads(bytes(event.row)) for event in take(source, 2)]
    assert [row["PAYLOAD"] for row in rows] == [json.loads(body) for body in bodies]
    assert hub.admin.fired("abort") == 1
