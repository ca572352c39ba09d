"""Snowpipe Streaming, as far as a lease is concerned: a channel's sequencer, its rows in flight and its token.

An open bumps the client sequencer and throws away what was in flight, an append of an older sequencer is refused, the
status goes by the channel's name and so answers anybody.
https://docs.snowflake.com/en/user-guide/snowpipe-streaming/snowpipe-streaming-high-performance-rest-api
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from shared.errors import OwnershipLost
from shared.ipc.messages import ChannelStatus
from tests.simulation.invariants import Invariants
from tests.simulation.processes.process import Process
from tests.simulation.services.network import FAST_S, skewed
from tests.simulation.services.rejections import Rejections
from tests.simulation.world import World
from worker.rows.event import Event

COMMIT_S = 6.0
SEND_S = 0.3  # until the SDK's threads send what they were given
LOOK_S = 0.3  # a request for the status, and its answer, take so long at most
PATIENCE_S = 1.0  # between looks of an opener at rows that are in flight


@dataclass(frozen=True, slots=True)
class Sent:
    """One append on its way into the table."""

    numbers: list[int]
    end: int
    sequencer: int
    epoch: int


class Channel:
    """The service's side of one channel."""

    def __init__(
        self, world: World, invariants: Invariants, partition_id: str, rejections: Rejections | None = None
    ) -> None:
        self.rejections = rejections
        """None: every row is taken, and every status is new."""
        self._world, self._invariants, self._partition_id = world, invariants, partition_id
        self.token: int | None = None
        self.stalled_until_s = 0.0
        self._sequencer = 0
        self._inflight: deque[Sent] = deque()

    @property
    def is_idle(self) -> bool:
        """Whether nothing is in flight."""
        return not self._inflight

    def open(self) -> int:
        """A new opener's sequencer. What is in flight is thrown away."""
        self._inflight.clear()
        self._sequencer += 1
        return self._sequencer

    def take(self, sent: Sent) -> bool:
        """Whether the append is accepted; it is committed later, after those before it."""
        if sent.sequencer != self._sequencer:
            return False
        self._invariants.written(self._partition_id, sent.epoch)
        self._inflight.append(sent)
        if len(self._inflight) == 1:
            self._commit_later()
        return True

    def _commit_later(self) -> None:
        stalled_s = max(0.0, self.stalled_until_s - self._world.now_s)
        head = self._inflight[0]
        self._world.after(stalled_s + 0.1 + skewed(self._world.rng, COMMIT_S), lambda: self._commit(head))

    def _commit(self, head: Sent) -> None:
        if not self._inflight or self._inflight[0] is not head:
            return  # an opener threw it away
        self._inflight.popleft()
        self._invariants.committed(self._partition_id, self.token, head.numbers)
        if self.rejections:
            self.rejections.commit(head.numbers, head.end)
        self.token = head.end
        if self._inflight:
            self._commit_later()


class Handle:
    """Stands for `worker.sink.channel.Channel`: the SDK in one process."""

    def __init__(self, process: Process, channel: Channel, epoch: int) -> None:
        self.name = f"channel of {process.name}"
        self._process, self._world, self._channel, self._epoch = process, process.world, channel, epoch
        self._sequencer = 0
        self._unsent: deque[Sent] = deque()
        self._refused = False
        self.throttled, self.failed_request = 0, ""

    def probe(self) -> None:
        """It answers."""

    def exists(self, _generation: int) -> bool:
        """Nobody drops it, and it does not expire."""
        return True

    def open(self, _generation: int) -> ChannelStatus:
        """Wait a while for what is in flight, then take the channel over by force."""
        self._process.wait(skewed(self._world.rng, FAST_S))
        tries = self._world.rng.randrange(8)
        while not self._channel.is_idle and tries:
            self._process.travel(PATIENCE_S)
            tries -= 1
        self._process.travel(skewed(self._world.rng, 1.0))
        self._sequencer = self._channel.open()
        token, rejections = self._channel.token, self._channel.rejections
        opened = rejections.status(token) if rejections else ChannelStatus(token, 0)
        self._world.note("channel_opened", channel=self.name, sequencer=self._sequencer, token=opened.token)
        self._process.wait(skewed(self._world.rng, 1.0))
        return opened

    def append(self, events: Sequence[Event], start: int, end: int) -> None:
        self._require_channel()
        numbers = [event.sequence_number for event in events if event.sequence_number is not None]
        self._unsent.append(Sent(numbers, end, self._sequencer, self._epoch))
        self._process.after(skewed(self._world.rng, SEND_S), self._send)

    def status(self) -> ChannelStatus:
        self._require_channel()
        token, rejections = self._channel.token, self._channel.rejections
        return rejections.cached(token) if rejections else ChannelStatus(token, 0)

    def await_status(self, is_found: Callable[[ChannelStatus], bool], limit_s: float) -> ChannelStatus | None:
        """Ask once a second."""
        until_s = self._world.now_s + limit_s
        while self._world.now_s < until_s:
            if is_found(status := self.status()):
                return status
            self._process.wait(PATIENCE_S)
        return None

    def flush_soon(self) -> None:
        """It sends soon anyway."""

    def _send(self) -> None:
        """One append leaves the process; what was sent arrives in order, whatever becomes of the process."""
        if self._unsent:
            sent = self._unsent.popleft()
            self._world.after(FAST_S, lambda: self._arrive(sent))

    def _arrive(self, sent: Sent) -> None:
        if not self._channel.take(sent) and sent.sequencer == self._sequencer:
            self._process.after(skewed(self._world.rng, 1.0), self._hear_of_it)

    def _hear_of_it(self) -> None:
        self._refused = True

    def _require_channel(self) -> None:
        if self._refused:
            raise OwnershipLost("Rows cannot be appended", "STALE_CONTINUATION_TOKEN_SEQUENCER")
