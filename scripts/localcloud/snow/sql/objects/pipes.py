"""CREATE, DESCRIBE, SHOW and DROP PIPE: named pipes with the statement they were made of.

https://docs.snowflake.com/en/sql-reference/sql/create-pipe, …/desc-pipe and …/show-pipes. The definition is shown as it
was written and not run: rows are matched to columns by name, whatever it says.
"""

import re

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from scripts.localcloud.snow.http.refusal import Refusal
from scripts.localcloud.snow.sql.objects.grants import Grants
from scripts.localcloud.snow.sql.session import Session
from scripts.localcloud.snow.sql.statements.refusal import already_exists, syntax, unknown_object
from scripts.localcloud.snow.sql.statements.rowset import Rowset, single
from scripts.localcloud.snow.sql.statements.statement import resolved
from scripts.localcloud.snow.tables.catalog import Catalog, Definition, Name

_NAME = r'(?P<name>(?:"(?:[^"]|"")+"|[\w$]+)(?:\s*\.\s*(?:"(?:[^"]|"")+"|[\w$]+)){0,2})'
_CREATE = re.compile(
    rf"CREATE(?P<replace>\s+OR\s+REPLACE)?\s+PIPE\s+(?P<optional>IF\s+NOT\s+EXISTS\s+)?{_NAME}"
    r"(?:\s+COMMENT\s*=\s*'(?P<comment>[^']*)')?\s+AS\s+(?P<copy>COPY\s+INTO\b.*)\Z",
    re.IGNORECASE | re.DOTALL,
)
_INTO = re.compile(rf"COPY\s+INTO\s+{_NAME}", re.IGNORECASE)
_DESCRIBE = re.compile(rf"DESC(?:RIBE)?\s+PIPE\s+{_NAME}\Z", re.IGNORECASE)
_SHOW = re.compile(rf"SHOW\s+PIPES(?:\s+IN\s+SCHEMA\s+{_NAME})?\Z", re.IGNORECASE)
_DROP = re.compile(rf"DROP\s+PIPE\s+(?P<optional>IF\s+EXISTS\s+)?{_NAME}\Z", re.IGNORECASE)

_COLUMNS = ("created_on", "name", "database_name", "schema_name", "definition", "owner", "notification_channel",
            "comment", "integration", "pattern", "error_integration", "invalid_reason", "kind")  # fmt: skip
_TYPES = ("TIMESTAMP WITH TIME ZONE", *["VARCHAR"] * (len(_COLUMNS) - 1))


def run(session: Session, text: str, catalog: Catalog, grants: Grants) -> Rowset:
    """Run one statement about pipes."""
    if found := _CREATE.match(text):
        return _create(session, found, catalog)
    if found := _DESCRIBE.match(text):
        name, made = _there(session, found["name"], catalog)
        # Its page says that others get no result. That it is this error, and no empty result, is a guess.
        grants.require_sight(name, session.role, ("OPERATE", "MONITOR"))
        return Rowset(_COLUMNS, _TYPES, [_row(name, made)])
    if found := _SHOW.match(text):
        schema = _name(session, f"{found['name']}.X")[:2] if found["name"] else None
        rows = [_row(name, made) for name, made in catalog.definitions().items() if schema in (None, name[:2])]
        return Rowset(_COLUMNS, _TYPES, rows)
    if found := _DROP.match(text):
        name = _name(session, found["name"])
        if name in catalog.definitions() or not found["optional"]:
            catalog.drop_pipe(_there(session, found["name"], catalog)[0])
        return single("status", f"{name[-1]} successfully dropped.")
    raise syntax(f"syntax error in {text[:60]!r}")


def _create(session: Session, found: re.Match[str], catalog: Catalog) -> Rowset:
    name = _name(session, found["name"])
    into = _INTO.match(found["copy"])
    if into is None:
        raise syntax("COPY INTO without a table")
    if name in catalog.definitions() and not found["replace"]:
        if found["optional"]:
            return single("status", f"{name[-1]} already exists, statement succeeded.")
        raise already_exists(name[-1])
    try:
        catalog.add_pipe(name, _name(session, into["name"]), found["copy"], found["comment"] or "")
    except Refusal as exc:
        raise unknown_object(into["name"]) from exc
    return single("status", f"Pipe {name[-1]} successfully created.")


def _there(session: Session, text: str, catalog: Catalog) -> tuple[Name, Definition]:
    name = _name(session, text)
    made = catalog.definitions().get(name)
    if made is None:
        raise unknown_object(name[-1])
    return name, made


def _name(session: Session, text: str) -> Name:
    try:
        table = sqlglot.parse_one(text, into=exp.Table, read="snowflake")
    except SqlglotError as exc:
        raise syntax(f"{text} is no name") from exc
    assert isinstance(table, exp.Table)
    return resolved(table, session.connection.database, session.connection.schema)


def _row(name: Name, made: Definition) -> list[object]:
    database, schema, pipe = name
    shown = [made.created_at, pipe, database, schema, made.text, "SYSADMIN", None, made.comment or None]
    return [*shown, None, None, None, None, "STREAMING"]
