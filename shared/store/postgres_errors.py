"""What PostgreSQL and libpq say, in our words.

SQLSTATE classes: https://www.postgresql.org/docs/current/errcodes-appendix.html.
"""

import re

import psycopg

from shared.errors import Bug, ConfigurationError, EvsupError, NoControlTables, NotPermitted, StoreUnavailable
from shared.store import schema
from shared.store.dsn import Dsn

_GRANT = "Check user and password in CONTROL_POSTGRES_DSN, and the user's rights on the database."
_NAME = "Correct CONTROL_POSTGRES_DSN, or create the database."
_REACH = "Check that PostgreSQL is up and can be reached from this host."
_TABLES = f"{schema.INIT} Or set the search path in CONTROL_POSTGRES_DSN."
_PRIMARY = "Name the primary in CONTROL_POSTGRES_DSN (target_session_attrs=read-write finds it)."

# libpq gives no SQLSTATE for a connection that was refused, only a text.
_REFUSED = re.compile(
    r"authentication failed|no password supplied|no pg_hba\.conf entry|permission denied for database"
    r"|role \".*\" (does not exist|is not permitted to log in)"
)
_MISCONFIGURED = re.compile(
    r"database \".*\" does not exist|invalid \w+ value|certificate|private key|does not support SSL|service file"
)


def of_connecting(error: psycopg.Error, dsn: Dsn) -> EvsupError:
    """The reason why no connection came about."""
    what, why = f"Cannot connect to the control store {dsn.address}", dsn.masked(str(error))
    if _REFUSED.search(why):
        return NotPermitted(what, why, _GRANT)
    if _MISCONFIGURED.search(why):
        return ConfigurationError(what, why, _NAME)
    return StoreUnavailable(what, why, _REACH)


def of_running(error: psycopg.Error, dsn: Dsn) -> EvsupError:
    """The reason why a statement failed."""
    state, what, why = error.sqlstate or "", f"The control store {dsn.address} failed", dsn.masked(str(error))
    match state[:2], state:
        case ("28", _) | (_, "42501"):
            return NotPermitted(what, why, _GRANT)
        case ("3D", _):
            return ConfigurationError(what, why, _NAME)
        case ("3F", _) | (_, "42P01" | "42703"):
            return NoControlTables(what, why, _TABLES)
        case (_, "25006"):
            return StoreUnavailable(what, why, _PRIMARY)
        case ("22" | "23" | "42", _):
            return Bug(what, why)
    return StoreUnavailable(what, why)
