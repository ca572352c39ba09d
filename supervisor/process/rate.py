"""Rows per second, computed from a counter that is read at irregular times."""

from collections import deque

SPAN_S = 5.0


class Rate:
    """The mean over the last five seconds of samples."""

    def __init__(self) -> None:
        self.samples: deque[tuple[float, int]] = deque()
        """Times in seconds and counts, those of the last five seconds and one before."""

    def add(self, count: int, now_s: float) -> None:
        """Add the counter's value at this time."""
        if self.samples and count < self.samples[-1][1]:
            self.samples.clear()  # the counter was reset
        self.samples.append((now_s, count))
        while len(self.samples) > 2 and now_s - self.samples[0][0] > SPAN_S:
            self.samples.popleft()

    def per_s(self) -> float:
        """The rate per second; 0 before the second sample."""
        if len(self.samples) < 2:
            return 0.0
        (first_s, first), (last_s, last) = self.samples[0], self.samples[-1]
        return (last - first) / (last_s - first_s) if last_s > first_s else 0.0
