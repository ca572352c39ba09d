"""One end of the pipe between supervisor and worker, never blocking in either direction."""

import os
import select
from typing import TYPE_CHECKING, Generic, TypeVar

import msgspec

from shared.clock import Deadline
from shared.ipc.frames import FrameDecoder, encode

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

READ_BYTES = 64 * 1024
MOST_READS = 4  # in a turn; nearly every frame is shorter

In = TypeVar("In")


class MessagePipe(Generic[In]):
    """Sends frames and receives messages of the union `In` over a duplex `multiprocessing` connection.

    Pipes block when they are full (64 to 93 kB on Linux) and a stopped peer reads nothing. So what does not fit is kept
    here and sent later, and a message with a `topic` replaces the unsent one of that topic: statuses coalesce, the
    newest wins.
    """

    def __init__(self, connection: "Connection[bytes, bytes]", incoming: object) -> None:
        self._connection = connection
        self._decoder: FrameDecoder[In] = FrameDecoder(incoming)
        self._unsent: dict[object, bytes] = {}
        self._partial = b""
        self.ended = False
        os.set_blocking(connection.fileno(), False)

    def fileno(self) -> int:
        """For `multiprocessing.connection.wait`."""
        return self._connection.fileno()

    def send(self, message: msgspec.Struct, topic: str | None = None) -> None:
        """Send now what the pipe takes and keep the rest. A message that comes again needs a topic, which bounds it."""
        self._unsent[topic or object()] = encode(message)  # without a topic under a key of its own: it replaces none
        self.flush()

    def flush(self) -> bool:
        """Send what is waiting, as far as the pipe takes it; False when the peer has ended. What it sent before, as the
        reason of its end, is still to be received.
        """
        while self._partial or self._unsent:
            if not self._partial:
                # The oldest first. A frame of which a part was sent has to be finished before any other begins.
                self._partial = self._unsent.pop(next(iter(self._unsent)))
            try:
                self._partial = self._partial[os.write(self.fileno(), self._partial) :]
            except BlockingIOError:
                return True
            except (BrokenPipeError, ConnectionResetError):
                return False
        return True

    def flush_until(self, deadline: Deadline) -> bool:
        """Send what is waiting, and wait for room until the deadline: for the last message before a process ends."""
        while self.flush() and self.has_unsent and not deadline.passed():
            room = select.poll()  # unlike select(2) it knows descriptors above 1023
            room.register(self.fileno(), select.POLLOUT)
            room.poll(deadline.remaining_s() * 1000)
        return not self.has_unsent

    def receive(self) -> list[In]:
        """The messages that have arrived; sets `ended` at the end of the stream.

        Not more than `MOST_READS` give: a peer that writes without a pause keeps nobody here. Raises `ProtocolError` on
        bytes that are no messages.
        """
        messages: list[In] = []
        for _ in range(0 if self.ended else MOST_READS):
            try:
                piece = os.read(self.fileno(), READ_BYTES)
            except BlockingIOError:
                break
            # The peer ended with unread bytes in its pipe: for us that is the end of the stream.
            except ConnectionResetError:
                piece = b""
            if not piece:
                self.ended = True
                break
            messages.extend(self._decoder.feed(piece))
        return messages

    @property
    def has_unsent(self) -> bool:
        """Whether something waits for room in the pipe."""
        return bool(self._partial or self._unsent)

    def close(self) -> None:
        """Close this end; the peer sees the end of the stream."""
        self._connection.close()
