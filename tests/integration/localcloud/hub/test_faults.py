"""Every fault of the local Event Hubs: it happens, it is counted, and the real SDK reacts to it."""

import time

import pytest
from azure.eventhub import EventData
from azure.eventhub.exceptions import ConnectError, ConnectionLostError, EventHubError

from scripts.localcloud.hub.admin import AdminError
from scripts.localcloud.hub.entity.hub import LARGE_MESSAGE
from scripts.localcloud.hub.process import HubProcess
from tests.integration.localcloud.hub.test_sdk import (
    SOON_S,
    attached,
    eventually,
    hub,
    producer,
    reading,
    shared_hub,
)

__all__ = ["hub", "shared_hub"]  # Fixtures.

pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

# With its default of retries the SDK comes back by itself.
RETRIES = 3


def test_a_dropped_connection_or_link_costs_no_event(hub: HubProcess) -> None:
    hub.admin.seed("0", 3)
    before = hub.admin.facts().fired
    with reading(hub, retry_total=RETRIES) as reader:
        reader.await_numbers([0, 1, 2])
        hub.admin.drop_connections()
        hub.admin.seed("0", 2)
        reader.await_numbers([0, 1, 2, 3, 4])
        hub.admin.detach_receivers("0", group="$default")
        hub.admin.seed("0", 1)
        reader.await_numbers([0, 1, 2, 3, 4, 5])
    fired = hub.admin.facts().fired
    assert fired["drop"] > before["drop"]
    assert fired["detach"] == before["detach"] + 1


def test_a_stolen_link_ends_with_its_reason_and_is_not_retried(hub: HubProcess) -> None:
    before = hub.admin.fired("steal")
    with reading(hub, retry_total=RETRIES) as reader:
        eventually(lambda: attached(hub), "the receiver")
        hub.admin.steal_receivers("0")
        error = reader.await_error()
    assert isinstance(error, ConnectionLostError)
    assert "amqp:link:stolen" in str(error)
    assert hub.admin.fired("steal") == before + 1


def test_events_are_delivered_again_in_the_link_and_after_an_attach(hub: HubProcess) -> None:
    hub.admin.seed("0", 4)
    before = hub.admin.fired("redeliver")
    with reading(hub, retry_total=RETRIES) as reader:
        reader.await_numbers([0, 1, 2, 3])
        hub.admin.redeliver_now("0", 2)
        reader.await_numbers([0, 1, 2, 3, 2, 3])
        hub.admin.redeliver_on_attach("0", 3)
        assert hub.admin.fired("redeliver") == before + 1
        hub.admin.detach_receivers("0")
        reader.await_numbers([0, 1, 2, 3, 2, 3, 1, 2, 3])
    assert hub.admin.fired("redeliver") == before + 2


def test_sequence_numbers_can_be_skipped_left_out_and_trimmed(hub: HubProcess) -> None:
    before = hub.admin.facts().fired
    hub.admin.seed("0", 4)
    hub.admin.trim("0", 2)
    hub.admin.skip("0", 10)
    hub.admin.append("0", [b"{}"], content_type="application/json", partition_key="k")
    hub.admin.append_unnumbered("0", [b"\xff"])
    with reading(hub) as reader:
        eventually(lambda: len(reader.events) == 4, "four events")
        assert reader.numbers == [2, 3, 14, None]
        assert (reader.events[2].content_type, reader.events[2].partition_key) == ("application/json", b"k")
    facts = hub.admin.facts()
    assert {name for name in facts.fired if facts.fired[name] > before[name]} == {"skip", "trim", "unnumbered"}
    assert (facts.partitions["0"].begin_sequence_number, facts.partitions["0"].last_sequence_number) == (2, 15)


def test_a_recreated_hub_is_empty_younger_and_knows_no_old_position(hub: HubProcess) -> None:
    hub.admin.seed("0", 3)
    created = hub.admin.facts().created_ms
    with reading(hub) as reader:
        reader.await_numbers([0, 1, 2])
        after = hub.admin.recreate()
        eventually(lambda: reader.errors, "the end of the old link")
        assert "could not be found" in str(reader.errors[0])
    assert after.created_ms > created
    assert (after.partitions["0"].count, after.partitions["0"].last_sequence_number) == (0, -1)
    with reading(hub, start=2) as old:
        assert "The last sequence number in the system is '-1'" in str(old.await_error())


def test_events_are_held_back_by_a_delay(hub: HubProcess) -> None:
    before = hub.admin.fired("delay")
    with reading(hub) as reader:
        eventually(lambda: attached(hub), "the receiver")
        hub.admin.delay(0.4)
        started = time.monotonic()
        hub.admin.seed("0", 1)
        reader.await_numbers([0])
        assert time.monotonic() - started >= 0.4
    assert hub.admin.fired("delay") > before


def test_a_busy_server_refuses_the_attach_until_it_is_not(hub: HubProcess) -> None:
    hub.admin.seed("0", 1)
    before = hub.admin.fired("throttle")
    hub.admin.throttle(1)
    with reading(hub, again_s=SOON_S) as reader:
        error = reader.await_error()
        assert isinstance(error, ConnectError)
        assert "com.microsoft:server-busy" in str(error)
        eventually(lambda: reader.numbers == [0], "the event, although the server was busy")
    assert hub.admin.fired("throttle") == before + 1


