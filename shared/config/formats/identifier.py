"""Snowflake identifiers: https://docs.snowflake.com/en/sql-reference/identifiers-syntax."""

import re

MOST_CHARACTERS = 255
QUARANTINE = "_QUARANTINE"  # after the target table's name

_UNQUOTED = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*")
_QUOTED = re.compile(r'"(?:[^"\x00-\x1f\x7f]|"")+"')


def problem(text: str) -> str | None:
    """Why `text` cannot stand as one identifier in SQL, in plain English; None when it can."""
    quoted = bool(_QUOTED.fullmatch(text))
    if not quoted and not _UNQUOTED.fullmatch(text):
        return _advice(text)
    if len(stored_name(text)) > MOST_CHARACTERS:
        return f"is longer than {MOST_CHARACTERS} characters"
    return None


def stored_name(identifier: str) -> str:
    """The name as Snowflake keeps it: a quoted one as it stands, an unquoted one in capitals."""
    if identifier.startswith('"'):
        return identifier[1:-1].replace('""', '"')
    return identifier.upper()


def quoted(stored: str) -> str:
    """A stored name as it may stand in SQL, whatever is in it."""
    return '"' + stored.replace('"', '""') + '"'


def _advice(text: str) -> str:
    if any(ord(char) < 32 or char == "\x7f" for char in text):
        return "has a control character in it"
    if '"' in text:
        return 'has a double quote out of place: either none, or one at each end and "" for one inside'
    if "." in text:
        return "must be one name: database, schema and table have a variable each"
    # Shells and .env files take the outer quotes off, so that `TABLE="My Table"` arrives as `My Table`.
    return (
        "must be letters, digits, _ and $, not beginning with a digit; a name that needs quotes is written with"
        " double quotes inside single ones"
    )
