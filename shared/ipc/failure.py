"""The error that ends a process, and the message that carries it."""

import traceback

from shared import errors
from shared.errors import EvsupError, WorkerCrashed
from shared.ipc.messages import Failed
from shared.limits import limit_error
from shared.log.secret import mask

FIRST_CHARS, LAST_CHARS = slice(16_000), slice(-16_000, None)  # of each text: a frame takes them all


def failure_message(error: Exception, who: str = "The worker") -> Failed:
    """The message of an error, as one of ours. An error that is not ours comes with its traceback; `who` has met it."""
    if isinstance(error, EvsupError):
        known, lines = error, ""
    elif limit := limit_error(error, f"{who} cannot go on"):
        known, lines = limit, "".join(traceback.format_exception(error))
    else:
        known = WorkerCrashed(f"{who} crashed", " ".join(f"{type(error).__name__}: {error}".split()))
        lines = "".join(traceback.format_exception(error))
    return Failed(
        error=type(known).__name__,
        what=_sendable(known.what),
        why=_sendable(known.why),
        fix=_sendable(known.fix),
        traceback=_sendable(lines, LAST_CHARS),
    )


def error_of(report: Failed) -> EvsupError:
    """The error that a process reported."""
    kind = getattr(errors, report.error, WorkerCrashed)
    if not (isinstance(kind, type) and issubclass(kind, EvsupError)):
        kind = WorkerCrashed
    return kind(report.what, report.why, report.fix)


def _sendable(text: str, part: slice = FIRST_CHARS) -> str:
    """The text as it can be sent: masked, cut, and without the lone surrogates that file names may contain."""
    return mask(text)[part].encode(errors="replace").decode()
