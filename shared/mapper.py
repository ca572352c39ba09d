"""What a mapper of your own gets and gives: `EVSUP_MAPPER=package.module:function`.

    from shared.mapper import Event, Row

    def rename(event: Event) -> Row:
        return {"PAYLOAD": {"flight": event.value["flt"]}}

These names stay where they are. What a mapper may do is in docs/mapper.md.
"""

import importlib
import inspect
import re
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeAlias

import msgspec

from shared.errors import ConfigurationError
from shared.log.secret import mask

_PATH = re.compile(r"(?P<module>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):(?P<function>[A-Za-z_]\w*)", re.ASCII)


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One event, with its body as evsup read it."""

    body: bytes | None
    """The body as it came, before anything was decoded; None: AMQP gave a value instead of bytes."""
    value: Any
    """The JSON of the body as Python has it; None also where there is none: `decode_error` or an empty `body`."""
    decode_error: str | None
    """Why the body is not JSON; None: it is, or it is empty."""
    partition_id: str
    sequence_number: int
    offset: str | None = None
    enqueued_time: datetime | None = None
    partition_key: str | None = None
    content_type: str | None = None
    message_id: str | None = None
    correlation_id: str | None = None
    properties: dict[str, Any] = {}
    """Application properties; empty: there are none."""
    system_properties: dict[str, Any] = {}
    """The other annotations and properties of the message."""


Row: TypeAlias = Mapping[str, Any]
"""Columns by their names, each with a value that msgspec can make JSON of."""
Mapper: TypeAlias = Callable[[Event], Row]


def problem(path: str) -> str | None:
    """Why a text cannot name a mapper, in plain English; None: it can."""
    return None if _PATH.fullmatch(path) else "must be package.module:function"


def load(path: str) -> Mapper:
    """Import the function, also from the working directory. Raises `ConfigurationError`."""
    found = _PATH.fullmatch(path)
    what = f"The mapper {path} cannot be used"
    if found is None:
        raise ConfigurationError(what, str(problem(path)), "Correct EVSUP_MAPPER.")
    if "" not in sys.path:  # the working directory, also where that was deleted
        sys.path.append("")  # last, so that a file there hides no package
    try:
        function = getattr(importlib.import_module(found["module"]), found["function"])
    except (Exception, SystemExit) as error:
        why = mask(f"{type(error).__name__}: {error}")  # whatever a module of the user's reads when it is imported
        fix = "Correct EVSUP_MAPPER or its module; PYTHONPATH says where else modules are."
        raise ConfigurationError(what, why, fix) from error
    if unfit := _unfit(function):
        raise ConfigurationError(what, unfit, "Let it be a function of one event that returns a mapping.")
    mapper: Mapper = function
    return mapper


def _unfit(function: Any) -> str | None:
    if not callable(function):
        return "it is no function"
    if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
        return "it is a coroutine or a generator"
    try:
        inspect.signature(function).bind(None)
    except TypeError:
        return "it does not take one event"
    except ValueError:  # some functions in C do not say what they take
        return None
    return None
