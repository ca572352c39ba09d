"""CREATE, DROP, ALTER and TRUNCATE: which tables may be made, and by whom."""

from dataclasses import dataclass, replace

from sqlglot import exp

from scripts.localcloud.snow.sql.objects import hybrid
from scripts.localcloud.snow.sql.session import Session
from scripts.localcloud.snow.sql.statements.refusal import already_exists, compilation, unknown_object, unsupported
from scripts.localcloud.snow.sql.statements.rowset import Rowset, single
from scripts.localcloud.snow.sql.statements.statement import Name, Statement
from scripts.localcloud.snow.tables.catalog import Catalog
from scripts.localcloud.snow.tables.column import Column
from scripts.localcloud.snow.tables.ddl import UnsupportedType, altered, create_table, options
from scripts.localcloud.snow.tables.warehouse import Table, Warehouse

SUCCESS = "Statement executed successfully."


@dataclass
class Definitions:
    """Makes and drops tables; the catalog learns of those that rows can be streamed into."""

    warehouse: Warehouse
    catalog: Catalog
    hybrid_tables: bool = True

    def run(self, session: Session, statement: Statement) -> Rowset:
        """Run one definition."""
        if statement.target is None:
            return session.connection.run(statement.text)
        name = session.full_name(statement.target)
        if isinstance(statement.tree, exp.Create):
            return self._create(session, statement, statement.tree, name)
        table = self.catalog.known(name) if isinstance(statement.tree, exp.Alter) else None
        if table and (switched_on := options(statement.text, table.options)) is not None:
            changed_table = replace(table, options=switched_on)
            self.warehouse.create_error_table(changed_table)
            self.catalog.alter(changed_table)
            return single("status", SUCCESS)
        if table and (changed := _altered(statement, table)):
            self.warehouse.alter(table, changed[0])
            self.catalog.alter(replace(table, columns=tuple(changed[1])))
            return single("status", SUCCESS)
        result = session.connection.run(statement.text)
        if isinstance(statement.tree, exp.Drop):
            self.catalog.forget(name)
        return result

    def _create(self, session: Session, statement: Statement, tree: exp.Create, name: Name) -> Rowset:
        sql = self._declared(statement, tree)
        if not session.connection.holds(name[:2]):
            raise unknown_object(".".join(name[:2]))
        if session.connection.columns(name) and not tree.args.get("replace"):
            if tree.args.get("exists"):
                return single("status", f"{name[-1]} already exists, statement succeeded.")
            raise already_exists(name[-1])
        streamed = None if statement.hybrid else self._like(session, tree, name) or _streamed(statement, name)
        if streamed is None:
            return session.connection.run(sql)
        self.warehouse.drop(streamed)
        self.warehouse.create(streamed)
        self.catalog.forget(name)
        self.catalog.add(streamed)
        return single("status", f"Table {name[-1]} successfully created.")

    def _like(self, session: Session, tree: exp.Create, name: Name) -> Table | None:
        """CREATE TABLE … LIKE: https://docs.snowflake.com/en/sql-reference/sql/create-table#create-table-like."""
        found = tree.find(exp.LikeProperty)
        source = self.catalog.known(session.full_name(found.this)) if found else None
        return Table(*name, source.columns, source.options) if source else None

    def _declared(self, statement: Statement, tree: exp.Create) -> str:
        """Write a declaration as fakesnow takes it; a Hybrid Table is one that keeps its primary key."""
        if statement.is_view:
            return statement.text
        if not statement.hybrid:
            return hybrid.unenforced(tree).sql("snowflake")
        if not self.hybrid_tables:
            # https://docs.snowflake.com/en/user-guide/tables-hybrid-limitations: not in trial accounts.
            raise unsupported("HYBRID TABLE")
        hybrid.check(tree)
        return statement.text


def _altered(statement: Statement, table: Table) -> tuple[list[str], list[Column]] | None:
    try:
        return altered(statement.text, table.columns)
    except ValueError as exc:
        raise compilation("000904", "42000", f"invalid identifier: {exc}") from exc


def _streamed(statement: Statement, name: Name) -> Table | None:
    """Give the table when it is one of the types that streaming knows; it is made by the warehouse then."""
    try:
        _, columns, switched_on = create_table(statement.text)
    except UnsupportedType as exc:
        raise compilation("091386", "42601", str(exc)) from exc
    except ValueError:
        return None
    return Table(*name, tuple(columns), switched_on)
