"""Declarations of tables: what a Hybrid Table must have, and what a standard one says without it being enforced.

https://docs.snowflake.com/en/sql-reference/sql/create-hybrid-table
"""

from collections.abc import Iterator

from sqlglot import exp

from scripts.localcloud.snow.sql.statements.refusal import compilation
from scripts.localcloud.snow.sql.statements.rowset import Rowset

_KEY = exp.PrimaryKeyColumnConstraint
_NOT_ENFORCED = (exp.PrimaryKey, exp.ForeignKey, exp.UniqueColumnConstraint)
_SHOWN = ("created_on", "name", "database_name", "schema_name", "owner", "rows", "bytes", "comment", "owner_role_type")
_NO_KEY_TYPES = frozenset({exp.DataType.Type.TIMESTAMPTZ, exp.DataType.Type.VARIANT, exp.DataType.Type.OBJECT,
                           exp.DataType.Type.ARRAY})  # fmt: skip


def check(tree: exp.Create) -> None:
    """Refuse a Hybrid Table without a primary key, or with a column in it that cannot be one."""
    name = tree.find(exp.Table)
    key = set(_key(tree))
    if not key:
        text = f"Hybrid table '{name.name if name else ''}' must have a PRIMARY KEY constraint."
        raise compilation("391411", "0A000", text)
    for column in tree.find_all(exp.ColumnDef):
        kind = column.args.get("kind")
        if column.name.upper() in key and isinstance(kind, exp.DataType) and kind.this in _NO_KEY_TYPES:
            text = f"Column '{column.name.upper()}' of type {kind.sql('snowflake')} cannot be part of a primary key."
            raise compilation("391412", "0A000", text)


def unenforced(tree: exp.Create) -> exp.Create:
    """Remove the keys from a standard table: Snowflake does not enforce them and accepts any row."""
    plain = tree.copy()
    for column in plain.find_all(exp.ColumnDef):
        kept = [one for one in column.args.get("constraints") or [] if not isinstance(one.kind, (_KEY, *_NOT_ENFORCED))]
        column.set("constraints", kept)
    if isinstance(plain.this, exp.Schema):
        kept = [one for one in plain.this.expressions if not _constrains(one)]
        plain.this.set("expressions", kept)
    return plain


def shown(tables: Rowset) -> Rowset:
    """Give what SHOW HYBRID TABLES says of the tables that SHOW TABLES lists.

    https://docs.snowflake.com/en/sql-reference/sql/show-hybrid-tables
    """
    places = [tables.names.index(name) for name in _SHOWN]
    flag = tables.names.index("is_hybrid")
    rows = [[row[place] for place in places] for row in tables.rows if row[flag] == "Y"]
    return Rowset(_SHOWN, [tables.types[place] for place in places], rows)


def _constrains(part: exp.Expr) -> bool:
    return isinstance(part, exp.Constraint | exp.UniqueColumnConstraint | exp.PrimaryKey | exp.ForeignKey)


def _key(tree: exp.Create) -> Iterator[str]:
    for declared in tree.find_all(exp.PrimaryKey):
        yield from (one.name.upper() for one in declared.expressions)
    for column in tree.find_all(exp.ColumnDef):
        if any(isinstance(one.kind, _KEY) for one in column.args.get("constraints") or []):
            yield column.name.upper()
