"""A worker that hangs is told apart from a host that stands still or is overloaded."""

import pytest

from shared.clock import LONGEST_TURN_S, STANDSTILL_S, LoopClock
from shared.ipc.vitals import Vitals
from supervisor.process.hang_detector import ASK_S, BOOT_S, HUNG_AFTER_S, HangDetector, Verdict, counted_s

TURN_S = 0.25
ASLEEP, WAITING, STOPPED = Vitals("S", False, 1.0), Vitals("R", True, 1.0), Vitals("T", False, 1.0)


class Rig:
    """A worker that has reported once, and then does as a test says."""

    def __init__(self, *, booted: bool = True) -> None:
        self.now_s = 1000.0
        self.vitals: Vitals | None = ASLEEP
        self.detector = HangDetector(self.now_s, lambda: self.vitals)
        if booted:
            self.detector.reported()

    def turn(self, seconds: float = TURN_S) -> Verdict:
        """One turn of the supervisor, so much later."""
        self.now_s += seconds
        return self.detector.check(self.now_s)

    def until(self, wanted: Verdict, most_s: float = 10 * BOOT_S) -> float:
        """Seconds of ordinary turns until the verdict."""
        began_s = self.now_s
        while self.turn() != wanted:
            assert self.now_s - began_s < most_s
        return self.now_s - began_s


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_a_silent_worker_is_asked_and_two_seconds_later_hangs(rig: Rig) -> None:
    asked_s = rig.until("ask")
    assert asked_s == pytest.approx(HUNG_AFTER_S - ASK_S, abs=1.0)
    assert asked_s + rig.until("hung") == pytest.approx(HUNG_AFTER_S, abs=1.0)


@pytest.mark.parametrize("vitals", [ASLEEP, STOPPED, None])
def test_a_silent_worker_that_does_not_wait_for_the_host_hangs(rig: Rig, vitals: Vitals | None) -> None:
    rig.vitals = vitals
    assert rig.until("hung") == pytest.approx(HUNG_AFTER_S, abs=1.0)


def test_a_report_resets_the_count(rig: Rig) -> None:
    rig.until("ask")
    rig.detector.reported()
    assert rig.until("hung") == pytest.approx(HUNG_AFTER_S, abs=1.0)


def test_a_worker_that_boots_has_a_minute() -> None:
    assert Rig(booted=False).until("hung") == pytest.approx(BOOT_S, abs=1.0)


STUTTERS = {
    "three of 5 s at once": [5.0, 0.1] * 3,
    "ten of 5 s at once": [5.0, 0.1] * 10,
    "one of 15 s": [15.0],
    "a suspended night": [8 * 3600.0],
    "twelve short ones": [2.5, 0.05, 0.05] * 12,
}


@pytest.mark.parametrize("stutter", STUTTERS)
def test_no_worker_counts_as_hung_because_the_host_stood_still(rig: Rig, stutter: str) -> None:
    assert {rig.turn(seconds) for seconds in STUTTERS[stutter]} == {"well"}
    assert rig.until("hung") < HUNG_AFTER_S + 1.0  # and who really hangs is found no later


def test_a_supervisor_that_is_always_slow_finds_a_worker_that_hangs(rig: Rig) -> None:
    turns = 0
    while rig.turn(3.0) != "hung":
        turns += 1
    assert turns < HUNG_AFTER_S / STANDSTILL_S + 2


def test_a_worker_that_waits_for_a_processor_has_ten_times_as_long(rig: Rig) -> None:
    rig.vitals = WAITING
    assert 60.0 < rig.until("hung") < 10 * HUNG_AFTER_S


@pytest.mark.parametrize("vitals", [Vitals("D", False, 1.0), Vitals("D", True, 1.0)])
def test_a_worker_that_waits_for_a_disk_has_ten_times_as_long(rig: Rig, vitals: Vitals) -> None:
    rig.vitals = vitals
    assert 60.0 < rig.until("hung") < 10 * HUNG_AFTER_S


def test_a_worker_that_waits_for_a_disk_and_a_processor_in_turn_has_as_long(rig: Rig) -> None:
    turns = 0
    while turns < 60 / TURN_S and rig.turn() != "hung":
        turns += 1
        rig.vitals = [WAITING, Vitals("D", False, 1.0)][turns % 4 // 2]
    assert turns == 60 / TURN_S


def test_a_worker_that_uses_a_processor_and_does_not_report_hangs(rig: Rig) -> None:
    """Native code in a loop, with the interpreter's lock."""
    while rig.turn() != "hung":
        rig.vitals = Vitals("R", True, rig.now_s)
    assert rig.now_s - 1000.0 == pytest.approx(HUNG_AFTER_S, abs=1.5)


def test_of_the_time_spent_waiting_only_used_processor_time_counts() -> None:
    assert counted_s(2.0, WAITING, Vitals("R", True, 1.5)) == 0.5
    assert counted_s(2.0, WAITING, ASLEEP) == counted_s(2.0, ASLEEP, WAITING) == counted_s(2.0, None, WAITING) == 2.0
    assert counted_s(2.0, WAITING, Vitals("R", True, 9.0)) == 2.0


def test_the_clock_of_a_loop_falls_behind_only_while_the_loop_does_not_turn() -> None:
    clock = LoopClock(100.0)
    assert clock.turned(101.0) == 101.0
    assert clock.turned(101.0 + LONGEST_TURN_S) == 101.0 + LONGEST_TURN_S
    after_s = clock.turned(1000.0)
    assert after_s == 101.0 + LONGEST_TURN_S + STANDSTILL_S
    assert clock.turned(1001.0) == after_s + 1.0
    assert 1001.0 - clock.behind_s == after_s + 1.0
