"""The local Event Hubs on the wire: what the SDK does not show."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import psutil
import pytest
from azure.eventhub._pyamqp import performatives as sdk
from azure.eventhub._pyamqp._decode import decode_frame

from scripts.localcloud.hub.probe import Probe
from scripts.localcloud.hub.process import HubProcess, HubSettings
from scripts.localcloud.hub.wire.performatives import WIDTHS, Code

EVENTS = "amqps://local/flights/ConsumerGroups/$Default/Partitions/0"
IDLE_MS = 1500
# Below what one core does (over a million), above what any client takes (a worker 150,000, the SDK's 12,000).
EVENTS_A_CORE_S = 200_000


@pytest.fixture(scope="module")
def shared_hub() -> Iterator[HubProcess]:
    with HubProcess() as process:
        yield process


@pytest.fixture
def hub(shared_hub: HubProcess) -> HubProcess:
    shared_hub.admin.recreate()
    return shared_hub


def ready(hub: HubProcess, stack: ExitStack, **limits: int) -> Probe:
    probe = stack.enter_context(Probe(hub.port))
    probe.open(**limits)
    assert probe.authorize(hub.settings.hub, hub.settings.key_name, hub.settings.key) == 202
    return probe


def test_every_performative_has_its_full_width_in_the_eyes_of_the_sdk(hub: HubProcess) -> None:
    hub.admin.append("0", [b"small", b"x" * 3000])
    with ExitStack() as stack:
        probe = ready(hub, stack, max_frame_bytes=1024)
        probe.attach(1, EVENTS, receive=True, epoch=2)
        probe.flow(1, 2)
        probe.expect(Code.TRANSFER)
        probe.attach(2, EVENTS, receive=True, epoch=1)
        probe.expect(Code.DETACH)
        probe.detach(1)
        probe.expect(Code.DETACH)
        probe.end()
        probe.expect(Code.END)
        probe.close()
        probe.expect(Code.CLOSE)
        seen = [decode_frame(memoryview(body)) for body in probe.seen]
    amqp = [(code, fields) for code, fields in seen if code in {one.value for one in WIDTHS}]
    assert {code for code, _ in amqp} == {one.value for one in WIDTHS}
    for code, fields in amqp:
        assert len(fields) - (code == Code.TRANSFER) == WIDTHS[Code(code)], Code(code)


def test_the_widths_are_those_that_the_sdk_indexes() -> None:
    frames: dict[Code, Any] = {
        Code.OPEN: sdk.OpenFrame,
        Code.BEGIN: sdk.BeginFrame,
        Code.ATTACH: sdk.AttachFrame,
        Code.FLOW: sdk.FlowFrame,
        Code.DISPOSITION: sdk.DispositionFrame,
        Code.DETACH: sdk.DetachFrame,
        Code.END: sdk.EndFrame,
        Code.CLOSE: sdk.CloseFrame,
        Code.SASL_OUTCOME: sdk.SASLOutcome,
    }
    assert {code: len(frame._fields) for code, frame in frames.items()} == {code: WIDTHS[code] for code in frames}
    assert len(sdk.TransferFrame._fields) - 1 == WIDTHS[Code.TRANSFER]


def test_credit_is_honoured_and_a_drain_uses_it_up(hub: HubProcess) -> None:
    hub.admin.seed("0", 5)
    with ExitStack() as stack:
        probe = ready(hub, stack)
        probe.attach(1, EVENTS, receive=True)
        probe.flow(1, 3)
        for _ in range(3):
            probe.expect(Code.TRANSFER)
        (receiver,) = hub.admin.facts().partitions["0"].receivers
        assert (receiver.sent, receiver.credit) == (3, 0)
        probe.flow(1, 10, 3, drain=True)
        assert [probe.expect(Code.TRANSFER).fields.number(1) for _ in range(2)] == [4, 5]
        drained = probe.expect(Code.FLOW).fields
        assert (drained.number(5), drained.number(6)) == (13, 0)


def test_a_large_event_comes_in_frames_that_the_client_takes(hub: HubProcess) -> None:
    hub.admin.append("0", [b"x" * 5000])
    with ExitStack() as stack:
        probe = ready(hub, stack, max_frame_bytes=1024)
        probe.attach(1, EVENTS, receive=True)
        probe.flow(1, 1)
        frames = [probe.expect(Code.TRANSFER)]
        while frames[-1].fields.flag(5):
            frames.append(probe.expect(Code.TRANSFER))
        assert len(frames) == 6
        assert b"".join(one.payload for one in frames).endswith(b"x" * 5000)


def test_a_window_that_is_smaller_than_an_event_is_honoured(hub: HubProcess) -> None:
    """AMQP 1.0, 2.5.6: no transfer is sent beyond the incoming window of the peer's session."""
    hub.admin.append("0", [b"x" * 5000])
    with ExitStack() as stack:
        probe = ready(hub, stack, max_frame_bytes=1024, window=4)
        probe.attach(1, EVENTS, receive=True)
        probe.flow(1, 1, window=(1, 4))  # the answer to the token was the first transfer
        frames = [probe.expect(Code.TRANSFER) for _ in range(4)]
        seen = len(probe.seen)
        probe.attach(2, EVENTS, receive=True)
        assert len(probe.seen) == seen + 1  # the attach, and no transfer before it
        probe.flow(1, 1, window=(5, 4))
        frames += [probe.expect(Code.TRANSFER) for _ in range(2)]
        assert [one.fields.flag(5) for one in frames] == [True] * 5 + [False]
        assert b"".join(one.payload for one in frames).endswith(b"x" * 5000)


