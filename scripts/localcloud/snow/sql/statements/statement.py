"""One statement: its kind, the tables it reads and writes, and the values of the current time and names in it."""

import datetime as dt
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from scripts.localcloud.snow.sql.statements.refusal import syntax, unknown_object, unsupported
from scripts.localcloud.snow.tables.warehouse import ERRORS

Kind = Literal[
    "read", "write", "definition", "begin", "commit", "rollback", "session", "use", "show", "explain", "pipe", "grants"
]
Name = tuple[str, str, str]

SHOWN = 60  # characters of a statement that a refusal repeats

logging.getLogger("sqlglot").setLevel(logging.ERROR)  # what it does not know is refused here, in an answer

_HYBRID = re.compile(
    r"\A(?P<verb>\s*(?:CREATE(?:\s+OR\s+REPLACE)?|SHOW|DROP|DESC|DESCRIBE|ALTER))\s+HYBRID\b", re.IGNORECASE
)
_PIPE = re.compile(r"\A(?:CREATE(?:\s+OR\s+REPLACE)?|DROP|DESC|DESCRIBE|SHOW)\s+PIPES?\b", re.IGNORECASE)
_GRANTS = re.compile(r"\ASHOW\s+GRANTS\s+ON\s+TABLE\s+", re.IGNORECASE)
_EXPLAIN = re.compile(r"\A\s*EXPLAIN(?:\s+USING\s+\w+)?\s+", re.IGNORECASE)
_START = re.compile(r"\A\s*START\s+TRANSACTION\b", re.IGNORECASE)
_CUT_TO = {"EPOCH": "SECOND", "EPOCH_SECOND": "SECOND", "EPOCH_MILLISECOND": "MILLISECOND"}
_KINDS: dict[type[exp.Expr], Kind] = {
    exp.Insert: "write", exp.Update: "write", exp.Delete: "write",
    exp.Create: "definition", exp.Drop: "definition", exp.TruncateTable: "definition", exp.Alter: "definition",
    exp.Transaction: "begin", exp.Commit: "commit", exp.Rollback: "rollback",
    exp.Use: "use", exp.Show: "show", exp.Describe: "show",
}  # fmt: skip


@dataclass(frozen=True)
class Statement:
    """`text` is the statement without the keyword HYBRID (see `hybrid`); values are bound already."""

    text: str
    tree: exp.Expr
    kind: Kind
    hybrid: bool = False

    @property
    def target(self) -> exp.Table | None:
        """The table or view that is written or defined."""
        defines = self.tree.args.get("kind", "TABLE") in ("TABLE", "VIEW")
        if self.kind not in ("write", "definition", "explain") or not defines:
            return None
        named = self.tree.args.get("tables") or self.tree.args.get("this") or self.tree.expressions
        this = named[0] if isinstance(named, list) else named
        if isinstance(this, exp.Schema):
            this = this.this
        return this if isinstance(this, exp.Table) else None

    @property
    def is_view(self) -> bool:
        """Whether it defines a view."""
        return self.tree.args.get("kind") == "VIEW"

    @property
    def system_function(self) -> str | None:
        """The function of the service itself that is all this statement asks for, such as `SYSTEM$ALLOWLIST`."""
        if not isinstance(self.tree, exp.Select) or len(self.tree.expressions) != 1:
            return None
        called = self.tree.expressions[0].unalias()
        return called.name.upper() if isinstance(called, exp.Anonymous) and not called.expressions else None

    def scope(self, database: str | None) -> tuple[str, ...]:
        """The database, or database and schema, that SHOW is to look in; empty where it does not say."""
        named = self.tree.args.get("scope")
        parts = [_folded(part) for part in named.parts] if isinstance(named, exp.Table) else []
        if self.tree.args.get("scope_kind") == "SCHEMA" and len(parts) == 1 and database:
            parts.insert(0, database)
        return tuple(parts)

    def sources(self) -> list[exp.Table]:
        """The tables that are read; names of common table expressions are none."""
        if self.kind == "definition" and not isinstance(self.tree, exp.Create):
            return []
        local = {one.alias_or_name for one in self.tree.find_all(exp.CTE)}
        return [one for one in self.tree.find_all(exp.Table) if one is not self.target and one.name not in local]


def parse(sql: str) -> Statement:
    """Read one statement of Snowflake's SQL, or refuse it."""
    if explained := _EXPLAIN.match(sql):
        return replace(parse(sql[explained.end() :]), kind="explain")
    text = _START.sub("BEGIN", sql.strip().rstrip(";"))
    if _PIPE.match(text):  # sqlglot knows none of them
        return Statement(text, exp.Command(this="PIPE"), "pipe")
    if found := _GRANTS.match(text):
        return Statement(text, parse(f"DESCRIBE TABLE {text[found.end() :]}").tree, "grants")
    found = _HYBRID.match(text)
    if found is not None:
        text = found["verb"] + text[found.end() :]
    try:
        trees = [one for one in sqlglot.parse(text, read="snowflake") if one is not None]
    except SqlglotError as exc:
        raise syntax(_plain(str(exc))) from exc
    if len(trees) != 1:
        raise syntax(f"{len(trees)} statements in one request; one is expected")
    (tree,) = trees
    return Statement(text, tree.transform(_error_table), _kind(tree), found is not None)


