"""Backoff: how long failures have gone on, and how long to wait before the next try."""

from shared.clock import backoff_s


class Backoff:
    """Failures in a row of one operation. It reads no clock: `now_s` is passed in."""

    def __init__(self, first_s: float, most_s: float) -> None:
        self._first_s, self._most_s = first_s, most_s
        self.reset()

    def reset(self) -> None:
        """Reset after a success."""
        self._since_s: float | None = None
        self._waits = backoff_s(self._first_s, self._most_s)
        self.until_s = 0.0

    def record_failure(self, now_s: float) -> None:
        """Record one more failure: the next try is due at `until_s`."""
        self._since_s = now_s if self._since_s is None else self._since_s
        self.until_s = now_s + next(self._waits)

    def lasted_s(self, now_s: float) -> float:
        """Seconds since the first failure in a row; 0 when the last try succeeded."""
        return 0.0 if self._since_s is None else now_s - self._since_s
