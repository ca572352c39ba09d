"""Reads the one statement that `evsup init --target` prints: `CREATE TABLE [IF NOT EXISTS] name (column type …)`."""

from __future__ import annotations

import re

from .column import Column, column

_IDENTIFIER = r'(?:"(?:[^"]|"")+"|[A-Za-z_][A-Za-z0-9_$]*)'
_STATEMENT = re.compile(
    rf"\s*CREATE\s+(?:OR\s+REPLACE\s+)?TABLE\s+(?P<optional>IF\s+NOT\s+EXISTS\s+)?"
    rf"(?P<name>{_IDENTIFIER}(?:\s*\.\s*{_IDENTIFIER}){{0,2}})\s*\((?P<body>.*)\)(?P<tail>[^()]*)\Z",
    re.IGNORECASE | re.DOTALL,
)
_COLUMN = re.compile(rf"\s*(?P<name>{_IDENTIFIER})\s+(?P<type>[A-Za-z_]+(?:\s*\([^)]*\))?)(?P<rest>.*)\Z", re.DOTALL)
_NOT_NULL = re.compile(r"NOT\s+NULL", re.IGNORECASE)
_COMMENT = re.compile(r"\bCOMMENT\s*=?\s*'(?:[^']|'')*'", re.IGNORECASE)
_LINE_COMMENT = re.compile(r"--[^\n]*")


def create_table(statement: str) -> tuple[tuple[str, ...], list[Column]]:
    """Give the parts of the table's name and its columns, unquoted names folded to upper case as Snowflake folds them.

    Raises `ValueError` for a statement it does not understand: silence would create another table than was meant.
    """
    plain = _COMMENT.sub("", _LINE_COMMENT.sub("", statement)).strip().rstrip(";")
    found = _STATEMENT.match(plain)
    if found is None:
        raise ValueError(f"not a CREATE TABLE statement: {statement.strip()[:80]!r}")
    if tail := found["tail"].strip():
        raise ValueError(f"unsupported clause after the columns: {tail!r}")
    name = tuple(_folded(part) for part in re.findall(_IDENTIFIER, found["name"]))
    columns = [_column(part) for part in _split(found["body"])]
    if len({one.name for one in columns}) != len(columns):
        raise ValueError("two columns have the same name")
    return name, columns


def _column(declaration: str) -> Column:
    found = _COLUMN.match(declaration)
    if found is None:
        raise ValueError(f"not a column: {declaration.strip()!r}")
    rest = _NOT_NULL.sub("", found["rest"])
    nullable = rest == found["rest"]
    if rest.strip():
        raise ValueError(f"unsupported clause of column {found['name']}: {rest.strip()!r}")
    return column(_folded(found["name"]), found["type"], nullable=nullable)


def _split(body: str) -> list[str]:
    """Split at the commas that stand outside of parentheses."""
    return [part for part in re.split(r",(?![^(]*\))", body) if part.strip()]


def _folded(identifier: str) -> str:
    if identifier.startswith('"'):
        return identifier[1:-1].replace('""', '"')
    return identifier.upper()
