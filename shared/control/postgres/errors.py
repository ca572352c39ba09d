"""Errors of PostgreSQL and libpq, translated into ours.

SQLSTATE classes: https://www.postgresql.org/docs/current/errcodes-appendix.html.
"""

import re

import psycopg

from shared.config.formats.dsn import Dsn
from shared.control import schema
from shared.errors import (
    Bug,
    ConfigurationError,
    DataRefused,
    EvsupError,
    NoControlTables,
    NotPermitted,
    StoreUnavailable,
)

# What evsup does with its tables: docs/postgres.md#roles.
_DENIED = re.compile(r"permission denied for table (\w+)")
_PRIVILEGES = {
    "evsup_schema": "SELECT",
    "evsup_audit": "SELECT, INSERT",
    "evsup_ownership": "SELECT, INSERT, UPDATE",
    "evsup_checkpoint": "SELECT, INSERT, UPDATE",
    "evsup_supervisor": "SELECT, INSERT, UPDATE, DELETE",
}
_BEHIND = "PgBouncer cannot reach its server, or cannot log in there: its log says why."
_ENCODING = "Give evsup a database of its own, made with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0."
_GRANT = "Check user and password in CONTROL_POSTGRES_DSN, and the user's rights on the database."
_HOST = "Correct the host in CONTROL_POSTGRES_DSN: the parts between its dots have 1 to 63 characters each."
_LIMIT = "Run ALTER ROLE … RESET transaction_timeout, or have it longer: a transaction of evsup may take 10 s."
_LOCK = "Somebody holds a lock, or the server is slow: pg_stat_activity and pg_blocking_pids() show who."
_NAME = "Correct CONTROL_POSTGRES_DSN, or create the database."
_POOL = "Leave `options` out of CONTROL_POSTGRES_DSN, or name the server itself instead of the pool."
_PRIMARY = (
    "Name the primary in CONTROL_POSTGRES_DSN (target_session_attrs=read-write finds it). A primary takes no writes"
    " while default_transaction_read_only is on, as where its disk is nearly full."
)
_RANGE = "Something other than evsup wrote a number that cannot grow: restore the value."
_FULL = (
    "Raise the limit, end other clients, or put PgBouncer in between: evsup takes a session for each partition and one"
    " for each supervisor (`evsup check` counts them)."
)
_REACH = "Check that PostgreSQL is up and can be reached from this host."
_TABLES = f"{schema.INIT} Or set the search path in CONTROL_POSTGRES_DSN."
_SCHEMA = "Set the search path to a schema that exists: ALTER ROLE … SET search_path = …"
_TLS = (
    "Check host, sslmode, sslrootcert and what else is of TLS in CONTROL_POSTGRES_DSN against the server's certificate."
)

# By SQLSTATE: what passes, and who can end it.
_PASSING = {"55P03": _LOCK, "57014": _LOCK, "25P04": _LIMIT}

# libpq gives no SQLSTATE for a connection that was refused, only a text. The first row that fits counts.
_REFUSALS: tuple[tuple[re.Pattern[str], type[EvsupError], str], ...] = (
    (
        re.compile(
            r"authentication failed|no password supplied|no pg_hba\.conf entry|permission denied for database"
            r"|role \".*\" (does not exist|is not permitted to log in)|no such user"  # the last is PgBouncer's
        ),
        NotPermitted,
        _GRANT,
    ),
    (
        re.compile(
            r"certificate|private key|does not support SSL|SSL required|channel binding"
            r"|alert (unknown ca|handshake failure|protocol version|access denied)|authentication method requirement"
        ),
        ConfigurationError,
        _TLS,
    ),
    (re.compile(r"unsupported startup parameter"), ConfigurationError, _POOL),
    # Before it connects, libpq refuses what a parameter cannot be.
    (
        re.compile(
            r"database \".*\" does not exist|no such database|invalid \w+ value|invalid port number"
            r"|bad value for |service file|definition of service"
            r"|permission denied to set parameter|unrecognized configuration parameter|invalid value for parameter"
        ),
        ConfigurationError,
        _NAME,
    ),
    (
        re.compile(
            r"too many (clients|connections)|connection slots are reserved"
            r"|no more connections allowed|query_wait_timeout"  # PgBouncer's
        ),
        StoreUnavailable,
        _FULL,
    ),
    (re.compile(r"server_login_retry|pgbouncer cannot connect"), StoreUnavailable, _BEHIND),
    (re.compile(r"session is (not )?read-only|server is (not )?in hot standby"), StoreUnavailable, _PRIMARY),
)


def translate_refusal(error: psycopg.Error | UnicodeError, dsn: Dsn) -> EvsupError:
    """Why there is no connection."""
    what, why = f"Cannot connect to the control store {dsn.address}", dsn.masked(str(error))
    if isinstance(error, UnicodeError):
        return ConfigurationError(what, why, _HOST)
    return _refusal(what, why) or StoreUnavailable(what, why, _REACH)


def _refusal(what: str, why: str) -> EvsupError | None:
    return next((kind(what, why, fix) for text, kind, fix in _REFUSALS if text.search(why)), None)


def translate(error: psycopg.Error, dsn: Dsn) -> EvsupError:
    """Why a statement failed."""
    state, what, why = error.sqlstate or "", f"The control store {dsn.address} failed", dsn.masked(str(error))
    match state[:2], state:
        case ("08", _) if refused := _refusal(what, why):  # PgBouncer's own, of the server behind it
            return refused
        case ("28", _) | (_, "42501"):
            return NotPermitted(what, why, _missing_grant(why, dsn) or _GRANT)
        case ("3D", _):
            return ConfigurationError(what, why, _NAME)
        case ("3F", _):
            return NoControlTables(what, why, _SCHEMA)
        case (_, "42P01" | "42703"):
            return NoControlTables(what, why, _TABLES)
        case (_, "42P10" | "42804" | "42883"):
            return ConfigurationError(what, why, schema.CHANGED)
        case (_, "22P05" | "22021"):
            return ConfigurationError(what, why, _ENCODING)
        case (_, "25006"):
            return StoreUnavailable(what, why, _PRIMARY)
        case (_, "22003"):
            return DataRefused(what, why, _RANGE)
        case ("22" | "23" | "42", _):
            return Bug(what, why)
    return StoreUnavailable(what, why, _PASSING.get(state, ""))


def _missing_grant(why: str, dsn: Dsn) -> str:
    """The statement that lets evsup use the table which it was denied; empty: it was denied something else."""
    denied = _DENIED.search(why)
    if denied is None or denied[1] not in _PRIVILEGES:
        return ""
    user = f'"{dsn.user}"' if dsn.user else "…"
    return f"As the owner of the table, run GRANT {_PRIVILEGES[denied[1]]} ON {denied[1]} TO {user};"
