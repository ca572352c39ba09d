"""One question with a bounded answer, and the order in which questions are asked."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

import msgspec

from shared.errors import Bug, EvsupError, ExitCode, ServiceUnavailable
from shared.log.secret import mask
from shared.timeout import within

Verdict = Literal["ok", "warn", "fail", "skipped"]

ANSWER_S = 10.0
_SILENT = "Check the address (`evsup config` shows it) and the network between, or try again."


class Answer(NamedTuple):
    """What a check found; what fails is raised as an error."""

    detail: str
    verdict: Literal["ok", "warn", "skipped"] = "ok"
    fix: str = ""


class Check(NamedTuple):
    """A question. It is left out when one of `needs` was not answered well."""

    name: str
    ask: Callable[[], Answer]
    needs: Sequence[str] = ()
    limit_s: float = ANSWER_S


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One line of `evsup check`."""

    name: str
    verdict: Verdict
    detail: str
    fix: str = ""
    exit_code: int = 0
    """Of the error's class; 0 unless the check failed."""


def results(checks: Iterable[Check]) -> Iterator[Result]:
    """Each as it is known. A check may be made from what the ones before it found."""
    unanswered: set[str] = set()
    for check in checks:
        missing = next((name for name in check.needs if name in unanswered), None)
        result = _asked(check) if missing is None else _left_out(check, missing)
        if result.verdict in ("fail", "skipped"):
            unanswered.add(check.name)
        yield result


def exit_code(found: Iterable[Result]) -> int:
    """That of the first failure."""
    return next((one.exit_code for one in found if one.verdict == "fail"), ExitCode.OK)


def _asked(check: Check) -> Result:
    try:
        answer = within(check.limit_s, check.ask)
    except EvsupError as error:
        return _failed(check, error)
    except TimeoutError as error:
        return _failed(check, ServiceUnavailable(str(error), fix=_SILENT))
    except Exception as error:  # noqa: BLE001 (one check that is broken must not hide the others)
        return _failed(check, Bug(mask(f"{type(error).__name__}: {error}")))
    return Result(name=check.name, verdict=answer.verdict, detail=answer.detail, fix=answer.fix)


def _failed(check: Check, error: EvsupError) -> Result:
    detail = f"{error.what}: {error.why}" if error.why else error.what
    return Result(name=check.name, verdict="fail", detail=detail, fix=error.fix, exit_code=error.exit_code)


def _left_out(check: Check, missing: str) -> Result:
    return Result(name=check.name, verdict="skipped", detail=f"not asked, because {missing} gave no answer")
