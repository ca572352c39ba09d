"""A log event as one line: JSON for machines, columns for people."""

import json
from collections.abc import Callable, Mapping
from typing import TypeAlias

Event: TypeAlias = Mapping[str, object]
"""What a line says, in its order: time, level and name of the event first, then ids and values."""
Render: TypeAlias = Callable[[Event], str]

HEAD = ("timestamp", "level", "event")  # the keys that every line has
TRACEBACK = "exception"  # the key of an error's traceback
_LEVEL_WIDTH, _NAME_WIDTH = 9, 24

_DIM, _BOLD, _RESET = "\x1b[2m", "\x1b[1m", "\x1b[0m"
_RED, _GREEN, _YELLOW, _MAGENTA, _CYAN = ("\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[35m", "\x1b[36m")
_LEVEL_COLOURS = {"warning": _YELLOW, "error": _RED, "critical": _RED}


def takes_colour(environ: Mapping[str, str]) -> bool:
    """Whether a terminal may be given colours (https://no-color.org)."""
    return not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


def as_json(event: Event) -> str:
    """One JSON object."""
    return json.dumps(event)


def as_text(event: Event) -> str:
    """Columns, then `key=value`, then a traceback in lines of its own."""
    return _columns(event, lambda text, *_: text)


def as_coloured_text(event: Event) -> str:
    """As `as_text`, for a terminal."""
    return _columns(event, lambda text, *styles: f"{''.join(styles)}{text}{_RESET}")


def _columns(event: Event, styled: Callable[..., str]) -> str:
    time, level, name = (str(event[key]) for key in HEAD)
    # The `repr` of a value: a line break in it must not begin a line of its own.
    values = (
        f"{styled(key, _CYAN)}={styled(repr(value), _MAGENTA)}"
        for key, value in event.items()
        if key not in (*HEAD, TRACEBACK)
    )
    head = (
        styled(time, _DIM),
        f"[{styled(f'{level:{_LEVEL_WIDTH}}', _LEVEL_COLOURS.get(level, _GREEN), _BOLD)}]",
        styled(f"{name:{_NAME_WIDTH}}", _BOLD),
    )
    traceback = f"\n{event[TRACEBACK]}" if TRACEBACK in event else ""
    return " ".join((*head, *values)).rstrip() + traceback
