"""An event through the user's mapper: what it returns becomes the columns of the row, and what it raises a refusal.

A value is looked at before it is JSON. Then bytes are text, and a text that happens to be base64 would be stored as
other bytes.
"""

import inspect
import sys
import traceback
from collections.abc import Mapping, Sequence
from datetime import datetime
from math import isfinite
from pathlib import Path
from typing import Any

import msgspec

from shared import mapper
from shared.config.settings import ProcessSettings
from shared.errors import MapperFailed
from worker.bodies.body import Body
from worker.bodies.payload import UNREAD, NotPayload, payload
from worker.rows.event import Refusal
from worker.rows.message import Metadata
from worker.rows.variant import BINARY

FIX = "Correct the mapper and start again: nothing is lost, and the event is read again."

_encode, _decode = msgspec.json.Encoder().encode, msgspec.json.Decoder().decode
NULL, QUOTE = b"null", b'"'


class NotMapped(Exception):
    """The mapper gives no row for an event; the text says why."""


class RowMapper:
    """The mapper of the settings."""

    def __init__(self, path: str) -> None:
        """Raises `ConfigurationError`."""
        self._path, self._map = path, mapper.load(path)
        self._root, self._where = _root_of(self._map), _where(self._map) or path

    def row(self, event: mapper.Event, types: Mapping[str, str]) -> Body:
        """The row that the mapper makes of an event, as a JSON object; `types` are those of columns, where they are
        known. Raises `NotMapped`.
        """
        try:
            row = self._map(event)
        except MemoryError:
            raise
        except BaseException as error:  # SystemExit, and asyncio's CancelledError
            raise NotMapped(f"it raises {type(error).__name__} at {self._place(error)}") from error
        if not isinstance(row, Mapping):
            raise NotMapped(f"{self._path} returns {_kind(row)}, a mapping is needed")
        try:
            return Body(*payload(b"{%b}" % b",".join(_column(name, value, types) for name, value in row.items())))
        except NotPayload as why:
            raise NotMapped(f"a table cannot hold what {self._path} returns: {why}") from None
        except (MemoryError, NotMapped):
            raise
        except BaseException as error:  # a mapping of the user's own may raise anything, SystemExit too
            raise NotMapped(f"what it returns raises {type(error).__name__} at {self._place(error)}") from error

    def refusal(self, why: NotMapped) -> Refusal:
        """Why an event is not stored, with the function, for what it returns has no line of its own."""
        return Refusal(MapperFailed, "the mapper gives no row for it", f"{why} (the mapper is {self._where})", FIX)

    def _place(self, error: BaseException) -> str:
        """The line of the user's code. The error's text may hold what is in the body, and is not shown."""
        frames = traceback.extract_tb(error.__traceback__)[1:]  # the first one is ours
        theirs = [frame for frame in frames if frame.filename.startswith(self._root)] or frames
        return f"{theirs[-1].filename}:{theirs[-1].lineno} ({theirs[-1].name})" if theirs else self._path


def row_mapper(settings: ProcessSettings) -> RowMapper | None:
    """The mapper of the settings; None: there is none. Raises `ConfigurationError`."""
    return RowMapper(settings.mapper) if settings.mapper else None


def mapper_event(partition_id: str, body: Body, raw: bytes | None, known: Sequence[Metadata]) -> mapper.Event:
    """The event as a mapper gets it; `known` names as many of its fields as have a value."""
    said = {name: _decode(json) for name, json in known}
    if time := said.get("enqueued_time"):
        said["enqueued_time"] = datetime.fromisoformat(time)
    value = body.value
    if value is UNREAD:
        value = _decode(body.json) if body.json else None
    return mapper.Event(partition_id=partition_id, body=raw, value=value, decode_error=body.reason, **said)


def _column(name: Any, value: Any, types: Mapping[str, str]) -> bytes:
    if not isinstance(name, str):
        raise NotMapped(f"it returns a column whose name is {_kind(name)}, text is needed")
    shown = name.encode("utf-8", "backslashreplace").decode()  # it may have half of a surrogate pair
    try:
        json = _encode(value)
        column = _encode(name) + b":" + json
        is_infinite = NULL in json and _has_infinite(msgspec.to_builtins(value, enc_hook=str))
    except MemoryError:
        raise
    except BaseException as error:  # objects of the user's own may raise anything
        raise NotMapped(f"the column {shown} has a value that is no JSON: {type(error).__name__}") from error
    if is_infinite:
        raise NotMapped(f"the column {shown} has a number that JSON has not: NaN or infinity")
    if value is not None and (needed := _misses(types.get(name), value, json)):
        raise NotMapped(f"the column {shown} has {_kind(value)}, and takes {needed} alone")
    return column


def _misses(column_type: str | None, value: Any, json: bytes) -> str | None:
    """What a column takes, where a value is none of it; None: it fits."""
    is_bytes = isinstance(value, BINARY)
    match column_type:
        case "BINARY" if not is_bytes:
            return "bytes"
        case "VARCHAR" if is_bytes or json[:1] != QUOTE:
            return "text"
        case _:
            return None


def _has_infinite(value: Any) -> bool:
    """Whether NaN or infinity is in a value. The encoder makes null of them."""
    match value:
        case float():
            return not isfinite(value)
        case dict():
            return any(map(_has_infinite, value.values()))
        case list() | tuple():
            return any(map(_has_infinite, value))
        case _:
            return False


def _kind(value: Any) -> str:
    return "None" if value is None else f"a value of type {type(value).__name__}"


def _where(function: Any) -> str | None:
    """The function and its first line; None: it is none of Python, or an object that can be called."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return code and f"{code.co_name} at {code.co_filename}:{code.co_firstlineno}"


def _root_of(function: Any) -> str:
    """Where the user's code is: the folder of its package, or its file."""
    package = sys.modules.get(str(getattr(function, "__module__", "")).partition(".")[0])
    file = getattr(package, "__file__", None) or ""
    return str(Path(file).parent) if file.endswith("__init__.py") else file
