# ruff: noqa: D102 (each method is described where it is declared)
"""Snowflake: the control store of many hosts, in Hybrid Tables.

Hybrid Tables enforce their primary keys and lock rows; standard tables do neither, and are refused.
https://docs.snowflake.com/en/user-guide/tables-hybrid

Statements commit one by one: that is the fast path of Hybrid Tables, Snowflake advises against MERGE there, and there
is no RETURNING (https://docs.snowflake.com/en/sql-reference/transactions, "Best practices"). So an upsert is an UPDATE
whose count of rows decides, an INSERT when there was no row, and the UPDATE again when somebody else inserted first;
what the winner needs to know is read back by the etag it wrote. Only an "atomic" write (what a person does to a
checkpoint, quarantined rows) is a transaction, with its audit row. The count of rows decides there, too: isolation is
READ COMMITTED, and the row stays locked. A statement that could not get a lock in time leaves the transaction open, and
is tried again in it.

A claim and its fence are two commits then, and this is why it is safe. A term is given out only after the fence has
raised the checkpoint row to the term's epoch.

- A crash between the two leaves an owner without a term, so nobody writes under its epoch; the lease runs out and the
  next claim, with a higher epoch, fences. The store object itself, when only the reply was lost, finds the claim again
  by its etag and fences then.
- A late writer of an older epoch can save a checkpoint until the fence, not after it. That checkpoint is true (what it
  says is in the table), and the new owner reads it after the fence.
- A fence that comes late, after another claim has fenced with a higher epoch, changes no row: no term.

Every statement may be given twice by the connector when a reply is lost: each finds its own etag, or the row as it left
it. In a transaction a lost session is not begun anew: what it had changed is rolled back, and the rest must not follow.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TypeVar

from shared.clock import Deadline, backoff_s
from shared.config.settings import ControlSettings, SnowflakeSettings
from shared.control import schema
from shared.control.database import CALL_S, Database, Mode, Row, Run
from shared.control.queries import qmark
from shared.errors import (
    AlreadyExists,
    Bug,
    ConfigurationError,
    DoesNotExist,
    DuplicateKey,
    NoControlTables,
    NotPermitted,
    NotSignedIn,
    RowLocked,
    SnowflakeUnavailable,
    StoreUnavailable,
    Unsupported,
)
from shared.snowflake.session import SqlSession

Result = TypeVar("Result")

# The default is an hour: https://docs.snowflake.com/en/sql-reference/parameters#hybrid-table-lock-timeout
LOCK_S = 2
# Reads in a session see its own writes at once and those of others up to 100 ms late, unless it says otherwise:
# https://docs.snowflake.com/en/user-guide/tables-hybrid-limitations
_SESSION = {"READ_LATEST_WRITES": True, "HYBRID_TABLE_LOCK_TIMEOUT": LOCK_S}

_INSERT = {
    "claim": "claim_new",
    "compare_and_set": "claim_new",
    "fence": "fence_new",
    "save_checkpoint": "save_checkpoint_new",
    "heartbeat": "heartbeat_new",
}
_READ_BACK = {"claim": "taken", "compare_and_set": "taken", "renew": "renewed"}

_GRANTS = (
    "`evsup init` needs CREATE HYBRID TABLE on the schema, and evsup SELECT, INSERT and UPDATE on the tables and DELETE"
    " on evsup_supervisor; or set CONTROL_STORE=postgres."
)
# https://docs.snowflake.com/en/user-guide/tables-hybrid-limitations
_NO_HYBRID = (
    "There are no Hybrid Tables in trial accounts, on Google Cloud and in government regions:"
    " set CONTROL_STORE=postgres (several hosts) or sqlite (one host)."
)


class SnowflakeDatabase(Database):
    """One session, shared by all threads in turn: each call is a few statements of about 100 ms."""

    dialect = "snowflake"
    kind = "hybrid"
    reason = "Snowflake enforces no primary key of a standard table, so two owners could claim one partition"
    instead = (
        "Move the rows elsewhere and drop the table, then run `evsup init`, which makes a Hybrid Table."
        " Or set CONTROL_STORE=postgres."
    )

    def __init__(self, snowflake: SnowflakeSettings, control: ControlSettings) -> None:
        database, schema_name = control.snowflake_database, control.snowflake_schema
        self._session = SqlSession(snowflake, database=database, schema=schema_name, parameters=_SESSION)
        self._role = snowflake.role
        self._has_right_tables = False
        self.address = self._session.address

    @contextmanager
    def transaction(self, mode: Mode = "write") -> Iterator[Run]:
        """Every statement is committed as it is run (see above), unless the mode is "atomic"."""
        with self._translated():
            # One deadline for all statements of the transaction, their waits for locks included.
            run = _Statements(self._session, self.dialect, Deadline.after(CALL_S))
            self._refuse_other_tables(run)
            # Elsewhere each statement commits by itself, the fast path of Hybrid Tables. "atomic" is what a person does
            # and what is quarantined: a change without its audit row would be one that nobody can explain later.
            with self._session.transaction() if mode == "atomic" else nullcontext():
                yield run

    def close(self) -> None:
        self._session.close()

    def _refuse_other_tables(self, run: Run) -> None:
        """Check once that the tables are of the right kind, before anything is written to them."""
        if self._has_right_tables:
            return
        kinds = {row["name"].lower(): "hybrid" if row["is_hybrid"] == "Y" else "standard" for row in run("show_tables")}
        ours = sorted(schema.TABLES & kinds.keys())
        if other := [f"{name} is a {kinds[name]} table" for name in ours if kinds[name] != self.kind]:
            what = f"The control tables in {self.address} cannot be used"
            raise ConfigurationError(what, f"{', '.join(other)}; {self.reason}", self.instead)
        self._has_right_tables = True

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except SnowflakeUnavailable as error:
            raise StoreUnavailable(error.what, error.why, error.fix) from error
        except DoesNotExist as error:
            raise NoControlTables(error.what, error.why, f"{schema.INIT} {error.fix}") from error
        except Unsupported as error:
            raise Unsupported(error.what, error.why, _NO_HYBRID) from error
        except Bug as error:
            if "invalid identifier" not in error.why:
                raise
            raise NoControlTables(error.what, error.why, schema.CHANGED) from error
        # It is a kind of NotPermitted, and no grant would help.
        except NotSignedIn:
            raise
        except NotPermitted as error:
            raise NotPermitted(error.what, error.why, f"{error.fix} {_GRANTS}") from error


class _Statements:
    """Runs a named query: one statement, or those that together do what an upsert with RETURNING does."""

    def __init__(self, session: SqlSession, dialect: str, deadline: Deadline) -> None:
        self._session, self._dialect, self._deadline = session, dialect, deadline

    def __call__(self, name: str, /, **values: object) -> list[Row]:
        # An upsert in two statements: Snowflake advises against MERGE for Hybrid Tables.
        rows = self._run(name, values)
        if not rows and name in _INSERT:
            # When somebody else has inserted meanwhile, the first query decides again, on that row.
            rows = self._run(_INSERT[name], values) or self._run(name, values)
        # A query of its own, because there is no RETURNING. It looks for the etag that this call wrote: where that is
        # gone, somebody else has changed the row since.
        if rows and name in _READ_BACK:
            return self._run(_READ_BACK[name], values)
        return rows

    def _run(self, name: str, values: dict[str, object]) -> list[Row]:
        """The rows of a query, or an empty one for each changed row; none for a key that exists already."""
        statement, names = qmark(name, self._dialect)
        bound = [values[each] for each in names]
        if statement.startswith(("SELECT", "SHOW")):
            return self._with_retries(lambda: self._session.query(statement, *bound))
        try:
            return [{}] * self._with_retries(lambda: self._session.change(statement, *bound))
        except DuplicateKey:  # somebody else has inserted the row first
            return []
        except AlreadyExists:  # definitions commit one by one, so an `evsup init` that was cut off left this column
            if statement.startswith("ALTER TABLE"):
                return []
            raise

    def _with_retries(self, call: Callable[[], Result]) -> Result:
        """Try again while somebody else holds the row's lock, until the deadline.

        Statements of different sessions can lock each other out even when each commits by itself; Snowflake rolls one
        of them back: https://docs.snowflake.com/en/sql-reference/transactions#deadlocks
        """
        for pause_s in backoff_s(0.05, 0.5):
            try:
                return call()
            except RowLocked:
                # A try that could not end in time is not begun: it might be committed after the caller has given up.
                if self._deadline.remaining_s() < pause_s + LOCK_S:
                    raise
                time.sleep(pause_s)
        raise AssertionError("backoff_s never ends")
