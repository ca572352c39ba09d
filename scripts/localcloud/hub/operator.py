"""The operator: carries out the commands of the admin port."""

import asyncio
import json
from collections.abc import Callable

from scripts.localcloud.hub import commands
from scripts.localcloud.hub.access.gate import Gate, disabled
from scripts.localcloud.hub.entity import event
from scripts.localcloud.hub.entity.faults import FaultName, Faults
from scripts.localcloud.hub.entity.hub import LARGEST_MESSAGE, Hub
from scripts.localcloud.hub.listener import Listener
from scripts.localcloud.hub.nodes.feed import EventFeed
from scripts.localcloud.hub.wire.performatives import Fault

# Events appended between two turns of the event loop, so that a large seed does not starve the connections.
_SEED_CHUNK = 5000
_STOLEN = "amqp:link:stolen"


class Operator:
    """Changes the hub on request and reports its facts."""

    def __init__(self, hub: Hub, listener: Listener) -> None:
        self._hub = hub
        self._listener = listener

    async def carry_out(self, command: commands.AnyCommand) -> commands.HubFacts:
        """Do it and return what the hub looks like then. Raises KeyError for a partition that does not exist."""
        match command:
            case commands.Seed():
                await self._seed(command)
            case commands.Hang(on=on):
                self._hang(on=on)
            case commands.Outage(on=on):
                self._outage(on=on)
            case commands.Heal():
                self._heal()
            case commands.Append() | commands.Skip() | commands.Trim() | commands.FailOver():
                self._change_log(command)
            case commands.Grow(partitions=count):
                self._hub.grow(count)
            case commands.Recreate(partitions=count):
                self._recreate(count)
            case commands.Drop() | commands.Close() | commands.Detach() | commands.Rewind() | commands.Mute():
                self._disturb(command)
            case commands.ExpireTokens():
                self._expire_tokens()
            case commands.Delay() | commands.Throttle() | commands.RefuseTokens() | commands.Abort():
                self._arm(command)
            case commands.Silence(partition=partition):
                self._hub.faults.silent.add(self._hub.partitions[partition].id)
            case commands.Latency(seconds=seconds):
                self._hub.faults.latency_s = seconds
            case commands.SmallFrames(bytes=size):
                self._hub.faults.frame_bytes = size or Faults.frame_bytes
            case commands.TakeMessagesOf(bytes=size):
                self._hub.largest_message = size
            case commands.SetGate():
                self._set_gate(Gate(tuple(command.claims), command.firewall, command.keys, command.active))
            case commands.Look():
                pass
        return self.facts()

    def facts(self) -> commands.HubFacts:
        """Return what can be seen."""
        hub = self._hub
        return commands.HubFacts(
            name=hub.name,
            created_ms=hub.created_ms,
            connections=len(self._listener.connections),
            opened=[one.opening for one in self._listener.connections if one.opening is not None],
            partitions={partition_id: self._partition_facts(partition_id) for partition_id in hub.partitions},
            fired={name.value: hub.faults.fired[name] for name in FaultName},
            asked_s=list(hub.asked_s),
        )

    def _partition_facts(self, partition_id: str) -> commands.PartitionFacts:
        one = self._hub.partitions[partition_id]
        return commands.PartitionFacts(
            id=one.id,
            begin_sequence_number=one.begin_sequence_number,
            last_sequence_number=one.last_sequence_number,
            last_offset=one.last_offset,
            count=one.retained,
            receivers=[_receiver_facts(feed) for feed in self._listener.receivers if feed.partition is one],
        )

    def _change_log(self, command: commands.Append | commands.Skip | commands.Trim | commands.FailOver) -> None:
        match command:
            case commands.Append():
                self._append(command)
            case commands.Skip():
                self._hub.partitions[command.partition].skip(command.events)
                self._fire(FaultName.SKIP)
            case commands.Trim():
                self._hub.partitions[command.partition].trim(command.events)
                self._fire(FaultName.TRIM)
            case commands.FailOver():
                self._hub.partitions[command.partition].fail_over(command.lost)
                self._abort_all()
                self._fire(FaultName.FAIL_OVER)

    def _disturb(
        self, command: commands.Drop | commands.Close | commands.Detach | commands.Rewind | commands.Mute
    ) -> None:
        match command:
            case commands.Drop():
                self._fire(FaultName.DROP, self._abort_all())
            case commands.Close():
                self._close_all(Fault(command.condition, command.description))
            case commands.Detach():
                self._detach(command)
            case commands.Rewind():
                self._rewind(command)
            case commands.Mute():
                self._mute(command)

    def _arm(self, command: commands.Delay | commands.Throttle | commands.RefuseTokens | commands.Abort) -> None:
        faults = self._hub.faults
        match command:
            case commands.Delay(seconds=seconds):
                faults.delay_s = seconds
            case commands.Throttle(attaches=attaches):
                faults.throttled_attaches = attaches
            case commands.RefuseTokens(count=count):
                faults.refused_tokens = count
            case commands.Abort(partition=partition, deliveries=deliveries):
                faults.aborts[self._hub.partitions[partition].id] = deliveries

    def _append(self, command: commands.Append) -> None:
        made = [event.data(body, command.content_type, command.partition_key) for body in command.bodies]
        self._hub.append(command.partition, made, numbered=command.numbered)
        if not command.numbered:
            self._fire(FaultName.UNNUMBERED, len(made))

    async def _seed(self, command: commands.Seed) -> None:
        self._hub.partitions[command.partition]
        make = _body_maker(command.partition, command.body_bytes)
        end = command.first_n + command.count
        for start in range(command.first_n, end, _SEED_CHUNK):
            numbers = range(start, min(start + _SEED_CHUNK, end))
            made = (
                event.data(make(n), partition_key=command.partition_key, properties=command.properties) for n in numbers
            )
            self._hub.append(command.partition, made)
            await asyncio.sleep(0)

    def _detach(self, command: commands.Detach) -> None:
        name = FaultName.STEAL if command.condition == _STOLEN else FaultName.DETACH
        for feed in self._feeds_of(command):
            feed.detach(Fault(command.condition, command.description))
            self._fire(name)

    def _mute(self, command: commands.Mute) -> None:
        for feed in self._feeds_of(command):
            feed.mute = True
            self._fire(FaultName.MUTE)

    def _feeds_of(self, command: commands.Detach | commands.Mute) -> list[EventFeed]:
        group = None if command.group is None else command.group.lower()
        partition = self._hub.partitions[command.partition]
        present = self._listener.receivers
        return [feed for feed in present if feed.partition is partition and group in {None, feed.group}]

    def _rewind(self, command: commands.Rewind) -> None:
        self._hub.partitions[command.partition]
        if command.on_attach:
            self._hub.faults.rewinds[command.partition] = command.events
            return
        for feed in self._listener.receivers:
            if feed.partition.id == command.partition:
                feed.rewind(command.events)
                self._fire(FaultName.REDELIVER)

    def _recreate(self, count: int | None) -> None:
        hub = self._hub
        hub.recreate(count)
        self._fire(FaultName.RECREATE)
        self._detach_all(Fault("amqp:not-found", hub.not_found(f"sb://{hub.host}/{hub.name}")))

    def _expire_tokens(self) -> None:
        for connection in tuple(self._listener.connections):
            self._fire(FaultName.EXPIRE_TOKENS, len(connection.claims))
            connection.expire(everything=True)

    def _set_gate(self, gate: Gate) -> None:
        hub = self._hub
        hub.gate = gate
        self._fire(FaultName.GATE)
        if not gate.active:
            self._detach_all(disabled(f"sb://{hub.host}/{hub.name}"))

    def _detach_all(self, fault: Fault) -> None:
        for link in [link for one in self._listener.connections for link in one.links() if link.path is not None]:
            link.detach(fault)

    def _hang(self, *, on: bool) -> None:
        faults = self._hub.faults
        thawed, faults.hung = faults.hung and not on, on
        if thawed:
            for connection in tuple(self._listener.connections):
                connection.thaw()

    def _outage(self, *, on: bool) -> None:
        if on and self._listener.is_open:
            self._listener.shut()
            self._abort_all()
            self._fire(FaultName.OUTAGE)
        elif not on and not self._listener.is_open:
            self._listener.open()

    def _heal(self) -> None:
        faults = self._hub.faults
        faults.delay_s, faults.throttled_attaches, faults.refused_tokens = 0.0, 0, 0
        faults.latency_s, faults.frame_bytes = 0.0, Faults.frame_bytes
        faults.rewinds.clear()
        faults.aborts.clear()
        faults.silent.clear()
        self._hub.gate = Gate()
        self._hub.largest_message = LARGEST_MESSAGE
        for feed in self._listener.receivers:
            feed.mute = False
            feed.wake()
        self._hang(on=False)
        self._outage(on=False)

    def _abort_all(self) -> int:
        connections = tuple(self._listener.connections)
        for connection in connections:
            connection.abort()
        return len(connections)

    def _close_all(self, fault: Fault) -> None:
        for connection in tuple(self._listener.connections):
            connection.close(fault)
            self._fire(FaultName.CLOSE)

    def _fire(self, name: FaultName, times: int = 1) -> None:
        self._hub.faults.fired[name] += times


def _receiver_facts(feed: EventFeed) -> commands.ReceiverFacts:
    return commands.ReceiverFacts(feed.name, feed.group, feed.epoch, feed.sent, feed.credit, feed.cursor, feed.metrics)


def _body_maker(partition: str, body_bytes: int) -> Callable[[int], bytes]:
    """Return what makes the body of event `n`: JSON of exactly `body_bytes`, or as short as it can be."""
    head = f'{{"partition":{json.dumps(partition)},"n":'.encode()
    middle, tail = b',"pad":"', b'"}'
    fixed = len(head) + len(middle) + len(tail)

    def make(n: int) -> bytes:
        number = b"%d" % n
        return head + number + middle + b"x" * (body_bytes - fixed - len(number)) + tail

    return make
