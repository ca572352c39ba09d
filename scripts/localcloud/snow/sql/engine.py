"""Runs statements. Whatever writes runs on one thread, one after the other; reads run beside it.

A transaction is a list of what it wrote, and locks. Each of its statements runs on top of what is committed now: the
list is run again, then the statement, and all of it is taken back until COMMIT runs the list for good.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from sqlglot import exp

from . import hybrid, keys
from .grants import Grants
from .locks import WHOLE, Blocked, Key, Locks
from .refusal import already_exists, internal, no_warehouse, unknown_object, unsupported
from .rowset import Rowset, single
from .session import Session, Transaction
from .statement import Name, Statement, present, resolved

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scripts.localcloud.snow.warehouse import Table, Warehouse

SUCCESS = "Statement executed successfully."
ADMIN = 0  # the owner of locks that a test holds; sessions count from 1
_PRIVILEGES: dict[type[exp.Expr], str] = {exp.Insert: "INSERT", exp.Update: "UPDATE", exp.Delete: "DELETE"}


class Engine:
    """Every session's statements; `write` and what it calls belong to the writing thread."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self.grants = Grants()
        self.locks = Locks()
        self.hybrid_tables = True

    def read(self, session: Session, statement: Statement) -> Rowset:
        """Answer a query; inside a transaction that wrote, with its own writes (on the writing thread then)."""
        self._admit(session, statement)
        sql = self._sql(session, statement)
        if session.transaction is None or not session.transaction.done:
            return session.speaker.run(sql)
        with session.speaker.tentative():
            self._again(session, session.transaction)
            return session.speaker.run(sql)

    def write(self, session: Session, statements: Sequence[Statement]) -> Rowset:
        """Run INSERT, UPDATE, DELETE or MERGE, once for each row that was bound; give how many rows it changed.

        Raises `Blocked` when another transaction holds one of the rows; nothing has happened then.
        """
        for statement in statements:
            self._admit(session, statement)
        if session.transaction is None and session.parameters.flag("AUTOCOMMIT"):
            try:
                with session.speaker.lasting():
                    return _total([self._written(session, one)[1] for one in statements])
            finally:
                self.locks.release(session.number)
        transaction = session.transaction = session.transaction or Transaction()
        with session.speaker.tentative():
            self._again(session, transaction)
            written = [self._written(session, one) for one in statements]
        transaction.done += [(sql, _count(result)) for sql, result in written]
        return _total([result for _, result in written])

    def define(self, session: Session, statement: Statement, streamed: Table | None) -> Rowset:
        """Create, alter, drop or truncate; a transaction that is open is committed first.

        A table that rows can be streamed into is made by the warehouse, which knows the types of its columns.
        """
        self.commit(session)
        self._admit(session, statement)
        if not isinstance(statement.tree, exp.Create) or statement.target is None:
            return session.speaker.run(statement.text)
        name = self.target(session, statement)
        sql = self._declared(statement)
        if not session.speaker.has_schema(name):
            raise unknown_object(".".join(name[:2]))
        if session.speaker.columns(name):
            if statement.tree.args.get("exists"):
                return single("status", f"{name[-1]} already exists, statement succeeded.")
            if not statement.tree.args.get("replace"):
                raise already_exists(name[-1])
        if streamed is None:
            return session.speaker.run(sql)
        self._warehouse.drop(streamed)
        self._warehouse.create(streamed)
        return created(streamed.name)

    def hold(self, table: Name) -> None:
        """Lock every row of a table, as a test wants it."""
        self.locks.take(table, [WHOLE], ADMIN)

    def let_go(self) -> None:
        """Release what `hold` has locked."""
        self.locks.release(ADMIN)

    def begin(self, session: Session) -> Rowset:
        """Open a transaction; inside of one it is an empty word."""
        session.transaction = session.transaction or Transaction()
        return single("status", SUCCESS)

    def commit(self, session: Session) -> Rowset:
        """Write for good what the transaction wrote, and let its rows go."""
        transaction = session.transaction
        if transaction is not None and transaction.done:
            with session.speaker.lasting():
                self._again(session, transaction)
        return self.rollback(session)

    def rollback(self, session: Session) -> Rowset:
        """Forget what the transaction wrote, and let its rows go."""
        session.transaction = None
        self.locks.release(session.number)
        return single("status", SUCCESS)

    def _again(self, session: Session, transaction: Transaction) -> None:
        for sql, count in transaction.done:
            changed = _count(session.speaker.run(sql))
            if changed != count:
                raise internal(f"a locked row changed: {sql} wrote {count} rows, and {changed} when it was run again")

    def _written(self, session: Session, statement: Statement) -> tuple[str, Rowset]:
        self._lock(session, statement)
        sql = self._sql(session, statement)
        return sql, session.speaker.run(sql)

    def _lock(self, session: Session, statement: Statement) -> None:
        """Take the rows that the statement writes, or raise `Blocked`."""
        table = self.target(session, statement)
        key = session.speaker.key(table)
        if not key and isinstance(statement.tree, exp.Insert):
            return  # rows that are added to a standard table are in nobody's way
        if session.transaction is None and not self.locks.contended(table, session.number):
            return  # it will be over before anybody else's begins
        wanted = self._wanted(session, statement, key, table)
        holder = self.locks.holder(table, wanted, session.number)
        if holder is not None:
            raise Blocked(table, holder, hybrid=bool(key))
        self.locks.take(table, wanted, session.number)

    def _wanted(self, session: Session, statement: Statement, key: list[str], table: Name) -> list[Key]:
        query = keys.written(statement.tree, key, session.speaker.columns(table)) if key else None
        if query is None:
            return [WHOLE]
        return [tuple(row) for row in session.speaker.run(self._here(session, query).sql("snowflake")).rows]

    def _declared(self, statement: Statement) -> str:
        """Write a definition as fakesnow takes it: hybrid is what keeps its primary key."""
        tree = statement.tree
        if not isinstance(tree, exp.Create) or tree.args.get("kind") != "TABLE":
            return statement.text
        if not statement.hybrid:
            return hybrid.unenforced(tree).sql("snowflake")
        if not self.hybrid_tables:
            # https://docs.snowflake.com/en/user-guide/tables-hybrid-limitations: not in trial accounts.
            raise unsupported("HYBRID TABLE")
        hybrid.check(tree)
        return statement.text

    def _admit(self, session: Session, statement: Statement) -> None:
        """Refuse what the session has no warehouse or its role no privilege for."""
        sources = [self._name(session, one) for one in statement.sources() if not _catalogued(one)]
        if session.warehouse is None and (sources or statement.kind == "write" or statement.hybrid):
            raise no_warehouse()
        for name in sources:
            self.grants.require_on_table("SELECT", name, session.role)
        if statement.kind == "write":
            table = self.target(session, statement)
            self.grants.require_on_table(_PRIVILEGES.get(type(statement.tree), "UPDATE"), table, session.role)
        if isinstance(statement.tree, exp.Create) and statement.target is not None:
            privilege = "CREATE HYBRID TABLE" if statement.hybrid else "CREATE TABLE"
            self.grants.require_on_schema(privilege, self.target(session, statement), session.role)

    def target(self, session: Session, statement: Statement) -> Name:
        """Give the full name of the table that a statement writes or defines."""
        target = statement.target
        assert target is not None, statement.text
        return self._name(session, target)

    def _name(self, session: Session, table: exp.Table) -> Name:
        return resolved(table, session.speaker.database, session.speaker.schema)

    def _sql(self, session: Session, statement: Statement) -> str:
        return self._here(session, statement.tree).sql("snowflake")

    def _here(self, session: Session, tree: exp.Expr) -> exp.Expr:
        account, _, user = session.user.subject.partition(".")
        names: dict[type[exp.Expr], str | None] = {
            exp.CurrentAccount: account,
            exp.CurrentUser: user,
            exp.CurrentRole: session.role,
            exp.CurrentWarehouse: session.warehouse,
            exp.CurrentDatabase: session.speaker.database,
            exp.CurrentSchema: session.speaker.schema,
            exp.CurrentSession: str(session.number),
        }
        return present(tree, dt.datetime.now(dt.UTC), names)


def created(name: str) -> Rowset:
    """Say that a table was made."""
    return single("status", f"Table {name} successfully created.")


def _total(results: Sequence[Rowset]) -> Rowset:
    """Add up what the executions of one statement say they changed."""
    sums = [sum(int(value) for value in column) for column in zip(*(one.rows[0] for one in results), strict=True)]
    return Rowset(results[0].names, results[0].types, [sums])


def _count(result: Rowset) -> int:
    """Add up the rows that a statement says it changed."""
    return sum(int(value) for value in result.rows[0])


def _catalogued(table: exp.Table) -> bool:
    """Say whether it is a view of INFORMATION_SCHEMA, which everybody may read without a warehouse."""
    return table.db.upper() == "INFORMATION_SCHEMA"
