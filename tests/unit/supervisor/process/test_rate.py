"""The rate is that of the last five seconds."""

import pytest

from supervisor.process.rate import SPAN_S, Rate


def rate_of(*samples: tuple[float, int]) -> float:
    rate = Rate()
    for now_s, count in samples:
        rate.add(count, now_s)
    return rate.per_s()


@pytest.mark.parametrize(
    ("samples", "per_s"),
    [
        ([], 0.0),
        ([(0.0, 100)], 0.0),
        ([(0.0, 100), (2.0, 300)], 100.0),
        ([(0.0, 100), (1.0, 100)], 0.0),
        ([(1.0, 100), (1.0, 500)], 0.0),  # two reports at once
        ([(0.0, 900), (1.0, 0)], 0.0),  # the counter was reset
        ([(0.0, 900), (1.0, 0), (2.0, 50)], 50.0),
        ([(0.0, 0), (100.0, 1000)], 10.0),  # rare reports: the mean between the last two
    ],
)
def test_the_rate_is_the_mean_between_samples(samples: list[tuple[float, int]], per_s: float) -> None:
    assert rate_of(*samples) == per_s


def test_samples_older_than_five_seconds_do_not_count() -> None:
    fast_then_still = [(float(second), min(second, 10) * 100) for second in range(30)]
    assert rate_of(*fast_then_still[:11]) == 100.0
    assert rate_of(*fast_then_still[: 11 + int(SPAN_S)]) == 0.0


def test_memory_stays_bounded_however_many_samples_arrive() -> None:
    rate = Rate()
    for second in range(1000):
        rate.add(second, second / 10)
    assert len(rate.samples) <= SPAN_S * 10 + 2
