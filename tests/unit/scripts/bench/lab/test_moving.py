"""A run of the bench, as it follows from what was seen from outside."""

import pytest

from scripts.bench.lab.moving import Sample, run_of
from scripts.harness.failure import NotAsPromised

FIRST = Sample(10.0, 100, 1.0, 5)


def test_the_speed_is_that_between_commits_in_full_stream_and_the_cost_that_of_all_events() -> None:
    stream = [Sample(13.0, 1_100, 2.0, 9), Sample(14.0, 5_000, 2.0, 9), Sample(15.0, 9_100, 2.0, 8)]
    samples = [Sample(12.0, 200, 1.5, 7), *stream, Sample(17.0, 10_100, 2.0, 8)]
    run = run_of(FIRST, samples, 10_100)
    assert run.per_s == pytest.approx(8_000 / 2.0)
    assert run.cpu_us == pytest.approx(100.0)
    assert (run.events, run.rss_bytes) == (10_000, 9)


def test_a_run_with_few_commits_has_a_speed() -> None:
    run = run_of(FIRST, [Sample(14.0, 2_100, 2.0, 5)], 2_100)
    assert run.per_s == pytest.approx(500.0)


def test_too_few_events_are_said_to_be_too_few() -> None:
    with pytest.raises(NotAsPromised, match="100 events are too few to measure"):
        run_of(FIRST, [Sample(14.0, 100, 2.0, 5)], 100)
