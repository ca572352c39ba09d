"""Runs checks in order, each within a time limit."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from shared.errors import Bug, EvsupError, ExitCode, ServiceUnavailable
from shared.log.secret import mask
from shared.timeout import within

Verdict = Literal["ok", "warn", "fail", "skipped"]

LIMIT_S = 10.0
_NO_ANSWER = "Check the address (`evsup config` shows it) and the network between, or try again."


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check found. A check that fails raises an error instead."""

    detail: str
    verdict: Literal["ok", "warn", "skipped"] = "ok"
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """One check. It is skipped when one of the checks in `needs` failed or was skipped."""

    name: str
    run: Callable[[], Outcome]
    needs: Sequence[str] = ()
    limit_s: float = LIMIT_S


class CheckResult(msgspec.Struct, frozen=True, kw_only=True):
    """One line of `evsup check`."""

    name: str
    """What was checked."""
    verdict: Verdict
    """`skipped`: a check that it needs failed."""
    detail: str
    """What was found."""
    fix: str = ""
    """What to do; empty: nothing."""
    exit_code: int = 0
    """The error's; 0 unless the check failed."""


def run_all(checks: Iterable[Check]) -> Iterator[CheckResult]:
    """Each result as soon as it is known. `checks` may be a generator that uses what earlier checks found."""
    without_result: set[str] = set()
    for check in checks:
        missing = next((name for name in check.needs if name in without_result), None)
        result = _run(check) if missing is None else _skipped(check, missing)
        # Skipped counts as well: what needs a check needs also what that one needs.
        if result.verdict in ("fail", "skipped"):
            without_result.add(check.name)
        yield result


def exit_code(results: Iterable[CheckResult]) -> int:
    """The exit code of the first failure, 0 when there is none."""
    return next((result.exit_code for result in results if result.verdict == "fail"), ExitCode.OK)


def _run(check: Check) -> CheckResult:
    try:
        outcome = within(check.limit_s, check.run)
    except EvsupError as error:
        return _failed(check, error)
    except TimeoutError as error:
        return _failed(check, ServiceUnavailable(str(error), fix=_NO_ANSWER))
    except Exception as error:  # noqa: BLE001 (a bug in one check must not hide the results of the others)
        return _failed(check, Bug(mask(f"{type(error).__name__}: {error}")))
    return CheckResult(name=check.name, verdict=outcome.verdict, detail=outcome.detail, fix=outcome.fix)


def _failed(check: Check, error: EvsupError) -> CheckResult:
    detail = f"{error.what}: {error.why}" if error.why else error.what
    return CheckResult(name=check.name, verdict="fail", detail=detail, fix=error.fix, exit_code=error.exit_code)


def _skipped(check: Check, missing: str) -> CheckResult:
    return CheckResult(name=check.name, verdict="skipped", detail=f"not checked, because {missing} has no result")
