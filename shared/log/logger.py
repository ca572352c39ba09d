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
from dataclasses import dataclass
from datetime import UTC, datetime
from traceback import format_exception
from typing import Any, Literal

from shared.command_line import complete
from shared.log.line import TRACEBACK, Render, as_coloured_text, as_json, as_text, takes_colour
from shared.log.printable import printable
from shared.log.recent import RecentLines
from shared.log.secret import MASK, Secret, mask, names_a_secret, remember_all
from shared.log.stderr import FILE_DESCRIPTOR, Stderr

Format = Literal["text", "json"]
Level = Literal["debug", "info", "warning", "error"]

LAST_FLUSH_S = 1.0  # at a regular exit; a reader that takes longer is not reading

_DEEPEST = 8  # containers in a value, more than a status has; what is deeper is shown as text


@dataclass(frozen=True, slots=True)
class _Configuration:
    """How the lines of this process look."""

    level: int
    render: Render
    ids: Mapping[str, object]


_configuration = _Configuration(logging.INFO, as_json, {})
_stderr: Stderr | None = None
_recent: RecentLines | None = None


class Logger:
    """Writes lines as the process is configured at that time. `exc_info` is an error whose traceback is written."""

    def debug(self, event: str, **values: object) -> None:
        """Write a line for those who look for a bug."""
        self.log(logging.DEBUG, event, **values)

    def info(self, event: str, **values: object) -> None:
        """Write a line about something that is as it should be."""
        self.log(logging.INFO, event, **values)

    def warning(self, event: str, **values: object) -> None:
        """Write a line about something that a person should know, and that stops nothing."""
        self.log(logging.WARNING, event, **values)

    def error(self, event: str, **values: object) -> None:
        """Write a line about what failed."""
        self.log(logging.ERROR, event, **values)

    def log(self, level: int, event: str, *, exc_info: object = None, **values: object) -> None:
        """Write a line of a level of `logging`."""
        configuration = _configuration
        if level < configuration.level:
            return
        head = {
            "timestamp": datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "level": logging.getLevelName(level).lower(),
            "event": event,
        }
        traceback = _traceback(exc_info)
        last = {TRACEBACK: traceback} if traceback else {}
        # Masked after the exception was formatted and before anything is rendered: nothing gets past it.
        shown = masked({**head, **configuration.ids, **values, **last})
        if _recent:
            _recent.add(shown)
        line = configuration.render(shown)
        if _stderr:
            _stderr.write(line)
        else:  # nothing is configured, as in a test
            print(line, file=sys.stderr)


_logger = Logger()


def get_logger() -> Logger:
    """The process's logger."""
    return _logger


def begin(level: Level, *, libraries: Level = "warning", **ids: object) -> None:
    """Call it first thing in a process, before its settings are known: whatever fails from here on is masked.

    What nobody catches, on a thread or in a finalizer, Python would show unmasked:
    https://docs.python.org/3/library/threading.html#threading.excepthook
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
    global _configuration  # noqa: PLW0603 (a process has one log)
    _opened(stderr)
    render = _text_renderer() if (log_format or default_format()) == "text" else as_json
    _configuration = _Configuration(logging.getLevelNamesMapping()[level.upper()], render, {"pid": os.getpid(), **ids})
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


def keep_in(recent: RecentLines | None) -> None:
    """Also keep what is logged and relayed from now on there; None: nowhere."""
    global _recent  # noqa: PLW0603 (as `configure`)
    _recent = recent


def flush(timeout_s: float = LAST_FLUSH_S) -> bool:
    """Wait until what was logged is written, for `timeout_s` at most; whether it is. To be called before `os._exit`."""
    return _stderr is None or _stderr.flush(timeout_s)


def relay(line: str) -> None:
    """Pass on a line that another process has rendered and masked already: a worker's, through its supervisor."""
    line = printable(line)
    if _recent:
        _recent.add_rendered(line)
    _opened(None).write(line)


def final_line(line: str) -> None:
    """Write why the process ends, as the last line of the log; waits as `flush` does.

    Masked, because an error may contain the text of whoever raised it.
    """
    _opened(None).end(printable(complete(mask(line))), LAST_FLUSH_S)


def masked(event: Mapping[str, object]) -> dict[str, Any]:
    """Keys and values as they may be shown."""
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


def _traceback(exc_info: object) -> str:
    """Of an error, or of what `sys.exc_info` gives; empty when there is none."""
    error = exc_info[1] if isinstance(exc_info, tuple) else exc_info
    return "".join(format_exception(error)).rstrip("\n") if isinstance(error, BaseException) else ""


class _LibraryHandler(logging.Handler):
    """Masks and renders records of `logging` (azure, psycopg, warnings) like our own lines."""

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
    if type(error).__module__.startswith("snowflake."):
        # The connector cancels a statement that takes too long, on a thread of its own, which fails where Snowflake
        # does not answer. The statement itself fails, too, and whoever ran it says so.
        get_logger().warning("statement_not_canceled", reason=str(error))
    elif not isinstance(error, SystemExit):  # a thread may end so
        get_logger().error("uncaught_exception", exc_info=error)


def _opened(stderr: Stderr | None) -> Stderr:
    global _stderr  # noqa: PLW0603 (a process has one standard error)
    if _stderr is None:
        atexit.register(flush)
    _stderr = stderr or _stderr or Stderr()
    return _stderr


def _text_renderer() -> Render:
    return as_coloured_text if os.isatty(FILE_DESCRIPTOR) and takes_colour(os.environ) else as_text
