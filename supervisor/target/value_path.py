"""Where a value is in a row, as a person types it: `PAYLOAD:after.id`, `PARTITION_KEY`, `PAYLOAD:"a key"[0]`.

https://docs.snowflake.com/en/user-guide/querying-semistructured#traversing-semi-structured-data
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from shared.config.formats.identifier import quoted, stored_name
from shared.errors import UsageError

_NAME = r'[A-Za-z_][A-Za-z0-9_$]*|"[^"\x00-\x1f\x7f]+"'
_STEP = rf"(?:\.(?:{_NAME})|\[\d+\])"
_PATH = re.compile(rf"(?P<column>{_NAME})(?P<inside>:(?:{_NAME}){_STEP}*)?")
# A key of JSON may be "a|b" or "a=b": in quotes, a mark is one of its characters.
_BAR = re.compile(r'\|(?=(?:[^"]*"[^"]*")*[^"]*$)')
_CONDITION = re.compile(r'(?P<path>(?:"[^"]*"|[^"=])*)=(?P<text>.*)', re.DOTALL)
_PLAIN_NAME = re.compile(rf"(?P<mark>[:.])(?P<name>{_NAME})")
_EXAMPLE = (
    """Write a column and a path, for example PAYLOAD:id, PAYLOAD:after.id, PARTITION_KEY, 'PAYLOAD:"a key"[0]'."""
)


@dataclass(frozen=True, slots=True)
class ValuePath:
    """A column and, in a VARIANT, the way to a value."""

    column: str
    """As Snowflake stores the name."""
    inside: str = ""
    """Ready for SQL, each key in quotes; empty for the column itself."""

    @property
    def sql(self) -> str:
        """The value as text. A JSON null and a value that is not there are NULL."""
        return f"{quoted(self.column)}{self.inside}::VARCHAR"


@dataclass(frozen=True, slots=True)
class Key:
    """One part of a key: the first of several places that has a value."""

    places: Sequence[ValuePath]

    @property
    def sql(self) -> str:
        """The value as text; NULL when no place has one."""
        first, *others = (place.sql for place in self.places)
        return f"COALESCE({', '.join([first, *others])})" if others else first


@dataclass(frozen=True, slots=True)
class Equals:
    """A condition: the value of a place is this text."""

    place: ValuePath
    text: str

    @property
    def sql(self) -> str:
        """The condition. Snowflake reads a backslash in a literal as an escape, so it is doubled as quotes are.

        https://docs.snowflake.com/en/sql-reference/data-types-text#escape-sequences-in-single-quoted-string-constants
        """
        literal = self.text.replace("\\", "\\\\").replace("'", "''")
        return f"{self.place.sql} = '{literal}'"


def parse_key(text: str) -> Key:
    """A key as `--key` takes it, places parted by `|`. Raises `UsageError`."""
    return Key([_parse_path("--key", text, place) for place in _BAR.split(text)])


def parse_condition(text: str) -> Equals:
    """A condition as `--deleted` takes it, `PATH=VALUE`. Raises `UsageError`."""
    found = _CONDITION.fullmatch(text)
    if found is None or not found["text"].isprintable():
        raise UsageError(f"--deleted {text!r} is not PATH=VALUE", fix="For example --deleted PAYLOAD:op=d")
    return Equals(_parse_path("--deleted", text, found["path"]), found["text"])


def refuse_unknown(paths: Collection[ValuePath], columns: Collection[str]) -> None:
    """Raise `UsageError` for a path into a column that the table does not have."""
    for path in paths:
        if path.column not in columns:
            raise UsageError(f"The table has no column {path.column}", f"it has {', '.join(columns)}", _EXAMPLE)


def _parse_path(option: str, text: str, place: str) -> ValuePath:
    found = _PATH.fullmatch(place.strip())
    if found is None:
        raise UsageError(f"{option} {text!r} is no place in a row", fix=_EXAMPLE)
    inside = _PLAIN_NAME.sub(_with_quotes, found["inside"] or "")
    return ValuePath(stored_name(found["column"]), inside)


def _with_quotes(step: re.Match[str]) -> str:
    """Keys of JSON keep their case, also without quotes."""
    return f'{step["mark"]}"{step["name"].strip(chr(34))}"'