def test_a_hang_lets_nothing_through_until_it_is_released(hub: HubProcess) -> None:
    before = hub.admin.fired("hang")
    with reading(hub) as reader:
        eventually(lambda: attached(hub), "the receiver")
        hub.admin.hang()
        hub.admin.seed("0", 2)
        with reading(hub, "1"):
            eventually(lambda: hub.admin.fired("hang") > before, "input left unread")
            assert (reader.numbers, reader.errors, attached(hub, "1")) == ([], [], 0)
            hub.admin.release_hang()
            reader.await_numbers([0, 1])
            eventually(lambda: attached(hub, "1"), "the second receiver")


def test_an_outage_refuses_clients_until_it_ends(hub: HubProcess) -> None:
    before = hub.admin.fired("outage")
    with reading(hub, again_s=SOON_S) as reader:
        eventually(lambda: attached(hub), "the receiver")
        hub.admin.begin_outage()
        assert hub.admin.facts().connections == 0
        with producer(hub) as client, pytest.raises(ConnectError, match="refused"):
            client.send_event(EventData("x"), partition_id="0")
        hub.admin.end_outage()
        hub.admin.seed("0", 1)
        eventually(lambda: reader.numbers == [0], "the event after the outage")
    assert hub.admin.fired("outage") == before + 1


def test_tokens_run_out_and_are_refused(hub: HubProcess) -> None:
    before = hub.admin.facts().fired
    with reading(hub, again_s=SOON_S) as reader:
        eventually(lambda: attached(hub), "the receiver")
        hub.admin.refuse_tokens(1)
        hub.admin.expire_tokens()
        eventually(lambda: len(reader.errors) > 1, "the expiry, then the refusal")
        assert "ExpiredToken: The token is expired" in str(reader.errors[0])
        assert "InvalidSignature" in str(reader.errors[1])
        hub.admin.seed("0", 1)
        eventually(lambda: reader.numbers == [0], "the event, with a new token")
    fired = hub.admin.facts().fired
    assert fired["expire_tokens"] > before["expire_tokens"]
    assert fired["refuse_tokens"] == before["refuse_tokens"] + 1


def test_everything_comes_later_over_a_long_line(hub: HubProcess) -> None:
    hub.admin.seed("0", 1)
    hub.admin.slow_down(0.2)
    with reading(hub) as reader, producer(hub) as client:
        reader.await_numbers([0])
        started = time.monotonic()
        client.get_partition_properties("0")  # a connection and a link are opened, each with round trips of its own
        assert time.monotonic() - started >= 0.8
        started = time.monotonic()
        hub.admin.seed("0", 1)
        reader.await_numbers([0, 1])
        assert time.monotonic() - started >= 0.2
    assert hub.admin.fired("latency")


def test_events_in_small_frames_arrive_whole(hub: HubProcess) -> None:
    before = hub.admin.fired("small_frames")
    hub.admin.send_small_frames(512)
    hub.admin.seed("0", 3, body_bytes=5_000)
    with reading(hub) as reader:
        reader.await_numbers([0, 1, 2])
        assert [len(event.body_as_str()) for event in reader.events] == [5_000] * 3
    assert hub.admin.fired("small_frames") == before + 3


def test_no_peer_can_be_made_to_take_frames_below_512_bytes(hub: HubProcess) -> None:
    with pytest.raises(AdminError, match="512"):
        hub.admin.send_small_frames(511)


def test_an_aborted_delivery_is_followed_by_the_whole_event(hub: HubProcess) -> None:
    """What the SDK does with the half that came before is not stated here: it does not look at `aborted`."""
    before = hub.admin.fired("abort")
    hub.admin.seed("0", 3, body_bytes=100_000)
    hub.admin.abort_deliveries("0", 1)
    with reading(hub) as reader:
        eventually(lambda: reader.numbers[-3:] == [0, 1, 2], "the events")
        assert [len(event.body_as_str()) for event in reader.events][-3:] == [100_000] * 3
    assert hub.admin.fired("abort") == before + 1


def test_a_mute_link_lives_and_delivers_nothing_and_a_new_one_delivers_everything(hub: HubProcess) -> None:
    before = hub.admin.fired("mute")
    hub.admin.seed("0", 1)
    with reading(hub) as reader:
        reader.await_numbers([0])
        hub.admin.mute("0")
        hub.admin.seed("0", 2)
        with reading(hub) as other:
            other.await_numbers([0, 1, 2])
        assert (reader.numbers, reader.errors) == ([0], [])
        assert attached(hub) >= 1
        hub.admin.heal()
        reader.await_numbers([0, 1, 2])
    assert hub.admin.fired("mute") == before + 1


def test_a_dedicated_cluster_takes_what_others_reject_on_links_that_come_later(hub: HubProcess) -> None:
    """That clients have to restart is what the vendor says: see `LARGE_MESSAGE`."""
    large = EventData(b"x" * 20_000_000)
    with producer(hub) as early, reading(hub) as reader:
        early.send_event(EventData("small"), partition_id="0")
        hub.admin.take_messages_of(LARGE_MESSAGE)
        with pytest.raises(EventHubError, match=r"exceeds the limit \(1048576 bytes\)"):
            early.send_event(large, partition_id="0")
        with producer(hub) as late:
            late.send_event(large, partition_id="0")
        assert "exceeds the limit (1048576 bytes)" in str(reader.await_error())  # of what the SDK's consumer takes
    assert (reader.numbers, hub.admin.facts().partitions["0"].count) == ([0], 2)


def test_a_command_for_a_partition_that_does_not_exist_is_refused(hub: HubProcess) -> None:
    with pytest.raises(AdminError, match="no partition '9'"):
        hub.admin.seed("9", 1)
