"""Log lines on standard error: an event's name, bound ids, and values that cannot hold a secret.

`log = get_logger()`, then `log.info("partition_claimed", partition=3, epoch=7)`. Event names are snake_case, a past
participle or a noun, and stable: dashboards and alerts look for them. A line neither raises nor blocks
(`shared.log.stderr`).
"""

import atexit
import logging
import os
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Literal

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from shared.command_line import complete
from shared.log.printable import printable
from shared.log.secret import MASK, Secret, mask, names_a_secret, remember_all
from shared.log.stderr import FILE_DESCRIPTOR, Stderr

Format = Literal["text", "json"]
Level = Literal["debug", "info", "warning", "error"]

LAST_FLUSH_S = 1.0  # at a regular exit; a reader that takes longer is not reading

_HEAD = ("timestamp", "level", "event")
_DEEPEST = 4  # containers in a value; what is deeper is shown as text

_stderr: Stderr | None = None


def get_logger() -> FilteringBoundLogger:
    """The process's logger; `bind` gives it ids of its own."""
    logger: FilteringBoundLogger = structlog.get_logger()
    return logger


def begin(level: Level, *, libraries: Level = "warning", **ids: object) -> None:
    """Call it first thing in a process, before its settings are known: whatever fails from here on is masked.

    Structlog's own defaults print to standard output, with the locals of every frame. What nobody catches, on a thread
    or in a finalizer, Python would show unmasked: https://docs.python.org/3/library/threading.html#threading.excepthook
    """
    # First: whatever the next lines log is masked.
    remember_all(os.environ)
    configure(None, level, libraries=libraries, stderr=None, **ids)
    threading.excepthook = lambda uncaught: _report_uncaught(uncaught.exc_value)
    sys.unraisablehook = lambda uncaught: _report_uncaught(uncaught.exc_value)


def configure(
    log_format: Format | None = None,
    level: Level = "info",
    *,
    libraries: Level = "warning",
    stderr: Stderr | None = None,
    **ids: object,
) -> None:
    """Send every log line of this process to standard error: ours from `level` up, those of libraries from `libraries`.
    Below a warning the SDKs log every frame and retry.

    `log_format` defaults to `text` on a terminal, else `json`. `ids` (partition, epoch) stand in every line; the pid
    always does.
    """
    output = _opened(stderr)
    text = (log_format or default_format()) == "text"
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _Complete({"pid": os.getpid(), **ids}),
            # After the exception was formatted and before anything is rendered: nothing gets past it.
            masked,
            _text_renderer() if text else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=lambda *_: _Lines(output),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(handlers=[_LibraryHandler()], level=libraries.upper(), force=True)
    logging.captureWarnings(capture=True)


def default_format() -> Format:
    """`text` for a person at a terminal, `json` for everything else."""
    return "text" if os.isatty(FILE_DESCRIPTOR) else "json"


def write_to(stderr: Stderr | None) -> Stderr | None:
    """Relay lines, and end the log, there from now on; None: on this process's own. Returns where they went before."""
    global _stderr
    before, _stderr = _stderr, stderr
    return before


def flush(timeout_s: float = LAST_FLUSH_S) -> bool:
    """Wait until what was logged is written, for `timeout_s` at most; whether it is. To be called before `os._exit`."""
    return _stderr is None or _stderr.flush(timeout_s)


def relay(line: str) -> None:
    """Pass on a line that another process has rendered and masked already: a worker's, through its supervisor."""
    _opened(None).write(printable(line))


def final_line(line: str) -> None:
    """Write why the process ends, as the last line of the log; waits as `flush` does.

    Masked, because an error may contain the text of whoever raised it.
    """
    _opened(None).end(printable(complete(mask(line))), LAST_FLUSH_S)


def masked(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Processor: keys and values as they may be shown."""
    return {key: _shown(key, value, _DEEPEST) for key, value in event.items()}


def _shown(key: str, value: Any, deepest: int) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Secret) or names_a_secret(key):
        return MASK
    if isinstance(value, Mapping) and deepest:
        return {mask(_text(name)): _shown(_text(name), item, deepest - 1) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset) and deepest:
        return [_shown(key, item, deepest - 1) for item in value]
    return complete(mask(_text(value)))


def _text(value: object) -> str:
    """`str(value)`; a broken `__str__` of somebody's must not cost the process."""
    try:
        return str(value)
    except Exception:  # noqa: BLE001 (whatever it raises)
        return f"<{type(value).__name__}>"


class _Complete:
    """Processor: adds the bound ids, and puts time, level and event first."""

    def __init__(self, ids: Mapping[str, object]) -> None:
        self._ids = ids

    def __call__(self, _: WrappedLogger, __: str, event: EventDict) -> EventDict:
        head = {key: event[key] for key in _HEAD if key in event}
        return {**head, **self._ids, **event}


class _Lines:
    """What structlog calls with a rendered line, by level."""

    def __init__(self, stderr: Stderr) -> None:
        self.debug = self.info = self.warning = self.error = self.critical = stderr.write


class _LibraryHandler(logging.Handler):
    """Sends records of `logging` (azure, psycopg, warnings) through structlog, so that they are masked and rendered
    like our own lines.
    """

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(Exception):  # logging's own answer is a traceback straight to standard error
            get_logger().log(
                record.levelno,
                "library_message",
                logger=record.name,
                message=record.getMessage(),
                exc_info=record.exc_info,
            )


def _report_uncaught(error: BaseException | None) -> None:
    if not isinstance(error, SystemExit):  # a thread may end so
        get_logger().error("uncaught_exception", exc_info=error)


def _opened(stderr: Stderr | None) -> Stderr:
    global _stderr  # noqa: PLW0603 (a process has one standard error)
    if _stderr is None:
        atexit.register(flush)
    _stderr = stderr or _stderr or Stderr()
    return _stderr


def _text_renderer() -> Processor:
    return structlog.dev.ConsoleRenderer(
        colors=os.isatty(FILE_DESCRIPTOR) and not os.environ.get("NO_COLOR"),  # https://no-color.org
        sort_keys=False,
        pad_event_to=24,
        repr_native_str=True,  # a line break in a value must not begin a line of its own
        exception_formatter=structlog.dev.plain_traceback,
    )
