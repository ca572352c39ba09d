"""Committed events whose rejection may not be counted yet.

Snowflake shows the committed token and the count of rejected rows in one status, and nowhere promises that they are of
one moment. So a row may be rejected, the token may pass it, the checkpoint may follow the token, and the count may rise
only then. An event is settled when the count was looked at long enough after its commit and had not risen. The events
that are not settled are those to look through when it rises: the checkpoint row says where they begin, so that the next
process, and the next owner, look through the same ones.
https://docs.snowflake.com/en/user-guide/snowpipe-streaming/snowpipe-streaming-high-performance-error-handling
"""

from collections import deque

from shared.resume import SETTLED_AFTER_S

# Of a fast stream so many are looked through at most. The quarantine reads no more than 500,000 again, and there may be
# events between the checkpoint and the token.
MOST_UNSETTLED = 400_000


class Unsettled:
    """The events behind the last settled one. Knows no clock: `now_s` is passed in."""

    def __init__(self, first: int | None) -> None:
        self.first = first
        """The first of them; None: not known."""
        self._committed: deque[tuple[float, int]] = deque()

    def begin(self, number: int | None) -> None:
        """The first event came: there is none before it."""
        self.first = number

    def look(self, token: int | None, now_s: float) -> None:
        """Note a status with this token, in which the count has not risen."""
        while self._committed and now_s - self._committed[0][0] >= SETTLED_AFTER_S:
            self._settle(self._committed.popleft()[1])
        if token is None or (self._committed and self._committed[-1][1] >= token):
            return
        self._committed.append((now_s, token))
        self._settle(token - MOST_UNSETTLED)

    def _settle(self, number: int) -> None:
        if number >= 0 and (self.first is None or self.first <= number):
            self.first = number + 1
