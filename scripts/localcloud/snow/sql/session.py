"""Sessions: who is logged in, as which role, with which token, parameters and open transaction.

https://docs.snowflake.com/en/user-guide/session-policies: a session token is short-lived and renewed with the master
token; a master token that has expired means a new login.
"""

import asyncio
import datetime as dt
import itertools
import secrets
import time
from dataclasses import dataclass, field
from http import HTTPStatus

from sqlglot import exp

from scripts.localcloud.snow.http.refusal import Refusal
from scripts.localcloud.snow.http.wire import Response
from scripts.localcloud.snow.identity.identity import User
from scripts.localcloud.snow.sql.connection import Connection
from scripts.localcloud.snow.sql.statements.parameter import Parameters
from scripts.localcloud.snow.sql.statements.statement import Name, present, resolved

SESSION_S = 3600.0  # life of a session token
MASTER_S = 14_400.0  # life of a master token
IDLE_TRANSACTION_S = 300.0  # a transaction that touches a Hybrid Table and idles is rolled back

# Numbers of the login service, as the connector knows them (network.py).
SESSION_TOKEN_EXPIRED = "390112"  # noqa: S105 - a number of an error
MASTER_TOKEN_UNKNOWN = "390113"  # noqa: S105
MASTER_TOKEN_EXPIRED = "390114"  # noqa: S105
SESSION_GONE = "390111"


@dataclass
class Transaction:
    """What an open transaction has written so far, to be run again, and the rows that each of it wrote."""

    done: list[tuple[str, int]] = field(default_factory=list)


@dataclass(frozen=True)
class Login:
    """Who logs in, and what is asked for; names are upper case."""

    user: User
    role: str
    parameters: Parameters
    database: str | None
    schema: str | None
    warehouse: str | None


@dataclass
class Session:
    """One login. `running` keeps it to one statement at a time."""

    number: int
    user: User
    role: str
    warehouse: str | None
    connection: Connection
    parameters: Parameters
    transaction: Transaction | None = None
    last_used: float = field(default_factory=time.monotonic)
    running: asyncio.Lock = field(default_factory=asyncio.Lock)
    answers: dict[str, asyncio.Task[Response]] = field(default_factory=dict)
    aborted: set[str] = field(default_factory=set)

    def full_name(self, table: exp.Table) -> Name:
        """Give the three parts of a table's name."""
        return resolved(table, self.connection.database, self.connection.schema)

    def written(self, tree: exp.Expr) -> str:
        """Write a statement out with the current time and this session's names in it."""
        account, _, user = self.user.subject.partition(".")
        here: dict[type[exp.Expr], str | None] = {
            exp.CurrentAccount: account,
            exp.CurrentUser: user,
            exp.CurrentRole: self.role,
            exp.CurrentWarehouse: self.warehouse,
            exp.CurrentDatabase: self.connection.database,
            exp.CurrentSchema: self.connection.schema,
            exp.CurrentSession: str(self.number),
        }
        return present(tree, dt.datetime.now(dt.UTC), here).sql("snowflake")

    def cancel(self) -> None:
        """Give up the statements that still run or wait."""
        for answer in self.answers.values():
            answer.cancel()

    @property
    def idle_s(self) -> float:
        """Seconds since the last statement, none while one runs."""
        return 0.0 if self.running.locked() else time.monotonic() - self.last_used


@dataclass
class Tokens:
    """The tokens of one session; expired ones are refused, the session itself lives on."""

    session: str
    master: str
    session_until: float
    master_until: float


class Sessions:
    """Every open session, by its tokens."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._open: dict[int, tuple[Session, Tokens]] = {}
        self.lifetime_s = SESSION_S

    def open(self, login: Login, connection: Connection) -> Session:
        """Begin a session."""
        session = Session(next(self._numbers), login.user, login.role, login.warehouse, connection, login.parameters)
        self._open[session.number] = (session, self._issued())
        return session

    def tokens(self, session: Session) -> Tokens:
        """Give the present tokens of a session."""
        return self._open[session.number][1]

    def admit(self, token: str) -> Session:
        """Find the session of a token, or refuse it as expired or unknown."""
        for session, tokens in self._open.values():
            if secrets.compare_digest(tokens.session, token):
                if tokens.session_until < time.monotonic():
                    raise _refused(
                        SESSION_TOKEN_EXPIRED, "Authentication token has expired.  The user must authenticate again."
                    )
                return session
        raise _refused(SESSION_GONE, "Session no longer exists.  New login required to access the service.")

    def renew(self, master: str) -> Session:
        """Give a session new tokens for its master token."""
        for session, tokens in self._open.values():
            if secrets.compare_digest(tokens.master, master):
                if tokens.master_until < time.monotonic():
                    raise _refused(MASTER_TOKEN_EXPIRED, "Master token expired. Session has been terminated.")
                self._open[session.number] = (session, self._issued())
                return session
        raise _refused(MASTER_TOKEN_UNKNOWN, "Master token not found. Session has been terminated.")

    def close(self, session: Session) -> None:
        """End a session."""
        self._open.pop(session.number, None)

    def numbered(self, number: int) -> Session | None:
        """Find an open session by its number."""
        found = self._open.get(number)
        return found[0] if found else None

    def all(self) -> list[Session]:
        """Give every open session."""
        return [session for session, _ in self._open.values()]

    def expire(self, *, master: bool) -> None:
        """Expire every token issued so far; with `master` those that renew, too."""
        for _, tokens in self._open.values():
            tokens.session_until = float("-inf")
            tokens.master_until = float("-inf") if master else tokens.master_until

    def _issued(self) -> Tokens:
        now = time.monotonic()
        return Tokens(secrets.token_urlsafe(32), secrets.token_urlsafe(32), now + self.lifetime_s, now + MASTER_S)


def _refused(code: str, message: str) -> Refusal:
    return Refusal(HTTPStatus.OK, code, message)
