"""Reads `CREATE TABLE [IF NOT EXISTS] name (column type …)`, and what ALTER TABLE does to columns."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from scripts.localcloud.snow.tables.column import Column, column, quoted

_IDENTIFIER = r'(?:"(?:[^"]|"")+"|[A-Za-z_][A-Za-z0-9_$]*)'
_STATEMENT = re.compile(
    rf"\s*CREATE\s+(?:OR\s+REPLACE\s+)?(?P<iceberg>ICEBERG\s+)?TABLE\s+(?P<optional>IF\s+NOT\s+EXISTS\s+)?"
    rf"(?P<name>{_IDENTIFIER}(?:\s*\.\s*{_IDENTIFIER}){{0,2}})\s*\((?P<body>.*)\)(?P<tail>[^()]*)\Z",
    re.IGNORECASE | re.DOTALL,
)
_COLUMN = re.compile(rf"\s*(?P<name>{_IDENTIFIER})\s+(?P<type>[A-Za-z_]+(?:\s*\([^)]*\))?)(?P<rest>.*)\Z", re.DOTALL)
_NOT_NULL = re.compile(r"NOT\s+NULL", re.IGNORECASE)
_COMMENT = re.compile(r"\bCOMMENT\s*=?\s*'(?:[^']|'')*'", re.IGNORECASE)
_DEFAULT = re.compile(
    r"\bDEFAULT\s+(?P<value>'(?:[^']|'')*'|[-+]?[\d.]+|TRUE|FALSE|NULL|[A-Z_]+\s*(?:\(\s*\d*\s*\))?)", re.IGNORECASE
)
_COUNTS = re.compile(
    r"\b(?:AUTOINCREMENT|IDENTITY)\b(?:\s*\(\s*\d+\s*,\s*\d+\s*\))?(?:\s+START\s+\d+)?(?:\s+INCREMENT\s+\d+)?"
    r"(?:\s+(?:NO)?ORDER)?",
    re.IGNORECASE,
)
_NOW = ("CURRENT_TIMESTAMP", "SYSDATE", "GETDATE", "LOCALTIMESTAMP", "SYSTIMESTAMP")
_ALTER = re.compile(
    rf"\s*ALTER\s+TABLE\s+(?:IF\s+EXISTS\s+)?{_IDENTIFIER}(?:\s*\.\s*{_IDENTIFIER}){{0,2}}\s+(?P<clause>.*?)[\s;]*\Z",
    re.IGNORECASE | re.DOTALL,
)
_CLAUSES = {
    verb: re.compile(pattern + r"\Z", re.IGNORECASE | re.DOTALL)
    for verb, pattern in {
        "add": r"ADD\s+(?:COLUMN\s+)?(?P<optional>IF\s+NOT\s+EXISTS\s+)?(?P<columns>.+)",
        "drop": r"DROP\s+(?:COLUMN\s+)(?:IF\s+EXISTS\s+)?(?P<columns>.+)",
        "rename": rf"RENAME\s+COLUMN\s+(?P<old>{_IDENTIFIER})\s+TO\s+(?P<new>{_IDENTIFIER})",
        "free": rf"(?:ALTER|MODIFY)\s+(?:COLUMN\s+)?(?P<old>{_IDENTIFIER})\s+DROP\s+(?P<what>NOT\s+NULL|DEFAULT)",
    }.items()
}
_LINE_COMMENT = re.compile(r"--[^\n]*")
_OPTIONS = ("ERROR_LOGGING", "ENABLE_SCHEMA_EVOLUTION")
_OPTION = re.compile(rf"\s*({'|'.join(_OPTIONS)})\s*=\s*(TRUE|FALSE)\s*", re.IGNORECASE)
ICEBERG = "ICEBERG"  # among the options
_ICEBERG_OPTION = re.compile(
    r"\s*(CATALOG|EXTERNAL_VOLUME|BASE_LOCATION|ICEBERG_VERSION)\s*=\s*('[^']*'|\d+)\s*", re.IGNORECASE
)
_SET = re.compile(r"SET\s+(?P<options>.+)", re.IGNORECASE | re.DOTALL)


class UnsupportedType(ValueError):
    """The kind of table has no such type."""


def create_table(statement: str) -> tuple[tuple[str, ...], list[Column], frozenset[str]]:
    """Give the parts of the table's name, its columns and the options that are on, such as ERROR_LOGGING.

    Unquoted names are folded to upper case as Snowflake folds them. Raises `ValueError` for a statement it does not
    understand: silence would create another table than was meant.
    """
    plain = _COMMENT.sub("", _LINE_COMMENT.sub("", statement)).strip().rstrip(";")
    found = _STATEMENT.match(plain)
    if found is None:
        raise ValueError(f"not a CREATE TABLE statement: {statement.strip()[:80]!r}")
    tail = _OPTION.sub("", _ICEBERG_OPTION.sub("", found["tail"]) if found["iceberg"] else found["tail"])
    if tail.strip():
        raise ValueError(f"unsupported clause after the columns: {tail.strip()!r}")
    name = tuple(_folded(part) for part in re.findall(_IDENTIFIER, found["name"]))
    columns = [_column(part) for part in _split(found["body"])]
    if len({one.name for one in columns}) != len(columns):
        raise ValueError("two columns have the same name")
    options = _switched(found["tail"], frozenset())
    if not found["iceberg"]:
        return name, columns, options
    _check_iceberg(columns, found["tail"])
    return name, columns, options | {ICEBERG}


def _check_iceberg(columns: Sequence[Column], tail: str) -> None:
    """Refuse types that Iceberg does not have: https://docs.snowflake.com/en/user-guide/tables-iceberg-data-types."""
    given = {name.upper(): value for name, value in _ICEBERG_OPTION.findall(tail)}
    missing = {"TIMESTAMP_TZ", *([] if given.get("ICEBERG_VERSION") == "3" else ["VARIANT"])}
    for one in columns:
        if one.kind in missing:
            raise UnsupportedType(f"Unsupported data type '{one.kind}' for iceberg tables.")


