"""The client of the admin port: how tests, benchmarks and the chaos run control a local hub."""

import http.client
from collections.abc import Mapping, Sequence
from http import HTTPStatus

import msgspec

from scripts.localcloud.hub import commands
from scripts.localcloud.hub.access.gate import EVERYTHING
from scripts.localcloud.place import LOOPBACK

SEED_STEP = 20_000  # events of one command; a core makes them in a third of a second


class AdminError(RuntimeError):
    """A command that the hub refused; the text says why."""


class HubAdmin:
    """Controls one hub. Every method blocks until the hub has done it and returns the facts that hold then.

    Raises AdminError for a command that makes no sense, OSError when the process has exited.
    """

    def __init__(self, port: int, host: str = LOOPBACK, timeout_s: float = 60.0) -> None:
        self._host = host
        self._port = port
        self._timeout_s = timeout_s

    def facts(self) -> commands.HubFacts:
        """Return partitions, receivers, connections and fault counts."""
        return self._do(commands.Look())

    def fired(self, fault: str) -> int:
        """Return how often each fault acted; the names are the values of `faults.FaultName`."""
        return self.facts().fired[fault]

    def append(
        self,
        partition: str,
        bodies: Sequence[bytes],
        *,
        content_type: str = "",
        partition_key: str | None = None,
    ) -> commands.HubFacts:
        """Append events with bodies of any bytes, valid JSON or not."""
        return self._do(commands.Append(partition, list(bodies), content_type, partition_key))

    def append_unnumbered(self, partition: str, bodies: Sequence[bytes]) -> commands.HubFacts:
        """Append events that receivers get without x-opt-sequence-number (counted as `unnumbered`)."""
        return self._do(commands.Append(partition, list(bodies), numbered=False))

    def seed(
        self,
        partition: str,
        count: int,
        *,
        body_bytes: int = 250,
        first_n: int = 0,
        partition_key: str | None = None,
        properties: Mapping[str, str] | None = None,
    ) -> commands.HubFacts:
        """Append `count` JSON bodies made by the server: `partition`, `n` rising from `first_n`, padding."""
        facts, end = None, first_n + count
        # Each command is answered long before it times out, however many events there are and however busy the machine.
        for start in range(first_n, end, SEED_STEP):
            step = min(SEED_STEP, end - start)
            facts = self._do(commands.Seed(partition, step, body_bytes, start, partition_key, dict(properties or {})))
        return facts or self.facts()

    def drop_connections(self) -> commands.HubFacts:
        """Reset every connection (counted as `drop`, once a connection)."""
        return self._do(commands.Drop())

    def close_connections(
        self,
        condition: str = "amqp:connection:forced",
        description: str = "The connection was closed by an operator.",
    ) -> commands.HubFacts:
        """Close every connection with a reason, as a service that restarts (counted as `close`, once a connection)."""
        return self._do(commands.Close(condition, description))

    def detach_receivers(
        self,
        partition: str,
        *,
        condition: str = "amqp:link:detach-forced",
        description: str = "The link was detached by an operator.",
        group: str | None = None,
    ) -> commands.HubFacts:
        """Detach the receivers of a partition (counted as `detach`, once a receiver)."""
        return self._do(commands.Detach(partition, condition, description, group))

    def steal_receivers(self, partition: str, *, group: str | None = None) -> commands.HubFacts:
        """Detach the receivers as if another owner had attached (counted as `steal`, once a receiver)."""
        description = "New receiver 'nil' with higher epoch is created hence current receiver is getting disconnected."
        return self._do(commands.Detach(partition, "amqp:link:stolen", description, group))

    def redeliver_now(self, partition: str, events: int) -> commands.HubFacts:
        """Send the last events again in the links that are attached (counted as `redeliver`, once a receiver)."""
        return self._do(commands.Rewind(partition, events, on_attach=False))

    def redeliver_on_attach(self, partition: str, events: int) -> commands.HubFacts:
        """Start the next receiver that many events too early (counted as `redeliver`, when it attaches)."""
        return self._do(commands.Rewind(partition, events, on_attach=True))

    def skip(self, partition: str, events: int) -> commands.HubFacts:
        """Leave a gap of sequence numbers before the next event (counted as `skip`)."""
        return self._do(commands.Skip(partition, events))

    def trim(self, partition: str, events: int) -> commands.HubFacts:
        """Drop the oldest events, as retention does (counted as `trim`)."""
        return self._do(commands.Trim(partition, events))

    def grow(self, partitions: int) -> commands.HubFacts:
        """Add so many partitions; clients get no notice, and no link ends."""
        return self._do(commands.Grow(partitions))

    def recreate(self, partitions: int | None = None) -> commands.HubFacts:
        """Delete the hub and create it again: empty, a new creation time, counting from 0 (counted as `recreate`).

        It has as many partitions as before, or the number given.
        """
        return self._do(commands.Recreate(partitions))

    def fail_over(self, partition: str, lost: int) -> commands.HubFacts:
        """Go on as a replica that lacks the newest events: links end, numbers come again (counted as `fail_over`)."""
        return self._do(commands.FailOver(partition, lost))

    def delay(self, seconds: float) -> commands.HubFacts:
        """Hold back every write of events from now on (counted as `delay`, once a write); 0 ends it."""
        return self._do(commands.Delay(seconds))

    def throttle(self, attaches: int) -> commands.HubFacts:
        """Refuse the next attaches as server-busy (counted as `throttle`, once an attach)."""
        return self._do(commands.Throttle(attaches))

    def hang(self) -> commands.HubFacts:
        """Read and write nothing from now on (counted as `hang`, once a piece of input left unread)."""
        return self._do(commands.Hang(on=True))

    def release_hang(self) -> commands.HubFacts:
        """Go on: what was held is sent, what was left is read."""
        return self._do(commands.Hang(on=False))

    def begin_outage(self) -> commands.HubFacts:
        """Drop every connection and refuse new ones (counted as `outage`)."""
        return self._do(commands.Outage(on=True))

    def end_outage(self) -> commands.HubFacts:
        """Let clients in again, on the same port."""
        return self._do(commands.Outage(on=False))

    def expire_tokens(self) -> commands.HubFacts:
        """Expire every token now; its links are detached (counted as `expire_tokens`, once a token)."""
        return self._do(commands.ExpireTokens())

    def refuse_tokens(self, count: int) -> commands.HubFacts:
        """Answer the next tokens with 401 (counted as `refuse_tokens`, once a token)."""
        return self._do(commands.RefuseTokens(count))

    def slow_down(self, seconds: float) -> commands.HubFacts:
        """Send everything later by a time (counted as `latency`, once a write); 0 ends it."""
        return self._do(commands.Latency(seconds))

    def send_small_frames(self, size: int) -> commands.HubFacts:
        """Send events in frames of no more bytes than these (counted as `small_frames`, once an event); 0 ends it."""
        return self._do(commands.SmallFrames(size or None))

    def abort_deliveries(self, partition: str, deliveries: int) -> commands.HubFacts:
        """Abort the next deliveries half-way; their events come again (counted as `abort`, once a delivery)."""
        return self._do(commands.Abort(partition, deliveries))

    def mute(self, partition: str, *, group: str | None = None) -> commands.HubFacts:
        """Send nothing over the links of the receivers attached now (counted as `mute`, once a receiver).

        Their connections stay alive, and new links work. `heal` ends it.
        """
        return self._do(commands.Mute(partition, group))

    def silence(self, partition: str) -> commands.HubFacts:
        """Do not answer who asks for the runtime information of a partition."""
        return self._do(commands.Silence(partition))

    def take_messages_of(self, size: int) -> commands.HubFacts:
        """Take messages of up to so many bytes on links that attach from now on, as a Dedicated cluster does."""
        return self._do(commands.TakeMessagesOf(size))

    def set_gate(
        self,
        *,
        claims: Sequence[str] = EVERYTHING,
        firewall: bool = False,
        keys: bool = True,
        active: bool = True,
    ) -> commands.HubFacts:
        """Say what tokens may do, and whether the firewall is shut, keys are taken and the hub is active."""
        return self._do(commands.SetGate(list(claims), firewall, keys, active))

    def heal(self) -> commands.HubFacts:
        """End every fault that is armed; the counts stay."""
        return self._do(commands.Heal())

    def _do(self, command: commands.Command) -> commands.HubFacts:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout_s)
        try:
            connection.request("POST", "/", msgspec.json.encode(command))
            response = connection.getresponse()
            answer = response.read()
        finally:
            connection.close()
        if response.status != HTTPStatus.OK:
            raise AdminError(msgspec.json.decode(answer, type=commands.Refused).error)
        return msgspec.json.decode(answer, type=commands.HubFacts)
