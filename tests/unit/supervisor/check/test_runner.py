"""Checks run side by side and within their limits. A failed check skips those that need it, and no other."""

import threading
from collections.abc import Iterator, Sequence

import pytest

from shared.errors import ConfigurationError, NotPermitted, ResumeRefused
from supervisor.check.runner import Check, CheckResult, Outcome, exit_code, run_all


def passes() -> Outcome:
    return Outcome("fine")


def is_not_permitted() -> Outcome:
    raise NotPermitted("No entry", "the key is wrong", "Take another.")


def is_misconfigured() -> Outcome:
    raise ConfigurationError("Broken")


def has_a_bug() -> Outcome:
    raise ZeroDivisionError("SharedAccessKey=abc;")


def has_no_thread_left() -> Outcome:
    raise RuntimeError("can't start new thread")


def results(*checks: Check) -> list[CheckResult]:
    return list(run_all([checks]))


def test_a_check_that_needs_a_failed_one_is_skipped_and_says_so() -> None:
    found = results(
        Check("a", passes),
        Check("b", is_not_permitted, ["a"]),
        Check("c", passes, ["b"]),
        Check("d", passes, ["c"]),
        Check("e", passes),
    )
    assert [result.verdict for result in found] == ["ok", "fail", "skipped", "skipped", "ok"]
    assert (found[1].detail, found[1].fix) == ("No entry: the key is wrong", "Take another.")
    assert found[2].detail == "not checked, because b has no result"


def test_a_check_of_a_partition_names_it_once() -> None:
    def is_behind() -> Outcome:
        raise ResumeRefused("Partition 3: the channel's token 1 is behind the checkpoint 2", "rows are missing")

    (found,) = results(Check("partition 3", is_behind))
    assert found.detail == "the channel's token 1 is behind the checkpoint 2: rows are missing"


def test_the_exit_code_is_that_of_the_first_failure() -> None:
    assert exit_code(results(Check("a", passes), Check("b", is_misconfigured), Check("c", is_not_permitted))) == 78
    assert exit_code(results(Check("a", passes), Check("b", lambda: Outcome("hm", "warn")))) == 0


def test_a_check_without_an_answer_in_time_fails_as_unavailable() -> None:
    released = threading.Event()

    def waits() -> Outcome:
        released.wait()
        return Outcome("late")

    (found,) = results(Check("a", waits, limit_s=0.05))
    released.set()
    assert (found.verdict, found.exit_code) == ("fail", 69)
    assert "no answer for" in found.detail
    assert found.took_s >= 0.05


def test_checks_run_side_by_side_and_their_results_come_in_order() -> None:
    both = threading.Barrier(2)

    def meets() -> Outcome:
        both.wait(10)
        return Outcome("met")

    found = results(Check("a", meets), Check("b", meets))
    assert [(result.name, result.verdict) for result in found] == [("a", "ok"), ("b", "ok")]


def test_a_check_that_hangs_holds_up_no_other_and_is_named_while_it_is_waited_for() -> None:
    others_ended, was_named = threading.Event(), threading.Event()
    ended: list[str] = []
    waited: list[list[str]] = []

    def waits() -> Outcome:
        others_ended.wait()
        was_named.wait()  # on a busy machine the others end before anybody looks who has not
        return Outcome("late")

    def quick(name: str) -> Outcome:
        ended.append(name)
        if len(ended) == 2:
            others_ended.set()
        return Outcome("fine")

    def waiting(names: Sequence[str]) -> None:
        waited.append([*names])
        was_named.set()

    checks = [
        Check("a", waits),
        Check("b", lambda: quick("b")),
        Check("c", lambda: quick("c")),
        Check("d", passes, ["a"]),
    ]
    found = list(run_all([checks], waiting=waiting))
    assert [result.name for result in found] == ["a", "b", "c", "d"]
    assert sorted(ended) == ["b", "c"]
    assert waited[0][0] == "a"


def test_who_stops_waiting_is_held_up_by_no_check() -> None:
    released = threading.Event()

    def waits() -> Outcome:
        released.wait()
        return Outcome("late")

    def interrupt(_: Sequence[str]) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(run_all([[Check("a", waits)]], waiting=interrupt))
    assert not released.is_set()
    released.set()


def test_a_check_may_come_after_one_that_failed() -> None:
    order: list[str] = []

    def fails() -> Outcome:
        order.append("a")
        raise NotPermitted("No entry")

    def notes() -> Outcome:
        order.append("b")
        return Outcome("fine")

    found = results(Check("a", fails), Check("b", notes, after=["a"]), Check("c", passes, ["a"], after=["b"]))
    assert [result.verdict for result in found] == ["fail", "ok", "skipped"]
    assert order == ["a", "b"]


def test_a_stage_is_made_of_what_the_one_before_found() -> None:
    names: list[str] = []

    def finds() -> Outcome:
        names.extend(["x", "y"])
        return Outcome("two")

    def stages() -> Iterator[list[Check]]:
        yield [Check("a", finds)]
        yield [Check(name, passes, ["a"]) for name in names]

    assert [result.name for result in run_all(stages())] == ["a", "x", "y"]


def test_a_check_with_a_bug_hides_no_other_result_and_shows_no_secret() -> None:
    first, second, third = results(Check("a", has_a_bug), Check("b", passes), Check("c", has_no_thread_left))
    assert (first.verdict, first.exit_code, second.verdict) == ("fail", 70, "ok")
    assert third.exit_code == 75, "a limit of the host is no bug"
    assert "abc" not in first.detail
