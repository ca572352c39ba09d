"""The local Event Hubs as the real azure-eventhub SDK sees it."""

import gc
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, cast

import psutil
import pytest
from azure.eventhub import EventData, EventHubConsumerClient, EventHubProducerClient, PartitionContext
from azure.eventhub.exceptions import (
    AuthenticationError,
    ConnectError,
    ConnectionLostError,
    EventHubError,
)

from scripts.harness.waiting import PATIENCE_S
from scripts.localcloud.hub.admin import SEED_STEP
from scripts.localcloud.hub.process import HubProcess, HubSettings, new_key

pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

# The SDK comes back to a failed partition after this long; tests that look for one failure must not see a second.
SOON_S, LATE_S = 0.5, 60.0


@pytest.fixture(scope="module")
def shared_hub() -> Iterator[HubProcess]:
    with HubProcess(HubSettings(partitions=4, consumer_groups=("second",))) as process:
        yield process


@pytest.fixture
def hub(shared_hub: HubProcess) -> Iterator[HubProcess]:
    """An empty hub without faults.

    The SDK drops sockets that broke without closing them; they are collected here, where the warning is expected.
    """
    shared_hub.admin.heal()
    shared_hub.admin.recreate()
    yield shared_hub
    shared_hub.admin.heal()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def eventually(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"waited {PATIENCE_S} s in vain for: {what}"
        pause.wait(0.01)


class Reader:
    """A receiver of the SDK in a thread, with everything that it got."""

    def __init__(
        self, connection_string: str, *, group: str = "$Default", again_s: float = LATE_S, retry_total: int = 0
    ) -> None:
        self.events: list[EventData] = []
        self.errors: list[Exception] = []
        self.lag: dict[str, Any] | None = None
        self._client = EventHubConsumerClient.from_connection_string(
            connection_string,
            consumer_group=group,
            load_balancing_interval=again_s,
            retry_total=retry_total,
        )
        self._thread: threading.Thread | None = None

    def start(self, partition: str = "0", start: Any = "-1", **options: Any) -> "Reader":
        def receive() -> None:
            self._client.receive_batch(
                self._on_events,
                partition_id=partition,
                starting_position=start,
                on_error=lambda _, error: self.errors.append(error),
                track_last_enqueued_event_properties=True,
                **options,
            )

        self._thread = threading.Thread(target=receive)
        self._thread.start()
        return self

    @property
    def numbers(self) -> list[int | None]:
        return [one.sequence_number for one in self.events]

    def await_numbers(self, expected: list[int]) -> None:
        eventually(lambda: len(self.events) >= len(expected) or self.errors, f"{len(expected)} events")
        assert self.numbers == expected, self.errors

    def await_error(self) -> Exception:
        eventually(lambda: self.errors, "an error")
        return self.errors[0]

    def close(self) -> None:
        self._client.close()
        if self._thread is not None:
            self._thread.join(PATIENCE_S)

    def _on_events(self, context: PartitionContext, events: list[EventData]) -> None:
        self.events.extend(events)
        self.lag = context.last_enqueued_event_properties


@contextmanager
def reading(hub: HubProcess, partition: str = "0", **options: Any) -> Iterator[Reader]:
    """A receiver of the SDK. Without retries it raises a refusal; with them it retries without end, silently."""
    made = {key: options.pop(key) for key in ("group", "again_s", "retry_total") if key in options}
    text = options.pop("connection_string", hub.connection_string)
    reader = Reader(text, **made).start(partition, **options)
    try:
        yield reader
    finally:
        reader.close()


def producer(hub: HubProcess, **parts: str) -> EventHubProducerClient:
    text = hub.connection_string_with(**parts)
    return EventHubProducerClient.from_connection_string(text, retry_total=0)


def attached(hub: HubProcess, partition: str = "0") -> int:
    return len(hub.admin.facts().partitions[partition].receivers)


def body(one: EventData) -> bytes:
    return b"".join(pieces(one))


def pieces(one: EventData) -> list[bytes]:
    """The data sections; the SDK's declared type is wider than what it returns for data."""
    return [one.body] if isinstance(one.body, bytes) else [bytes(piece) for piece in cast("Iterable[bytes]", one.body)]


def test_a_published_event_comes_back_as_it_was_sent(hub: HubProcess) -> None:
    sent = EventData([b'{"n":', b"1}"])
    sent.properties = {"tail": "N14228", "legs": 3}
    sent.content_type, sent.message_id, sent.correlation_id = "application/json", "m-1", "c-1"
    with producer(hub) as client:
        batch = client.create_batch(partition_id="2")
        batch.add(sent)
        batch.add(EventData("plain"))
        client.send_batch(batch)
        client.send_event(sent, partition_id="2")
    with reading(hub, "2") as reader:
        reader.await_numbers([0, 1, 2])
        first, second, third = reader.events
        assert [body(one) for one in reader.events] == [b'{"n":1}', b"plain", b'{"n":1}']
        assert pieces(first) == pieces(third) == [b'{"n":', b"1}"]
        assert first.properties == third.properties == {b"tail": b"N14228", b"legs": 3}
        assert (first.content_type, first.message_id, first.correlation_id) == ("application/json", "m-1", "c-1")
        assert not second.properties
        offsets = [int(one.offset or 0) for one in reader.events]
        assert offsets == sorted(offsets)
        assert offsets[0] > 1_000_000
        assert reader.lag is not None
        assert (reader.lag["sequence_number"], reader.lag["offset"]) == (2, third.offset)


def test_a_partition_key_keeps_events_together_and_no_key_spreads_them(hub: HubProcess) -> None:
    with producer(hub) as client:
        for _ in range(3):
            client.send_event(EventData("keyed"), partition_key="N14228")
        keyed = {one.id: one.count for one in hub.admin.facts().partitions.values() if one.count}
        assert list(keyed.values()) == [3]
        (partition,) = keyed
        for _ in range(4):
            client.send_batch([EventData("spread")])
    assert sorted(one.count for one in hub.admin.facts().partitions.values()) == [1, 1, 1, 4]
    with reading(hub, partition) as reader:
        reader.await_numbers([0, 1, 2, 3])
        assert [one.partition_key for one in reader.events] == [b"N14228"] * 3 + [None]


def test_properties_describe_what_the_hub_holds(hub: HubProcess) -> None:
    hub.admin.seed("1", 10)
    hub.admin.trim("1", 4)
    with producer(hub) as client:
        facts = client.get_eventhub_properties()
        assert (facts["eventhub_name"], facts["partition_ids"]) == ("flights", ["0", "1", "2", "3"])
        assert facts["created_at"].timestamp() * 1000 == pytest.approx(hub.admin.facts().created_ms, abs=1)
        held = client.get_partition_properties("1")
        assert (held["beginning_sequence_number"], held["last_enqueued_sequence_number"]) == (4, 9)
        assert held["last_enqueued_offset"] == hub.admin.facts().partitions["1"].last_offset
        assert (held["is_empty"], client.get_partition_properties("0")["is_empty"]) == (False, True)
        # The SDK looks for the description under another name than the service's, and shows None.
        with pytest.raises(ConnectError, match="Status code: 400"):
            client.get_partition_properties("9")


def test_every_kind_of_position_is_honoured(hub: HubProcess) -> None:
    hub.admin.seed("0", 3)
    offset = hub.admin.facts().partitions["0"].last_offset
    hub.admin.seed("0", 3)
    hub.admin.trim("0", 1)
    everything = [1, 2, 3, 4, 5]
    with ExitStack() as stack:
        cases: list[tuple[list[int], dict[str, Any]]] = [
            (everything, {"start": 0}),  # older than the oldest retained
            ([3, 4, 5], {"start": 3, "starting_position_inclusive": True}),
            ([3, 4, 5], {"start": offset}),
            ([6], {"start": "@latest"}),
        ]
        readers = [(expected, stack.enter_context(reading(hub, **how))) for expected, how in cases]
        eventually(lambda: attached(hub) == len(cases), "all receivers")
        hub.admin.append("0", [b"{}"])
        for expected, reader in readers:
            reader.await_numbers(expected if expected == [6] else [*expected, 6])


@pytest.mark.parametrize("start", [3, "99999999999"])
def test_a_position_beyond_the_end_is_refused(hub: HubProcess, start: object) -> None:
    hub.admin.seed("0", 3)
    with reading(hub, start=start) as reader:
        error = reader.await_error()
    assert isinstance(error, ConnectError)
    what, last = ("sequence number", "2") if start == 3 else ("offset", hub.admin.facts().partitions["0"].last_offset)
    assert f"The supplied {what} '{start}' is invalid. The last {what} in the system is '{last}'" in str(error)


def test_epochs_decide_who_reads(hub: HubProcess) -> None:
    hub.admin.seed("0", 1)
    with reading(hub, owner_level=5) as first:
        first.await_numbers([0])
        with reading(hub, owner_level=4) as lower, reading(hub) as without:
            assert "Receiver 'nil' with a higher epoch '5' already exists" in str(lower.await_error())
            assert "non-epoch receiver is not allowed" in str(without.await_error())
        assert [one.epoch for one in hub.admin.facts().partitions["0"].receivers] == [5]
        with reading(hub, owner_level=5) as equal:
            error = first.await_error()
            equal.await_numbers([0])
            assert isinstance(error, ConnectionLostError)
            assert "amqp:link:stolen" in str(error).lower() or "LinkStolen" in str(error)
            assert "getting disconnected" in str(error)


def test_a_wrong_key_proves_nothing(hub: HubProcess) -> None:
    wrong = hub.connection_string_with(key=new_key())
    with reading(hub, connection_string=wrong) as reader:
        error = reader.await_error()
    assert isinstance(error, AuthenticationError)
    assert "InvalidSignature: The token has an invalid signature." in str(error)
    assert "401" in str(error)
    with producer(hub, key_name="stranger") as client, pytest.raises(AuthenticationError, match="InvalidSignature"):
        client.send_event(EventData("x"))


def test_what_does_not_exist_is_named(hub: HubProcess) -> None:
    elsewhere = hub.connection_string_with(hub="trains")
    with (
        reading(hub, group="nobody") as group,
        reading(hub, connection_string=elsewhere) as other,
    ):
        assert "/flights/ConsumerGroups/nobody' could not be found" in str(group.await_error())
        assert "Status code: 404" in str(other.await_error())


def test_a_message_beyond_a_megabyte_is_refused(hub: HubProcess) -> None:
    with producer(hub) as client:
        client.send_event(EventData(b"x" * 1_000_000), partition_id="0")
        with pytest.raises(EventHubError, match="exceeds the limit"):
            client.send_event(EventData(b"x" * 1_100_000), partition_id="0")
    with reading(hub) as reader:
        reader.await_numbers([0])
        assert body(reader.events[0]) == b"x" * 1_000_000


def test_many_events_arrive_in_order(hub: HubProcess) -> None:
    hub.admin.seed("0", 10_000, body_bytes=250, first_n=7)
    with reading(hub, prefetch=3000, max_batch_size=1000) as reader:
        reader.await_numbers(list(range(10_000)))
        first = reader.events[0].body_as_json()
        assert (first["partition"], first["n"], len(body(reader.events[0]))) == ("0", 7, 250)


def test_the_server_ends_on_request_and_keeps_its_key_to_itself() -> None:
    process = HubProcess()
    process.start()
    one = psutil.Process(process.pid)
    assert process.settings.key not in " ".join(one.cmdline())
    assert process.settings.key not in repr(process.settings)
    assert process.stop() == 0
    assert not psutil.pid_exists(one.pid)


def test_the_server_ends_with_its_parent_even_a_killed_one() -> None:
    script = (
        "from scripts.localcloud.hub.process import *; h = HubProcess(); h.start(); print(h.pid, flush=True); input()"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stdin=subprocess.PIPE)
    assert parent.stdout is not None
    server = int(parent.stdout.readline())
    parent.kill()
    parent.communicate()
    eventually(lambda: not psutil.pid_exists(server), "the end of the server")


def test_more_events_than_one_command_makes_are_numbered_without_a_gap(hub: HubProcess) -> None:
    facts = hub.admin.seed("1", SEED_STEP + 1, body_bytes=40).partitions["1"]
    assert (facts.count, facts.last_sequence_number) == (SEED_STEP + 1, SEED_STEP)
