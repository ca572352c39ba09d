"""Runs checks side by side, each within a time limit, and gives their results in order."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from msgspec import Struct, structs

from shared.clock import monotonic
from shared.errors import Bug, EvsupError, ExitCode, ServiceUnavailable
from shared.limits import limit_error
from shared.log.secret import mask
from shared.timeout import side_by_side, within

if TYPE_CHECKING:
    from concurrent.futures import Future

Verdict = Literal["ok", "warn", "fail", "skipped"]

LIMIT_S = 15.0  # side by side they share the processor, and it is waited for once
AT_ONCE = 16  # all that a site has, without those of its partitions
_NO_ANSWER = "Check the address (`evsup config` shows it) and the network between, or try again."


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check found. A check that fails raises an error instead."""

    detail: str
    verdict: Literal["ok", "warn", "skipped"] = "ok"
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """One check. It begins when those of `needs` and `after` have ended, and is skipped when one of `needs` failed or
    was skipped.
    """

    name: str
    run: Callable[[], Outcome]
    needs: Sequence[str] = ()
    limit_s: float = LIMIT_S
    after: Sequence[str] = ()


class CheckResult(Struct, frozen=True, kw_only=True):
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
    took_s: float = 0.0
    """How long it took, without the wait for checks that it needs."""


def run_all(
    stages: Iterable[Sequence[Check]], waiting: Callable[[Sequence[str]], None] = lambda _: None
) -> Iterator[CheckResult]:
    """Each result in order, as soon as it is known.

    The checks of a stage run side by side. A stage begins when the one before has ended, so it may be made of what that
    found. `waiting` is called with the names of the checks that have not ended, before the first of them is waited for.
    """
    results: dict[str, Future[CheckResult]] = {}
    for stage in stages:
        with side_by_side(AT_ONCE, "check") as pool:
            for check in stage:  # one waits for those before it alone, so the first that has not ended has a thread
                results[check.name] = pool.submit(_run_after, check, results)
            for check in stage:
                if not results[check.name].done():
                    waiting([each.name for each in stage if not results[each.name].done()])
                yield results[check.name].result()


def exit_code(results: Iterable[CheckResult]) -> int:
    """The exit code of the first failure, 0 when there is none."""
    return next((result.exit_code for result in results if result.verdict == "fail"), ExitCode.OK)


def _run_after(check: Check, results: Mapping[str, "Future[CheckResult]"]) -> CheckResult:
    # Those that it needs first: what is skipped need not wait for the others.
    for name in (*check.needs, *check.after):
        if results[name].result().verdict in ("fail", "skipped") and name in check.needs:
            return _skipped(check, name)
    return _run(check)


def _run(check: Check) -> CheckResult:
    began_s = monotonic()
    return structs.replace(_result(check), took_s=round(monotonic() - began_s, 3))


def _result(check: Check) -> CheckResult:
    try:
        outcome = within(check.limit_s, check.run)
    except EvsupError as error:
        return _failed(check, error)
    except TimeoutError as error:
        return _failed(check, ServiceUnavailable(str(error), fix=_NO_ANSWER))
    except Exception as error:  # noqa: BLE001 (a bug in one check must not hide the results of the others)
        what = mask(f"{type(error).__name__}: {error}")
        return _failed(check, limit_error(error, what) or Bug(what))
    return CheckResult(name=check.name, verdict=outcome.verdict, detail=outcome.detail, fix=outcome.fix)


def _failed(check: Check, error: EvsupError) -> CheckResult:
    detail = error.beside(check.name)
    return CheckResult(name=check.name, verdict="fail", detail=detail, fix=error.fix, exit_code=error.exit_code)


def _skipped(check: Check, missing: str) -> CheckResult:
    return CheckResult(name=check.name, verdict="skipped", detail=f"not checked, because {missing} has no result")
