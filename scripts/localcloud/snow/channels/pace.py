"""When accepted rows are committed: after a delay, and not while commits are stalled."""

import asyncio
import time


class Pace:
    """The commit delay in seconds and the stalled channels; both change while appends wait."""

    def __init__(self, delay_s: float) -> None:
        self._delay_s = delay_s
        self._stalled: set[str | None] = set()
        self._changed = asyncio.Event()

    def set_delay(self, delay_s: float) -> None:
        """Change the delay, also for rows that wait already."""
        self._delay_s = delay_s
        self._wake()

    def stall(self, channel: str | None) -> None:
        """Commit nothing more of a channel, or of any (`None`), until released."""
        self._stalled.add(channel)

    def release(self) -> None:
        """End every stall."""
        self._stalled.clear()
        self._wake()

    def is_stalled(self, channel: str) -> bool:
        """Say whether this channel's commits are stalled."""
        return not self._stalled.isdisjoint({None, channel})

    async def due(self, channel: str, accepted_at: float) -> None:
        """Wait until rows accepted at `accepted_at` (monotonic seconds) may be committed."""
        while True:
            left_s = accepted_at + self._delay_s - time.monotonic()
            stalled = self.is_stalled(channel)
            if left_s <= 0 and not stalled:
                return
            try:
                await asyncio.wait_for(self._changed.wait(), None if stalled else left_s)
            except TimeoutError:
                continue

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
