"""Callers are let through evenly, whatever thread they come from."""

from shared.eventhubs.pace import Pace


def test_callers_that_come_at_once_are_spread_and_one_that_comes_late_does_not_wait() -> None:
    now_s = 100.0
    slept: list[float] = []
    pace = Pace(4, clock=lambda: now_s, sleep=slept.append)
    for _ in range(3):
        pace.wait()
    assert slept == [0.25, 0.5], "the first one does not wait"
    now_s = 200.0
    pace.wait()
    assert slept == [0.25, 0.5]
