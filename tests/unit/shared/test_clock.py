"""Two clocks: one is another machine's, and neither makes an age negative."""

import random

import pytest

from shared.clock import Instant, jittered

NOW = Instant(unix_s=5000.0, monotonic_s=80.0)


@pytest.mark.parametrize(("unix_s", "monotonic_s"), [(5000.0, 80.0), (4990.5, 70.5), (0.0, -4920.0)])
def test_a_time_of_another_machine_has_its_place_on_the_monotonic_clock(unix_s: float, monotonic_s: float) -> None:
    assert NOW.of_unix_s(unix_s) == monotonic_s


def test_a_time_of_a_machine_whose_clock_is_ahead_is_now() -> None:
    assert NOW.of_unix_s(5003.0) == NOW.monotonic_s


def test_now_is_the_same_on_both_clocks() -> None:
    first, second = Instant.now(), Instant.now()
    assert second.unix_s - first.unix_s == pytest.approx(second.monotonic_s - first.monotonic_s, abs=0.1)


def test_jitter_leaves_the_random_numbers_of_others_alone() -> None:
    """Those of a test with a seed: some threads that other tests have started live on."""
    before = random.getstate()
    assert 0.9 <= jittered(1.0) <= 1.1
    assert random.getstate() == before
