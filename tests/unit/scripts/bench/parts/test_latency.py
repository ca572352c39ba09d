"""Percentiles over events, not over the moments at which they were published."""

from scripts.bench.parts.latency import share

SEEN = [(3.0, 1), (1.0, 90), (2.0, 9)]


def test_a_percentile_counts_each_event() -> None:
    assert [share(SEEN, part) for part in (0.5, 0.9, 0.95, 0.99, 1.0)] == [1.0, 1.0, 2.0, 2.0, 3.0]
