"""The error that ends a process, as it says it and as whoever started it hears it."""

import traceback

from shared import errors
from shared.errors import EvsupError, WorkerCrashed
from shared.ipc.messages import Failed
from shared.limits import reached
from shared.log.secret import mask

FIRST_CHARS, LAST_CHARS = slice(16_000), slice(-16_000, None)  # of each text: a frame takes them all


def last_word(error: Exception) -> tuple[EvsupError, Failed]:
    """The error as one of ours, and the message that carries it. What is none of ours brings its traceback."""
    if isinstance(error, EvsupError):
        known, lines = error, ""
    elif limit := reached(error, "The worker cannot go on"):
        known, lines = limit, "".join(traceback.format_exception(error))
    else:
        known = WorkerCrashed("The worker crashed", " ".join(f"{type(error).__name__}: {error}".split()))
        lines = "".join(traceback.format_exception(error))
    failed = Failed(
        error=type(known).__name__,
        what=_said(known.what),
        why=_said(known.why),
        fix=_said(known.fix),
        traceback=_said(lines, LAST_CHARS),
    )
    return known, failed


def error_of(report: Failed) -> EvsupError:
    """The error that a process said it ended with."""
    kind = getattr(errors, report.error, WorkerCrashed)
    if not (isinstance(kind, type) and issubclass(kind, EvsupError)):
        kind = WorkerCrashed
    return kind(report.what, report.why, report.fix)


def _said(text: str, part: slice = FIRST_CHARS) -> str:
    """As it can travel: masked, in part, and without the lone surrogates that names of files may hold."""
    return mask(text)[part].encode(errors="replace").decode()
