"""Whether a Snowflake type holds every value of a column of evsup unchanged."""

import re

# The names of each type: https://docs.snowflake.com/en/sql-reference/intro-summary-data-types. CHAR is missing, because
# without a length it is VARCHAR(1), and so are TIMESTAMP and DATETIME, because they lose the time zone.
_NAMES = {
    "VARIANT": ("VARIANT",),
    "VARCHAR": ("VARCHAR", "STRING", "TEXT", "NVARCHAR", "NVARCHAR2"),
    "NUMBER": (
        "NUMBER", "DECIMAL", "DEC", "NUMERIC", "INT", "INTEGER", "BIGINT", "SMALLINT", "TINYINT", "BYTEINT",
    ),
    "TIMESTAMP_TZ": ("TIMESTAMP_TZ", "TIMESTAMPTZ"),
    "TIMESTAMP_LTZ": ("TIMESTAMP_LTZ", "TIMESTAMPLTZ"),
    "BINARY": ("BINARY", "VARBINARY"),
}  # fmt: skip
# Default lengths are enough: https://docs.snowflake.com/en/sql-reference/data-types-text. A sequence number has up to
# 19 digits (64 bits), a time has milliseconds.
_LEAST = {"VARCHAR": 16_777_216, "BINARY": 8_388_608, "NUMBER": 19, "TIMESTAMP_TZ": 3, "TIMESTAMP_LTZ": 3}
# A collation, often that of the schema (DEFAULT_DDL_COLLATION), says how text is compared, and changes no stored value.
# https://docs.snowflake.com/en/sql-reference/collation
_TYPE = re.compile(r"(\w+)(?:\((\d+)(?:,\s*(\d+))?\))?(?P<collation> COLLATE '[^']*')?")


def is_same(found: str, wanted: str) -> bool:
    """Whether both are the same type, whatever their lengths."""
    return _parts(found)[0] in _NAMES[_parts(wanted)[0]]


def is_short(found: str, wanted: str) -> bool:
    """Whether its length, its digits before the point or its fractional seconds are too few for some value."""
    _, size, scale = _parts(found)
    return size is not None and size - scale < _LEAST.get(_parts(wanted)[0], 0)


def holds(found: str, wanted: str) -> bool:
    """Whether it takes every value unchanged."""
    return is_same(found, wanted) and not is_short(found, wanted)


def collation(found: str) -> str:
    """The collation of a type as it stands behind it; empty: it has none. A column is altered with its own only."""
    match = _TYPE.fullmatch(found)
    return (match and match["collation"]) or ""


def type_name(text: str) -> str:
    """The type without its length."""
    return _parts(text)[0].partition("(")[0]


def _parts(text: str) -> tuple[str, int | None, int]:
    """Name, size and scale. The size is None when it is the default."""
    match = _TYPE.fullmatch(text)
    if match is None:
        return text, None, 0
    return match[1], int(match[2]) if match[2] else None, int(match[3] or 0)
