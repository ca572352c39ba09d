"""When the channel's status is read, and which of its answers is passed over."""

import math
from collections.abc import Callable

from shared.ipc.messages import ChannelStatus
from shared.log.logger import get_logger
from worker.backoff import Backoff
from worker.pipeline.background import Background
from worker.sink.channel_status import OLDER_LIMIT_S, is_older

POLL_S = 1.0  # the SDK refreshes its cache of the status about once a second; reading it more often shows nothing new
IDLE_POLL_S = 10.0  # nothing in flight: only to see whether the channel is still ours

log = get_logger()


class StatusPoll:
    """Reads the status again and again, one call at a time. Never blocks; knows no clock: `now_s` is passed in."""

    def __init__(self, read: Callable[[], ChannelStatus | None]) -> None:
        self._read = read
        self._reading: Background[ChannelStatus | None] = Background("status")
        self._due_s = 0.0
        self._older = Backoff(POLL_S, POLL_S)
        self.failures = 0
        """Readings that gave nothing for now."""

    def fileno(self) -> int:
        """Readable when a status has been read."""
        return self._reading.fileno()

    @property
    def due_s(self) -> float:
        """When the next status is to be read; infinite while one is read, whose end wakes the loop."""
        return math.inf if self._reading.is_busy else self._due_s

    def begin(self, now_s: float, *, is_idle: bool) -> None:
        """Read the status if it is due. While rows are in flight, it is due within `POLL_S`."""
        if now_s >= self._due_s and not self._reading.is_busy:
            self._reading.submit(self._read)
            # Counted from the beginning of a call: one that takes long is followed by the next at once.
            self._due_s = now_s + (IDLE_POLL_S if is_idle else POLL_S)
        elif not is_idle:
            self._due_s = min(self._due_s, now_s + POLL_S)

    def take(self, now_s: float, durable: int | None, errors_before: int) -> ChannelStatus | None:
        """A status that was read; None: none was, or it is passed over. Raises why it cannot be read.

        A status that is older than one before may come from a cache, and is read again; after `OLDER_LIMIT_S` it is
        given all the same. The arguments are those of `worker.sink.channel_status.is_older`.
        """
        was_reading = self._reading.is_busy
        status = self._reading.take()
        if status is None:
            self.failures += was_reading and not self._reading.is_busy
            return None
        if not is_older(status, durable, errors_before):
            self._older.reset()
            return status
        if not self._older.lasted_s(now_s):
            log.warning("status_older", offset_token=status.token, durable=durable, rows=status.rows_error_count)
        self._older.record_failure(now_s)
        self._due_s = min(self._due_s, now_s + POLL_S)
        return None if self._older.lasted_s(now_s) < OLDER_LIMIT_S else status
