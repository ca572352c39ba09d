"""The receiver thread on the real Azure SDK and the local hub: what the SDK hides, the worker sees."""

import gc
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import connection
from typing import Any

import pytest
from azure.eventhub import EventData, EventHubProducerClient
from azure.eventhub._pyamqp.receiver import ReceiverLink

from scripts.localcloud.hub.hub import LARGE_MESSAGE
from scripts.localcloud.hub.process import HubProcess, HubSettings
from shared.clock import Deadline, monotonic
from shared.config.settings import EventHubSettings
from shared.errors import ConfigurationError, EvsupError, NotPermitted, OwnershipLost, ResumeRefused, SourceUnavailable
from shared.eventhubs import client
from shared.log.secret import Secret
from tests.harness import sdk_sockets
from tests.harness.sources import running
from worker.source import receiver as link_module
from worker.source import source as receiver
from worker.source.batch_queue import QUEUED_BATCHES
from worker.source.envelope import Row, envelope
from worker.source.receiver import Link, Position
from worker.source.source import Source

pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")  # the SDK's, of broken links

PATIENCE_S = 20.0


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
    sdk_sockets.let_go()


@contextmanager
def receiving(hub: HubProcess, after: int | None = None, epoch: int = 1, **changes: Any) -> Iterator[Source]:
    """A receiver of partition 0 that runs inside the block."""
    settings = {"connection_string": Secret(hub.connection_string), **changes}
    source = Source(EventHubSettings(**settings), "0", epoch, Position(after), envelope("0", "keep"))
    with running(source):
        yield source


def take(source: Source, events: int) -> list[Row]:
    """Wait for so many events, as the loop does."""
    taken: list[Row] = []
    deadline = Deadline.after(PATIENCE_S)
    while len(taken) < events:
        assert not deadline.passed(), f"{len(taken)} of {events} events came"
        connection.wait([source.fileno()], deadline.remaining_s())
        batch = source.take()
        taken += batch.rows if batch else []
    return taken


def numbers(rows: list[Row]) -> list[int]:
    return [row["SEQUENCE_NUMBER"] for row in rows]


def failure(source: Source) -> EvsupError:
    """Wait for the error that ends the receiver."""
    with pytest.raises(EvsupError) as caught:
        take(source, 10**9)
    return caught.value


def follow(source: Source) -> None:
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
        [row] = take(source, 1)
    assert len(row["RAW_BODY"]) == len(body)


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
                time.monotonic() - json.loads(bytes(row["PAYLOAD"]))["sent"] for row in (batch.rows if batch else ())
            ]
    assert delays
    assert max(delays) < 2.0


def test_a_link_is_given_up_for_a_new_one_without_a_gap_or_a_repetition(
    hub: HubProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiver, "EVENTS_PER_LINK", 1_000)
    hub.admin.seed("0", 5_000)
    with receiving(hub, prefetch=300, max_batch_size=300) as source:
        assert numbers(take(source, 5_000)) == list(range(5_000))
        names = {reader.name for reader in hub.admin.facts().partitions["0"].receivers}
        assert hub.admin.facts().partitions["0"].receivers[0].sent < 5_000
    assert len(names) == 1


def partition_links() -> list[ReceiverLink]:
    links = [held for held in gc.get_objects() if isinstance(held, ReceiverLink)]
    return [link for link in links if "/Partitions/" in link.source.address]


def test_a_link_keeps_no_delivery_tags_and_one_that_is_over_keeps_nothing(
    hub: HubProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiver, "EVENTS_PER_LINK", 2_000)
    hub.admin.seed("0", 5_500)
    deadline, before = Deadline.after(PATIENCE_S), partition_links()
    with receiving(hub, prefetch=300, max_batch_size=300) as source:
        take(source, 5_500)
        while len(links := [link for link in partition_links() if link not in before]) > 1:
            assert not deadline.passed()
            connection.wait([], 0.05)
        assert sum(len(link._received_delivery_tags) for link in links) <= 300


def test_nobody_but_its_own_thread_reads_the_connection_of_a_receiver(hub: HubProcess) -> None:
    hub.admin.seed("0", 10)
    with receiving(hub) as source:
        take(source, 10)
        assert not [thread.name for thread in threading.enumerate() if "_keep_alive" in thread.name]


def test_a_full_queue_stops_the_receiver_and_loses_nothing(hub: HubProcess) -> None:
    hub.admin.seed("0", 3_000)
    with receiving(hub, prefetch=100, max_batch_size=100) as source:
        deadline = Deadline.after(PATIENCE_S)
        while len(source._backlog._batches) < QUEUED_BATCHES:
            assert not deadline.passed()
            connection.wait([], 0.01)
        sent = hub.admin.facts().partitions["0"].receivers[0].sent
        assert sent <= (QUEUED_BATCHES + 3) * 100
        assert numbers(take(source, 3_000)) == list(range(3_000))


def test_without_a_wait_time_events_still_come_and_a_stop_still_ends(hub: HubProcess) -> None:
    hub.admin.seed("0", 10)
    with receiving(hub, max_wait_time=0.0) as source:
        take(source, 10)
        started = time.monotonic()
    assert time.monotonic() - started < 5


def test_a_dropped_connection_is_opened_again_and_nothing_is_missing(hub: HubProcess) -> None:
    hub.admin.seed("0", 500)
    with receiving(hub) as source:
        first = take(source, 500)
        hub.admin.drop_connections()
        hub.admin.seed("0", 500, first_n=500)
        high = 499
        again = [number for number in numbers(take(source, 500)) if number > high]
    assert numbers(first) + again == list(range(1_000))


def test_an_error_in_the_callback_ends_the_receiver_instead_of_reading_again(
    hub: HubProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ValueError("the hand-over is broken")

    monkeypatch.setattr(Link, "_batch", broken)
    hub.admin.seed("0", 10)
    with receiving(hub) as source:
        assert "the hand-over is broken" in str(failure(source))


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
    monkeypatch.setattr(receiver, "REOPEN_LIMIT_S", 2.0)
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
    monkeypatch.setattr(link_module, "HUNG_AFTER_S", 3.0)
    hub.admin.seed("0", 10)
    with receiving(hub, max_wait_time=max_wait_time) as source:
        take(source, 10)
        hub.admin.hang()
        with pytest.raises(SourceUnavailable, match="hangs: it did not open"):
            follow(source)
        hub.admin.release_hang()
