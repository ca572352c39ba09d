"""The statements of all sessions in order: one at a time a session, writers in one thread, waits on locks here."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from sqlglot import exp

from scripts.localcloud.snow.identity.privileges import Privileges
from scripts.localcloud.snow.sql.connection import Dialect
from scripts.localcloud.snow.sql.engine import Engine
from scripts.localcloud.snow.sql.locking.locks import Blocked
from scripts.localcloud.snow.sql.locking.waits import Waits, left_s
from scripts.localcloud.snow.sql.objects.definition import SUCCESS, Definitions
from scripts.localcloud.snow.sql.session import IDLE_TRANSACTION_S, Login, Session, Sessions
from scripts.localcloud.snow.sql.statements.refusal import canceled, role_not_assigned
from scripts.localcloud.snow.sql.statements.rowset import Rowset, single
from scripts.localcloud.snow.sql.statements.statement import Statement, parse, settings
from scripts.localcloud.snow.tables.catalog import Catalog
from scripts.localcloud.snow.tables.warehouse import Warehouse

READERS = 2  # threads; the machine is shared with the client that streams

T = TypeVar("T")


class Database:
    """Lives on the event loop. fakesnow, which takes a second or two to import, is loaded at the first login."""

    def __init__(
        self, warehouse: Warehouse, catalog: Catalog, privileges: Privileges, allowlist: Callable[[], str]
    ) -> None:
        self.sessions = Sessions()
        self.engine = Engine(Definitions(warehouse, catalog), privileges)
        self.idle_transaction_s = IDLE_TRANSACTION_S
        self._warehouse = warehouse
        self._allowlist = allowlist
        self._dialect: Dialect | None = None
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="sql-write")
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="sql-read")
        self._waits = Waits()

    async def login(self, login: Login) -> Session:
        """Open a session; a database or schema that does not exist is left unset, as the service does it."""
        connection = await self._writing(lambda: self._loaded().connect(login.database, login.schema))
        return self.sessions.open(login, connection)

    async def logout(self, session: Session) -> None:
        """End a session; what it has not committed is rolled back."""
        self.sessions.close(session)
        async with session.running:
            await self._ending(self.engine.rollback, session)
            session.connection.close()

    async def run(self, session: Session, request_id: str, executions: Sequence[str]) -> tuple[Statement, Rowset]:
        """Run one statement, written out once for each row that was bound to it."""
        statements = [parse(sql) for sql in executions]
        async with session.running:
            session.last_used = time.monotonic()
            try:
                return statements[0], await self._run(session, request_id, statements)
            finally:
                session.last_used = time.monotonic()

    def abort(self, session: Session, request_id: str) -> None:
        """End a statement that waits for a lock."""
        session.aborted.add(request_id)
        self._waits.wake()

    async def heal(self) -> None:
        """Take back what tests have forbidden or locked."""
        self.engine.definitions.hybrid_tables = True
        self.idle_transaction_s = IDLE_TRANSACTION_S
        await self.let_go()

    async def hold(self, table: tuple[str, str, str]) -> None:
        """Lock every row of a table until `let_go`."""
        await self._writing(self.engine.hold, table)

    async def let_go(self) -> None:
        """Release what `hold` has locked."""
        await self._ending(self.engine.let_go)

    def close(self) -> None:
        """Let everything go; statements that still run or wait are not answered."""
        for session in self.sessions.all():
            session.cancel()
        self._writer.shutdown(cancel_futures=True)
        self._readers.shutdown(cancel_futures=True)

    async def _run(self, session: Session, request_id: str, statements: list[Statement]) -> Rowset:
        statement = statements[0]
        match statement.kind:
            case "write":
                return await self._write(session, request_id, statements)
            case "begin":
                return self.engine.begin(session)
            case "commit":
                return await self._ending(self.engine.commit, session)
            case "rollback":
                return await self._ending(self.engine.rollback, session)
            case "definition":
                return await self._ending(self.engine.define, session, statement)
            case "grants":
                return await self._writing(self.engine.show_grants, session, statement)
            case "pipe":
                return await self._writing(self.engine.pipe, session, statement)
            case "explain":
                return await self._on(self._readers, self.engine.explain, session, statement)
            case "session":
                return await self._set(session, statement)
            case "read" if statement.system_function == "SYSTEM$ALLOWLIST":
                return single(statement.tree.expressions[0].alias or "SYSTEM$ALLOWLIST()", self._allowlist())
            case "use" if statement.tree.args.get("kind") is not None and _switch(session, statement.tree):
                return single("status", SUCCESS)
            case _:
                return await self._read(session, statement)

    async def _read(self, session: Session, statement: Statement) -> Rowset:
        if session.transaction is not None:
            return await self._writing(self.engine.read, session, statement)
        return await self._on(self._readers, self.engine.read, session, statement)

    async def _write(self, session: Session, request_id: str, statements: list[Statement]) -> Rowset:
        """Write, and while somebody else holds one of the rows, wait and try again."""
        started = time.monotonic()
        try:
            while request_id not in session.aborted:
                released = self._waits.released
                try:
                    return await self._writing(self.engine.write, session, statements)
                except Blocked as blocked:
                    limit_s = left_s(session.parameters, blocked, time.monotonic() - started)
                    self._waits.begin(session.number, blocked.holder)
                    await self._wait(blocked.holder, released, limit_s)
            raise canceled()
        finally:
            self._waits.end(session.number)
            session.aborted.discard(request_id)

    async def _wait(self, number: int, released: asyncio.Event, limit_s: float) -> None:
        """Wait until a lock was released; a holder that idles for too long loses its transaction."""
        holder = self.sessions.numbered(number)
        idle_left_s = self.idle_transaction_s - holder.idle_s if holder else limit_s
        if holder is not None and idle_left_s <= 0:
            await self._ending(self.engine.rollback, holder)
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(released.wait(), min(limit_s, idle_left_s))

    async def _set(self, session: Session, statement: Statement) -> Rowset:
        """Set or unset parameters of the session; switching AUTOCOMMIT commits what is open."""
        for name, value in settings(statement.tree).items():
            if name.upper() == "AUTOCOMMIT":
                await self._ending(self.engine.commit, session)
            if value is None:
                session.parameters.unset(name)
            else:
                session.parameters.set(name, value)
        return single("status", SUCCESS)

    def _loaded(self) -> Dialect:
        from scripts.localcloud.snow.sql.connection import Dialect

        if self._dialect is None:
            self._dialect = Dialect(self._warehouse)
        return self._dialect

    async def _writing(self, call: Callable[..., T], *arguments: Any) -> T:
        return await self._on(self._writer, call, *arguments)

    async def _ending(self, call: Callable[..., T], *arguments: Any) -> T:
        """Make a call that may release locks, and let those who wait for one try again."""
        try:
            return await self._writing(call, *arguments)
        finally:
            self._waits.wake()

    async def _on(self, pool: ThreadPoolExecutor, call: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(pool, call, *arguments)


def _switch(session: Session, tree: exp.Expr) -> bool:
    """Take up another role or warehouse; a database or schema is fakesnow's to switch."""
    kind, name = tree.args["kind"].name.upper(), tree.this.name.upper()
    if kind == "ROLE":
        if session.user.roles and name not in session.user.roles:
            raise role_not_assigned(name)
        session.role = name
    elif kind == "WAREHOUSE":
        session.warehouse = name
    return kind in ("ROLE", "WAREHOUSE")
