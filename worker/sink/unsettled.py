"""Committed events whose rejection may not be counted yet.

Snowflake shows the committed token and the count of rejected rows in one status, and nowhere promises that both are of
the same time. So a row may be rejected, the token may pass it, the checkpoint may follow the token, and only then may
the count rise. An event is settled when the count was read long enough after its commit and had not risen. When the
count rises, the events that are not settled are looked through. The checkpoint row says where they begin, so that the
next process, and the next owner, look through the same ones.
https://docs.snowflake.com/en/user-guide/snowpipe-streaming/snowpipe-streaming-high-performance-error-handling
"""

from collections import deque

from shared.resume import SETTLED_AFTER_S

# At most so many events of a fast stream are looked through. The quarantine reads no more than 500,000 again, and there
# may be events between the checkpoint and the token.
MOST_UNSETTLED = 400_000


class Unsettled:
    """The events after the last settled one. Knows no clock: `now_s` is passed in."""

    def __init__(self, first: int | None) -> None:
        self.first = first
        """Sequence number of the first of them; None: not known."""
        self._committed: deque[tuple[float, int]] = deque()
        """When each token was read first."""

    def begin_at(self, number: int | None) -> None:
        """No event before this one has a row in the channel."""
        self.first = number

    def observe(self, token: int | None, now_s: float) -> None:
        """Record a status with this token, in which the count has not risen."""
        while self._committed and now_s - self._committed[0][0] >= SETTLED_AFTER_S:
            self._settle(self._committed.popleft()[1])
        if token is None or (self._committed and self._committed[-1][1] >= token):
            return
        self._committed.append((now_s, token))
        self._settle(token - MOST_UNSETTLED)

    def _settle(self, number: int) -> None:
        if number >= 0 and (self.first is None or self.first <= number):
            self.first = number + 1
