"""Trying again: how long a row of failures has lasted, and how long to wait with the next try."""

from shared.clock import backoff_s


class Pauses:
    """A row of failures of one thing. Knows no clock: `now_s` is passed in."""

    def __init__(self, first_s: float, most_s: float) -> None:
        self._first_s, self._most_s = first_s, most_s
        self.over()

    def over(self) -> None:
        """Reset after a success."""
        self._since_s: float | None = None
        self._pauses = backoff_s(self._first_s, self._most_s)
        self.until_s = 0.0

    def again(self, now_s: float) -> None:
        """Record one more failure: the next try is due at `until_s`."""
        self._since_s = now_s if self._since_s is None else self._since_s
        self.until_s = now_s + next(self._pauses)

    def lasted_s(self, now_s: float) -> float:
        """Seconds since the first failure of the row; 0 when the last try worked."""
        return 0.0 if self._since_s is None else now_s - self._since_s
