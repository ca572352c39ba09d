"""What a statement is refused with: the number, the SQLSTATE and the text that Snowflake's drivers raise.

Such an answer is HTTP 200 with `success: false`; any other HTTP status is retried by the drivers without end. Where the
documentation gives no number, the comment says so.
"""

from dataclasses import dataclass


@dataclass
class SqlRefusal(Exception):
    """One refused statement; `code` has six digits and reaches the caller as `errno`."""

    code: str
    sqlstate: str
    message: str

    def __str__(self) -> str:
        return f"{self.code} ({self.sqlstate}): {self.message}"


def compilation(code: str, sqlstate: str, text: str) -> SqlRefusal:
    """Refuse a statement before it ran."""
    return SqlRefusal(code, sqlstate, f"SQL compilation error:\n{text}")


def syntax(text: str) -> SqlRefusal:
    """Refuse what cannot be read."""
    return compilation("001003", "42000", text)


def unsupported(feature: str) -> SqlRefusal:
    """Refuse a feature that the account does not have, or that this service does not imitate."""
    return SqlRefusal("000002", "0A000", f"Unsupported feature '{feature}'.")


def not_a_number(value: str) -> SqlRefusal:
    """Refuse a text that a number was wanted of."""
    return SqlRefusal("100038", "22018", f"Numeric value '{value}' is not recognized")


def unknown_object(name: str) -> SqlRefusal:
    """Refuse a name; missing and forbidden look the same."""
    return compilation("002003", "42S02", f"Object '{name}' does not exist or not authorized.")


def unknown_container(kind: str, name: str) -> SqlRefusal:
    """Refuse the database or the schema of a name."""
    return compilation("002003", "02000", f"{kind} '{name}' does not exist or not authorized.")


def nowhere() -> SqlRefusal:
    """Refuse to SHOW what is in a database or schema that the role does not see."""
    return compilation("002043", "02000", "Object does not exist, or operation cannot be performed.")


def too_many_shown(most: int) -> SqlRefusal:
    """Refuse a SHOW with more rows than it can give. The number is from a report of an account that had so many."""
    text = f"The result set size exceeded the max number of rows({most}) supported for SHOW statements."
    return SqlRefusal("090153", "22000", f"{text} Use LIMIT option to limit result set to a smaller number.")


def already_exists(name: str) -> SqlRefusal:
    """Refuse to create what is there."""
    return compilation("002002", "42710", f"Object '{name}' already exists.")


def insufficient_privileges(kind: str, name: str) -> SqlRefusal:
    """Refuse a role that sees an object and lacks the privilege that the statement needs."""
    text = f"SQL access control error:\nInsufficient privileges to operate on {kind} '{name}'"
    return SqlRefusal("003001", "42501", text)


def role_not_assigned(role: str) -> SqlRefusal:
    """Refuse a role that the user does not have."""
    text = f"Requested role '{role}' is not assigned to the executing user. Specify another role to activate."
    return SqlRefusal("003013", "42501", f"SQL access control error:\n{text}")


def no_warehouse() -> SqlRefusal:
    """Refuse to touch rows without a warehouse."""
    advice = "Select an active warehouse with the 'use warehouse' command."
    return SqlRefusal("000606", "57P03", f"No active warehouse selected in the current session.  {advice}")


def invalid_parameter(name: str) -> SqlRefusal:
    """Refuse a session parameter that does not exist."""
    return compilation("001420", "22023", f"invalid property '{name}' for 'SESSION'")


def invalid_value(value: str, name: str) -> SqlRefusal:
    """Refuse a value that a session parameter cannot have."""
    return compilation("001008", "22023", f"invalid value [{value}] for parameter '{name}'")


def duplicate_key(detail: str) -> SqlRefusal:
    """Refuse a row whose primary key a Hybrid Table has already."""
    return SqlRefusal("200001", "22000", f"Primary key already exists ({detail})")


def null_key(column: str) -> SqlRefusal:
    """Refuse NULL in a column that takes none."""
    return SqlRefusal("100072", "22000", f"NULL result in a non-nullable column: {column}")


def lock_timeout(table: str, limit_s: float) -> SqlRefusal:
    """Give up waiting for a lock. The number is the one of a lock on a standard table; none is documented for rows."""
    text = f"Statement was aborted: it waited for a lock on table '{table}' longer than {limit_s:g} second(s)."
    return SqlRefusal("000625", "57014", text)


def statement_timeout(limit_s: float) -> SqlRefusal:
    """Give up a statement that STATEMENT_TIMEOUT_IN_SECONDS ended."""
    text = f"Statement reached its statement or warehouse timeout of {limit_s:g} second(s) and was canceled."
    return SqlRefusal("000630", "57014", text)


def deadlock() -> SqlRefusal:
    """End the latest statement of a circle of waiters; its transaction stays open.

    https://docs.snowflake.com/en/sql-reference/transactions#deadlocks gives the rule and no number.
    """
    return SqlRefusal("000634", "40001", "Deadlock detected: the statement was rolled back, its transaction is open.")


def canceled() -> SqlRefusal:
    """Answer a statement that its client has aborted."""
    return SqlRefusal("000604", "57014", "SQL execution canceled")


def internal(text: str) -> SqlRefusal:
    """Answer what went wrong inside as an error of the query."""
    return SqlRefusal("000603", "XX000", f"SQL execution internal error:\n{text}")
