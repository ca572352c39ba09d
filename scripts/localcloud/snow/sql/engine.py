"""Runs statements. Whatever writes runs on one thread, one after the other; reads run beside it.

A transaction is a list of what it wrote, and locks. Each of its statements runs on top of what is committed now: the
list is run again, then the statement, and all of it is taken back until COMMIT runs the list for good. No transaction
of DuckDB stays open between two statements: its snapshot would grow old (Snowflake reads what is committed, statement
by statement), and its optimistic conflicts would end statements that ought to wait.
"""

import re
from collections.abc import Sequence

from sqlglot import exp

from scripts.localcloud.snow.identity.privileges import Privileges
from scripts.localcloud.snow.sql.locking import keys
from scripts.localcloud.snow.sql.locking.locks import WHOLE, Blocked, Key, Locks
from scripts.localcloud.snow.sql.objects import hybrid, pipes
from scripts.localcloud.snow.sql.objects.definition import SUCCESS, Definitions
from scripts.localcloud.snow.sql.objects.grants import Grants
from scripts.localcloud.snow.sql.session import Session, Transaction
from scripts.localcloud.snow.sql.statements.refusal import internal, too_many_shown, unknown_object
from scripts.localcloud.snow.sql.statements.rowset import Rowset, single
from scripts.localcloud.snow.sql.statements.statement import Name, Statement
from scripts.localcloud.snow.tables.catalog import Catalog
from scripts.localcloud.snow.tables.ddl import ICEBERG
from scripts.localcloud.snow.tables.warehouse import ERRORS, Table

MOST_SHOWN = 10_000  # rows of a SHOW: https://docs.snowflake.com/en/sql-reference/sql/show-tables
_IDENTITY = "IDENTITY START 1 INCREMENT 1 NOORDER"  # the default of a column that counts, as DESCRIBE shows it
ADMIN = 0  # the owner of locks that a test holds; sessions count from 1


class Engine:
    """Every session's statements; all but `read` outside of a transaction belong to the writing thread."""

    def __init__(self, definitions: Definitions, privileges: Privileges) -> None:
        self.definitions = definitions
        self.grants = Grants(privileges)
        self.most_shown = MOST_SHOWN
        self._locks = Locks()

    def read(self, session: Session, statement: Statement) -> Rowset:
        """Answer a query; inside of a transaction, with its own writes."""
        self.grants.admit(session, statement)
        sql = session.written(statement.tree)
        if session.transaction is None:
            return self._shown(session, statement, session.connection.run(sql))
        with session.connection.tentative():
            self._again(session, session.transaction)
            return self._shown(session, statement, session.connection.run(sql))

    def explain(self, session: Session, statement: Statement) -> Rowset:
        """Compile a statement, which asks for every privilege and for no warehouse, and run nothing of it."""
        if statement.target is not None and not session.connection.columns(name := session.full_name(statement.target)):
            raise unknown_object(name[-1])
        self.grants.permit(session, statement)
        return single("operation", "Result")

    def write(self, session: Session, statements: Sequence[Statement]) -> Rowset:
        """Run INSERT, UPDATE or DELETE, once for each row that was bound; give how many rows it changed.

        Raises `Blocked` when another transaction holds one of the rows; nothing has happened then.
        """
        for statement in statements:
            self.grants.admit(session, statement)
        if session.transaction is None and session.parameters.flag("AUTOCOMMIT"):
            with session.connection.lasting():
                return _total([self._written(session, one)[1] for one in statements])
        transaction = session.transaction = session.transaction or Transaction()
        with session.connection.tentative():
            self._again(session, transaction)
            written = [self._written(session, one) for one in statements]
        transaction.done += [(sql, _count(result)) for sql, result in written]
        return _total([result for _, result in written])

    def define(self, session: Session, statement: Statement) -> Rowset:
        """Create, alter, drop or truncate; a transaction that is open is committed first."""
        self.commit(session)
        self.grants.admit(session, statement)
        return self.definitions.run(session, statement)

    def pipe(self, session: Session, statement: Statement) -> Rowset:
        """Create, show, describe or drop a pipe."""
        return pipes.run(session, statement.text, self.definitions.catalog, self.grants)

    def begin(self, session: Session) -> Rowset:
        """Open a transaction; inside of one it does nothing."""
        session.transaction = session.transaction or Transaction()
        return single("status", SUCCESS)

    def commit(self, session: Session) -> Rowset:
        """Commit what the transaction wrote, and release its rows."""
        if session.transaction is not None:
            with session.connection.lasting():
                self._again(session, session.transaction)
        return self.rollback(session)

    def rollback(self, session: Session) -> Rowset:
        """Discard what the transaction wrote, and release its rows."""
        session.transaction = None
        self._locks.release(session.number)
        return single("status", SUCCESS)

    def hold(self, table: Name) -> None:
        """Lock every row of a table, as a test wants it."""
        self._locks.take(table, [WHOLE], ADMIN)

    def let_go(self) -> None:
        """Release what `hold` has locked."""
        self._locks.release(ADMIN)

    def _shown(self, session: Session, statement: Statement, result: Rowset) -> Rowset:
        if statement.kind != "show":
            return result
        objects = statement.tree.name.upper() if isinstance(statement.tree, exp.Show) else ""
        result = self.grants.seen(_alike(result, statement.tree.args.get("like")), objects, session.role)
        if statement.hybrid:
            return hybrid.shown(result)
        if objects == "TABLES":
            if len(result.rows) > self.most_shown:
                raise too_many_shown(self.most_shown)
            return _listed(result, self.definitions.catalog)
        described = statement.tree.this if isinstance(statement.tree, exp.Describe) else None
        table = (
            self.definitions.catalog.known(session.full_name(described)) if isinstance(described, exp.Table) else None
        )
        return _described(result, table) if table else result

    def show_grants(self, session: Session, statement: Statement) -> Rowset:
        """What the session's role may do with a table: https://docs.snowflake.com/en/sql-reference/sql/show-grants."""
        assert isinstance(statement.tree.this, exp.Table), statement.text
        name = session.full_name(statement.tree.this)
        rows = [[privilege, "TABLE", session.role] for privilege in self.grants.of(name, session.role)]
        return Rowset(("privilege", "granted_on", "grantee_name"), ["VARCHAR"] * 3, rows)

    def _again(self, session: Session, transaction: Transaction) -> None:
        for sql, count in transaction.done:
            changed = _count(session.connection.run(sql))
            if changed != count:
                raise internal(f"a locked row changed: {sql} wrote {count} rows, and {changed} when it was run again")

    def _written(self, session: Session, statement: Statement) -> tuple[str, Rowset]:
        self._lock(session, statement)
        sql = session.written(statement.tree)
        return sql, session.connection.run(sql)

    def _lock(self, session: Session, statement: Statement) -> None:
        """Take the rows that the statement writes, or raise `Blocked`. Without a transaction nothing is held."""
        assert statement.target is not None, statement.text
        table = session.full_name(statement.target)
        if session.transaction is None and not self._locks.contended(table, session.number):
            return
        key = session.connection.key(table)
        if not key and isinstance(statement.tree, exp.Insert):
            return  # rows that are added to a standard table are in nobody's way
        wanted = self._wanted(session, statement, table, key)
        holder = self._locks.holder(table, wanted, session.number)
        if holder is not None:
            raise Blocked(table, holder, hybrid=bool(key))
        if session.transaction is not None:
            self._locks.take(table, wanted, session.number)

    def _wanted(self, session: Session, statement: Statement, table: Name, key: list[str]) -> list[Key]:
        query = keys.written(statement.tree, key, session.connection.columns(table)) if key else None
        if query is None:
            return [WHOLE]
        return [tuple(row) for row in session.connection.run(session.written(query)).rows]