def options(statement: str, present: frozenset[str]) -> frozenset[str] | None:
    """Give the options that are on after `ALTER TABLE … SET`; None for a statement that sets none of them."""
    found = _ALTER.match(statement)
    clause = _SET.fullmatch(found["clause"]) if found else None
    if clause is None or _OPTION.sub("", clause["options"]).strip():
        return None
    return _switched(clause["options"], present)


def _switched(text: str, present: frozenset[str]) -> frozenset[str]:
    for name, value in _OPTION.findall(text):
        present = present | {name.upper()} if value.upper() == "TRUE" else present - {name.upper()}
    return present


def altered(statement: str, columns: Sequence[Column]) -> tuple[list[str], list[Column]] | None:
    """Give the clauses for DuckDB and the columns after them; None for what changes no column.

    Raises `ValueError` for a column that is not there, or is there already.
    """
    found = _ALTER.match(_COMMENT.sub("", statement))
    clause = found["clause"] if found else ""
    for verb, pattern in _CLAUSES.items():
        if match := pattern.match(clause):
            return {"add": _added, "drop": _dropped, "rename": _renamed, "free": _freed}[verb](match, list(columns))
    return None


def _added(found: re.Match[str], columns: list[Column]) -> tuple[list[str], list[Column]]:
    known = {one.name for one in columns}
    new = [_column(part) for part in _split(found["columns"])]
    if found["optional"]:
        new = [one for one in new if one.name not in known]
    for one in new:
        if one.name in known:
            raise ValueError(f"column '{one.name}' already exists")
    clauses = [f"ADD COLUMN {replace(one, nullable=True).declaration}" for one in new]
    clauses += [f"ALTER COLUMN {one.identifier} SET NOT NULL" for one in new if not one.nullable]
    return clauses, columns + new


def _dropped(found: re.Match[str], columns: list[Column]) -> tuple[list[str], list[Column]]:
    names = [_known(part, columns) for part in found["columns"].split(",")]
    return [f"DROP COLUMN {quoted(name)}" for name in names], [one for one in columns if one.name not in names]


def _renamed(found: re.Match[str], columns: list[Column]) -> tuple[list[str], list[Column]]:
    old, new = _known(found["old"], columns), _folded(found["new"])
    clause = f"RENAME COLUMN {quoted(old)} TO {quoted(new)}"
    return [clause], [replace(one, name=new) if one.name == old else one for one in columns]


def _freed(found: re.Match[str], columns: list[Column]) -> tuple[list[str], list[Column]]:
    """Take NOT NULL or DEFAULT away."""
    name = _known(found["old"], columns)
    taken: dict[str, Any] = {"default": None} if found["what"].upper() == "DEFAULT" else {"nullable": True}
    clause = f"ALTER COLUMN {quoted(name)} DROP {found['what']}"
    return [clause], [replace(one, **taken) if one.name == name else one for one in columns]


def _known(identifier: str, columns: Sequence[Column]) -> str:
    name = _folded(identifier.strip())
    if name not in {one.name for one in columns}:
        raise ValueError(f"column '{name}' does not exist")
    return name


def _column(declaration: str) -> Column:
    found = _COLUMN.match(declaration)
    if found is None:
        raise ValueError(f"not a column: {declaration.strip()!r}")
    rest = _NOT_NULL.sub("", found["rest"])
    nullable = rest == found["rest"]
    default = _DEFAULT.search(rest)
    counts = _COUNTS.search(rest)
    rest = _COUNTS.sub("", _DEFAULT.sub("", rest))
    if rest.strip():
        raise ValueError(f"unsupported clause of column {found['name']}: {rest.strip()!r}")
    made = column(_folded(found["name"]), found["type"], nullable=nullable)
    return replace(made, default=_expression(default["value"]) if default else None, counts=counts is not None)


def _expression(text: str) -> str:
    """Write a default as DuckDB takes it."""
    return "CURRENT_TIMESTAMP" if text.upper().startswith(_NOW) else text


def _split(body: str) -> list[str]:
    """Split at the commas that stand outside of parentheses."""
    return [part for part in re.split(r",(?![^(]*\))", body) if part.strip()]


def _folded(identifier: str) -> str:
    if identifier.startswith('"'):
        return identifier[1:-1].replace('""', '"')
    return identifier.upper()
