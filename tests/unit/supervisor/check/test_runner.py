"""Checks run in order and within their limits. A failed check skips those that need it, and no other."""

import threading

from shared.errors import ConfigurationError, NotPermitted
from supervisor.check.runner import Check, CheckResult, Outcome, exit_code, run_all


def passes() -> Outcome:
    return Outcome("fine")


def is_not_permitted() -> Outcome:
    raise NotPermitted("No entry", "the key is wrong", "Take another.")


def is_misconfigured() -> Outcome:
    raise ConfigurationError("Broken")


def has_a_bug() -> Outcome:
    raise ZeroDivisionError("SharedAccessKey=abc;")


def results(*checks: Check) -> list[CheckResult]:
    return list(run_all(checks))


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


def test_a_check_with_a_bug_hides_no_other_result_and_shows_no_secret() -> None:
    first, second = results(Check("a", has_a_bug), Check("b", passes))
    assert (first.verdict, first.exit_code, second.verdict) == ("fail", 70, "ok")
    assert "abc" not in first.detail