def resolved(table: exp.Table, database: str | None, schema: str | None) -> Name:
    """Give the three parts of a table's name, unquoted ones in upper case; refuse what the session cannot complete."""
    parts = [_folded(part) for part in table.parts]
    missing = [database, schema][: 3 - len(parts)]
    if None in missing:
        raise unknown_object(".".join(parts))
    first, second, third = [*(part for part in missing if part is not None), *parts]
    return first, second, third


def settings(tree: exp.Expr) -> dict[str, str | None]:
    """Give what ALTER SESSION sets, by name; None is to be unset."""
    items = list(tree.find_all(exp.SetItem))
    pairs = [one.this for one in items if isinstance(one.this, exp.EQ)]
    return {one.this.name: one.expression.name or one.expression.sql() for one in pairs} | {
        one.this.name: None for one in items if not isinstance(one.this, exp.EQ)
    }


def present(tree: exp.Expr, now: dt.datetime, here: Mapping[type[exp.Expr], str | None]) -> exp.Expr:
    """Write the current time and the session's names as literals: a statement means the same when it is run again.

    A column without a name is called by its text, as Snowflake does it, with paths written as GET_PATH.
    """
    if isinstance(tree, exp.Select):
        tree = tree.copy()
        tree.set("expressions", [_named(one) for one in tree.expressions])
    return tree.transform(_cut).transform(lambda node: _literal(node, now, here))


def _error_table(node: exp.Expr) -> exp.Expr:
    """Write the table of rejected rows for `ERROR_TABLE(name)`."""
    called = node.this if isinstance(node, exp.Table) else None
    if not (isinstance(called, exp.Anonymous) and called.name.upper() == "ERROR_TABLE" and called.expressions):
        return node
    *schema, table = called.expressions[0].parts
    named = exp.to_identifier(_folded(table) + ERRORS, quoted=True)
    return exp.Table(
        **dict(zip(("db", "catalog"), reversed(schema), strict=False)), this=named, alias=node.args.get("alias")
    )


def _cut(node: exp.Expr) -> exp.Expr:
    """Cut a time since 1970 off, which DuckDB rounds. https://docs.snowflake.com/en/sql-reference/functions/date_part."""
    if not isinstance(node, exp.Extract) or node.this.name.upper() not in _CUT_TO:
        return node
    unit = exp.Literal.string(_CUT_TO[node.this.name.upper()])
    whole = exp.func("DATE_TRUNC", unit, node.expression)
    return exp.Extract(this=node.this, expression=whole)


def _literal(node: exp.Expr, now: dt.datetime, here: Mapping[type[exp.Expr], str | None]) -> exp.Expr:
    if isinstance(node, exp.CurrentTimestamp | exp.Localtimestamp):
        local = isinstance(node, exp.Localtimestamp) or bool(node.args.get("sysdate"))
        time = now.replace(tzinfo=None) if local else now
        kind = exp.DataType.Type.TIMESTAMPNTZ if local else exp.DataType.Type.TIMESTAMPLTZ
        return exp.cast(exp.Literal.string(time.isoformat(" ", "microseconds")), kind)
    if isinstance(node, exp.CurrentDate):
        return exp.cast(exp.Literal.string(now.date().isoformat()), exp.DataType.Type.DATE)
    if type(node) in here:
        name = here[type(node)]
        return exp.Null() if name is None else exp.Literal.string(name)
    return node


def _named(one: exp.Expr) -> exp.Expr:
    if isinstance(one, exp.Alias | exp.Column | exp.Star) or one.is_star:
        return one
    return exp.alias_(one, one.sql("snowflake").upper(), quoted=True)


def _kind(tree: exp.Expr) -> Kind:
    if isinstance(tree, exp.Alter) and tree.args.get("kind") == "SESSION":
        return "session"
    if isinstance(tree, exp.Merge):  # fakesnow makes several statements of it, over two databases
        raise unsupported("MERGE")
    if tree.args.get("locks"):  # fakesnow leaves it out and reports no error
        raise unsupported("FOR UPDATE")
    if isinstance(tree, exp.Query):
        return "read"
    kind = _KINDS.get(type(tree))
    if kind is None:
        raise unsupported(tree.sql("snowflake")[:SHOWN])
    return kind


def _folded(part: exp.Expr) -> str:
    quoted = isinstance(part, exp.Identifier) and part.quoted
    return part.name if quoted else part.name.upper()


def _plain(message: str) -> str:
    """Take the colours for a terminal out of sqlglot's message."""
    return re.sub(r"\x1b\[\d*m", "", message)
