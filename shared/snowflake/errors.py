"""Errors of Snowflake and its connector, translated into ours.

Numbers of the service: https://docs.snowflake.com/en/developer-guide/python-connector/python-connector-api#error and
its messages; numbers from 250001 are the connector's own (its errorcode.py). SQLSTATE classes are ANSI's.
"""

import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from shared.errors import (
    AlreadyExists,
    Bug,
    ConfigurationError,
    DoesNotExist,
    DuplicateKey,
    EvsupError,
    NotPermitted,
    NotSignedIn,
    RowLocked,
    SnowflakeUnavailable,
    Unsupported,
)
from shared.fixes import REACH_SNOWFLAKE, trust
from shared.limits import limit_error
from shared.log.secret import mask
from shared.snowflake.fixes import Refusal, is_barred

if TYPE_CHECKING:
    from snowflake.connector import Error

_GRANT = "Grant the privilege to SNOWFLAKE_ROLE."
_TAKEN = "Rename or drop what has that name, or name another one."
_EXCEPT = "Except SNOWFLAKE_ROLE in the policy: it has to read each row as it is."
_LOCK_HOLDER = "SHOW LOCKS IN ACCOUNT; says which transaction holds it."
_NAME = "Correct the name (SNOWFLAKE_*, CONTROL_SNOWFLAKE_*), create it, or grant the role its use."
_PAY = (
    "Raise the quota of the resource monitor, resume the warehouse, or have the account's billing put in order;"
    " or set SNOWFLAKE_WAREHOUSE to another one."
)
_WAREHOUSE = "Set SNOWFLAKE_WAREHOUSE to a warehouse that the role may use."

# The session, its master token or its access token has ended; the statement was refused before it was executed.
SESSION_LOST = frozenset((390104, 390111, 390112, 390114, 390195, 390318))
DUPLICATE_KEY = 200001
_AUTHENTICATION = range(390100, 390500)
# Connectors before 4.5 keep the service's number to themselves. With a point for the colon it is a 403, 502 or 504:
# https://github.com/snowflakedb/snowflake-connector-python/blob/main/src/snowflake/connector/auth/_auth.py
_NOT_CONNECTED, _ANSWERED = 250001, re.compile("Failed to connect to DB: ")
_STATEMENT_FORBIDDEN = 290403
_NO_WAREHOUSE = 606
_STOPPED = frozenset((604, 630))  # a statement canceled, or past its timeout
_ACCESS = 3001
# 2003, 2043: no such object, or none that the role may know of. 90105, 90106: a session without database or schema:
# https://github.com/snowflakedb/snowflake-connector-python/issues/1241. No page tells of 90109.
_ABSENT = frozenset((2003, 2043, 90105, 90106, 90109))
_FORBIDDEN = re.compile(r"\b403\b|Verify the account name")
_CERTIFICATE = re.compile(
    r"certificate.verify.failed|hostname .* doesn't match|invalid peer certificate",
    re.IGNORECASE,  # the last is 5.x's
)
# https://docs.snowflake.com/en/user-guide/aggregation-policies, projection-policies, join-policies
_POLICY = re.compile(r"\b(aggregation|projection|join|masking|row access)( constraint)? policy\b", re.IGNORECASE)
# Of class 22, as a bug is; where a trial has ended, at the login: 390913. A new month, or who pays, ends both.
# https://docs.snowflake.com/en/user-guide/resource-monitors
_QUOTA = 90073
_UNPAID = re.compile(r"\bresource monitor\b|\bwarehouses? .*\bsuspended\b|\btrial has ended\b", re.IGNORECASE)
_EXISTS = re.compile(r"already exists\b|Object found is of type")
_LOCK, _DEADLOCK = 625, "40001"
# Row locks of hybrid tables: https://docs.snowflake.com/en/sql-reference/transactions#deadlocks
_LOCKED = re.compile(r"deadlock|lock.{0,60}(time(d )?-?out|not yet been released)|waiters for this lock", re.IGNORECASE)


@contextmanager
def translated(address: str, refusal: Refusal) -> Iterator[None]:
    """Translate what the connector raises in the block, which runs the statement of `refusal`."""
    from snowflake.connector import Error

    try:
        yield
    except Error as error:
        raise refusal.with_fix(translate(error, address)) from None  # its own text is not masked
    except (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError) as error:
        if not _is_of_connector(error):
            raise
        raise _unreadable(error, address) from error


def _is_of_connector(error: Exception) -> bool:
    """Whether it was raised within the connector, which looks into an answer without a look at what it is."""
    frames = (frame for frame, _ in traceback.walk_tb(error.__traceback__))
    return any(str(frame.f_globals.get("__name__")).startswith("snowflake.") for frame in frames)


def _unreadable(error: Exception, address: str) -> EvsupError:
    """The error for an answer that is none of Snowflake's, as of a gateway in between."""
    what, why = f"Snowflake at {address} failed", mask(f"its answer cannot be read: {type(error).__name__}: {error}")
    return limit_error(error, what) or SnowflakeUnavailable(what, why, REACH_SNOWFLAKE)


def translate(error: "Error", address: str) -> EvsupError:
    """Why there is no session, or why a statement failed."""
    number, what, why = error.errno or -1, f"Snowflake at {address} failed", _why(error)
    if number == DUPLICATE_KEY:
        return DuplicateKey(what, why)
    if number == _LOCK or error.sqlstate == _DEADLOCK or _LOCKED.search(why):
        return RowLocked(what, why, _LOCK_HOLDER)
    if _CERTIFICATE.search(why):
        return ConfigurationError(what, why, trust(why))
    if number == _QUOTA or _UNPAID.search(why):
        return SnowflakeUnavailable(what, why, _PAY)
    if number in SESSION_LOST:  # of a new session, too
        return SnowflakeUnavailable(what, why)
    if number in _AUTHENTICATION or (number == _NOT_CONNECTED and _ANSWERED.search(why)):
        return NotPermitted(what, why) if is_barred(why) else NotSignedIn(what, why)
    if number >= 250000:  # the connector's own: no answer, or one that is none of Snowflake's
        # Of an account that is not known; a statement has had a login before it.
        is_unknown = number != _STATEMENT_FORBIDDEN and _FORBIDDEN.search(why)
        kind = ConfigurationError if is_unknown else SnowflakeUnavailable
        return kind(what, why, REACH_SNOWFLAKE)
    return _translate_statement(number, error.sqlstate or "", what, why)


def _translate_statement(number: int, state: str, what: str, why: str) -> EvsupError:
    if number == _ACCESS or state == "42501":
        return NotPermitted(what, why, _GRANT)
    if number == _NO_WAREHOUSE:
        return ConfigurationError(what, why, _WAREHOUSE)
    if _POLICY.search(why):
        return NotPermitted(what, why, _EXCEPT)
    if number in _ABSENT:
        return DoesNotExist(what, why, _NAME)
    if _EXISTS.search(why):
        return AlreadyExists(what, why, _TAKEN)
    if state.startswith("0A"):
        return Unsupported(what, why, "Use an account and a region that have this feature.")
    if number in _STOPPED or state[:2] not in {"22", "23", "42"}:
        return SnowflakeUnavailable(what, why)
    return Bug(what, why)


def _why(error: "Error") -> str:
    return mask(" ".join(str(error.msg).split()))