@pytest.mark.parametrize("size", [100, 5000])
def test_an_aborted_delivery_is_marked_uses_a_credit_and_comes_again_as_another_one(hub: HubProcess, size: int) -> None:
    hub.admin.append("0", [b"x" * size])
    hub.admin.abort_deliveries("0", 1)
    with ExitStack() as stack:
        probe = ready(hub, stack, max_frame_bytes=1024)
        probe.attach(1, EVENTS, receive=True)
        probe.flow(1, 2)
        aborted = [probe.expect(Code.TRANSFER)]
        while not aborted[-1].fields.flag(9):
            aborted.append(probe.expect(Code.TRANSFER))
        whole = [probe.expect(Code.TRANSFER)]
        while whole[-1].fields.flag(5):
            whole.append(probe.expect(Code.TRANSFER))
        assert aborted[-1].payload == b""
        assert all(one.fields.flag(5) for one in aborted[:-1])
        assert whole[0].fields.number(1) == aborted[0].fields.number(1) + 1
        assert b"".join(one.payload for one in whole).endswith(b"x" * size)
        (receiver,) = hub.admin.facts().partitions["0"].receivers
        assert (receiver.sent, receiver.credit) == (1, 0)


def test_a_publisher_that_aborts_a_message_has_sent_nothing(hub: HubProcess) -> None:
    with ExitStack() as stack:
        probe = ready(hub, stack)
        probe.attach(1, "amqps://local/flights/Partitions/0", receive=False)
        probe.transfer(1, b"half of ", more=True)
        probe.transfer(1, b"ignored", aborted=True)
        probe.transfer(1, b"\x00\x53\x75\xa0\x05whole")
        probe.expect(Code.DISPOSITION)
        assert hub.admin.facts().partitions["0"].count == 1
        probe.attach(2, EVENTS, receive=True)
        probe.flow(2, 1)
        assert probe.expect(Code.TRANSFER).payload.endswith(b"whole")


def test_a_mute_link_sends_heartbeats_alone_and_answers_no_drain(hub: HubProcess) -> None:
    hub.admin.seed("0", 1)
    with ExitStack() as stack:
        probe = ready(hub, stack, idle_ms=200)
        probe.attach(1, EVENTS, receive=True)
        hub.admin.mute("0")
        for _ in range(4):
            probe.flow(1, 5, drain=True)
            assert probe.receive() is None
        hub.admin.heal()
        probe.expect(Code.TRANSFER)


def test_five_receivers_without_an_epoch_are_enough_and_an_epoch_sends_them_away(hub: HubProcess) -> None:
    with ExitStack() as stack:
        probe = ready(hub, stack)
        for handle in range(1, 7):
            probe.attach(handle, EVENTS, receive=True)
        assert "amqp:resource-limit-exceeded" in probe.expect(Code.DETACH).fields.nested(2).text(0)
        probe.attach(8, EVENTS, receive=True, epoch=0)
        assert [one.epoch for one in hub.admin.facts().partitions["0"].receivers] == [0]
        stolen = [body for body in probe.seen if b"amqp:link:stolen" in body]
        assert len(stolen) == 5


def test_a_link_needs_a_token(hub: HubProcess) -> None:
    with Probe(hub.port) as probe:
        probe.open()
        assert probe.attach(1, EVENTS, receive=True).fields.value(5) is None
        refusal = probe.expect(Code.DETACH).fields.nested(2)
        assert refusal.text(0) == "amqp:unauthorized-access"
        assert "'Listen' claim(s) are required" in refusal.text(1)
        assert probe.authorize("flights", "local", "wrong") == 401


def test_a_partition_that_does_not_exist_is_named(hub: HubProcess) -> None:
    with ExitStack() as stack:
        probe = ready(hub, stack)
        assert probe.attach(1, "amqps://local/flights/Partitions/9", receive=False).fields.value(6) is None
        refusal = probe.expect(Code.DETACH).fields.nested(2)
        assert refusal.text(0) == "com.microsoft:argument-out-of-range"
        assert "The specified partition is invalid" in refusal.text(1)


def test_heartbeats_go_both_ways() -> None:
    with HubProcess(HubSettings(idle_timeout_ms=IDLE_MS)) as impatient, Probe(impatient.port) as probe:
        probe.open(idle_ms=200)
        assert probe.receive() is None
        farewell = probe.expect(Code.CLOSE).fields.nested(0)
        assert farewell.text(0) == "amqp:connection:forced"
        assert f"inactive for more than the allowed {IDLE_MS} milliseconds" in farewell.text(1)
        with pytest.raises(ConnectionError):
            probe.receive()


def test_the_feed_is_faster_than_any_client(hub: HubProcess) -> None:
    events = 100_000
    hub.admin.seed("0", events, body_bytes=250)
    server = psutil.Process(hub.pid)
    with ExitStack() as stack:
        probe = ready(hub, stack)
        probe.attach(1, EVENTS, receive=True)
        before = sum(server.cpu_times()[:2])
        probe.drain_events(1, events, 3000)
        assert sum(server.cpu_times()[:2]) - before < events / EVENTS_A_CORE_S
