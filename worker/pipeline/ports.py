"""What a pipeline reads from and writes to: ports, because a replay and the simulation have their own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from shared.clock import Deadline
from shared.ipc.messages import ChannelStatus
from shared.model import Checkpoint
from worker.rows.event import Event
from worker.source.batch_queue import Batch

SaveCheckpoint: TypeAlias = Callable[[Checkpoint], None]
"""Writes a checkpoint to the control store. May block. Raises `StoreUnavailable` when it may be tried again."""


class EventSource(Protocol):
    """Gives the events of one partition in batches, each with its row."""

    @property
    def waits_for(self) -> str | None:
        """What has to answer before the next event can be read, beside Event Hubs; None: nothing."""

    def start(self) -> None:
        """Begin to receive."""

    def fileno(self) -> int:
        """Readable when `take` may give something, for `multiprocessing.connection.wait`."""

    def take(self) -> Batch | None:
        """The next batch; None: none yet. Never blocks. Raises the error that ended the receiver."""

    @property
    def reopened(self) -> int:
        """How many links broke and were opened again."""

    @property
    def throttled(self) -> int:
        """How many of these because the source throttles."""

    @property
    def heard_s(self) -> float | None:
        """When anything came from Event Hubs last, on the monotonic clock; None: receiving has not begun."""

    def check_alive(self, now_s: float) -> None:
        """Raise `SourceUnavailable` when the receiver hangs."""

    def stop(self) -> None:
        """Stop receiving, without waiting for the receiver's end."""

    def join(self, deadline: Deadline) -> None:
        """Wait until the receiver has ended."""


class RowSink(Protocol):
    """Takes the rows of one partition, and says how far they are committed."""

    name: str

    def append(self, events: Sequence[Event], start: int, end: int) -> None:
        """Take the rows of events; `start` and `end` are the first and the last sequence number. Never blocks. Raises
        `Saturated` when the same rows have to come again.
        """

    def status(self) -> ChannelStatus | None:
        """The channel's status; None: it cannot be read for now. Blocks."""

    def flush_soon(self) -> None:
        """Send what is buffered, without waiting for it."""

    def delay_reason(self) -> str:
        """Why commits may take long, as a part of a sentence; empty when nothing is known."""


@dataclass(frozen=True, slots=True)
class Ports:
    """The two ends of a pipeline, and where its checkpoints go."""

    source: EventSource
    sink: RowSink
    save: SaveCheckpoint
