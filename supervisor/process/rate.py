"""Rows a second, from counts that come in now and then."""

from collections import deque

SPAN_S = 5.0


class Rate:
    """The mean over the last five seconds of samples."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque()

    def add(self, count: int, now_s: float) -> None:
        """A counter's value at a moment."""
        if self._samples and count < self._samples[-1][1]:
            self._samples.clear()  # the counter began anew
        self._samples.append((now_s, count))
        while len(self._samples) > 2 and now_s - self._samples[0][0] > SPAN_S:
            self._samples.popleft()

    def per_s(self) -> float:
        """Counts a second; 0 before the second sample."""
        if len(self._samples) < 2:
            return 0.0
        (first_s, first), (last_s, last) = self._samples[0], self._samples[-1]
        return (last - first) / (last_s - first_s) if last_s > first_s else 0.0