def _described(result: Rowset, table: Table) -> Rowset:
    """Show the declared types: those of DuckDB say less, and it has no columns that count by themselves."""
    declared = {one.name: one for one in table.columns}
    type_at, default_at = result.names.index("type"), result.names.index("default")
    rows = [list(row) for row in result.rows]
    for row in rows:
        if one := declared.get(str(row[0])):
            row[type_at] = one.type
            row[default_at] = _IDENTITY if one.counts else row[default_at]
    return Rowset(result.names, result.types, rows)


def _alike(result: Rowset, pattern: exp.Expr | None) -> Rowset:
    """Show the objects whose names are like a pattern, without regard to case: fakesnow forgets it for some kinds."""
    if pattern is None or "name" not in result.names:
        return result
    wanted = re.escape(pattern.name).replace("%", ".*").replace("_", ".")
    name = result.names.index("name")
    rows = [row for row in result.rows if re.fullmatch(wanted, str(row[name]), re.IGNORECASE)]
    return Rowset(result.names, result.types, rows)


def _listed(result: Rowset, catalog: Catalog) -> Rowset:
    """Show the options of tables that are streamed into, and no error tables.

    https://docs.snowflake.com/en/release-notes/bcr-bundles/2026_03/bcr-2185
    """
    asked = ("database_name", "schema_name", "name", "created_on", "enable_schema_evolution", "is_iceberg")
    database, schema, name, created, evolution, iceberg = (result.names.index(each) for each in asked)
    rows: list[list[object]] = []
    for row in result.rows:
        if str(row[name]).endswith(ERRORS):
            continue
        table = catalog.known((str(row[database]), str(row[schema]), str(row[name])))
        on = table.options if table else frozenset()
        shown = [*row, "ON" if "ERROR_LOGGING" in on else "OFF"]
        shown[evolution] = "Y" if "ENABLE_SCHEMA_EVOLUTION" in on else "N"
        shown[iceberg] = "Y" if ICEBERG in on else "N"
        shown[created] = table.created_at if table else row[created]
        rows.append(shown)
    return Rowset([*result.names, "error_logging"], [*result.types, "VARCHAR"], rows)


def _total(results: Sequence[Rowset]) -> Rowset:
    """Add up what the executions of one statement say they changed."""
    sums = [sum(int(value) for value in column) for column in zip(*(one.rows[0] for one in results), strict=True)]
    return Rowset(results[0].names, results[0].types, [sums])


def _count(result: Rowset) -> int:
    """Add up the rows that a statement says it changed."""
    return sum(int(value) for value in result.rows[0])
