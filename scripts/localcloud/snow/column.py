"""A column of a Snowflake table, and the same column in DuckDB: its type, its conversion, its complaint.

Types and limits: https://docs.snowflake.com/en/sql-reference/intro-summary-data-types. A number in a timestamp column,
which Snowflake would read as seconds since 1970, is refused here: no row of evsup may depend on that guess.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

MAX_TEXT = 134_217_728  # bytes of one VARIANT, and the largest length of a VARCHAR
DEFAULT_TEXT = 16_777_216  # characters of a VARCHAR without a length
DEFAULT_BINARY = 8_388_608  # bytes of a BINARY without a length
MAX_PRECISION = 38
SHOWN = 80  # characters of a value that a message repeats

# How a pipe reads the text of a BINARY column: https://docs.snowflake.com/en/sql-reference/binary-input-output
BinaryFormat: TypeAlias = Literal["BASE64", "HEX", "UTF-8"]

_DECLARATION = re.compile(r"\s*([A-Za-z_]+)\s*(?:\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\))?\s*\Z")
_NAMES = {
    "VARIANT": "VARIANT", "OBJECT": "VARIANT", "ARRAY": "VARIANT",
    "VARCHAR": "VARCHAR", "STRING": "VARCHAR", "TEXT": "VARCHAR",
    "NUMBER": "NUMBER", "DECIMAL": "NUMBER", "NUMERIC": "NUMBER", "INT": "NUMBER", "INTEGER": "NUMBER",
    "BIGINT": "NUMBER",
    "FLOAT": "FLOAT", "DOUBLE": "FLOAT", "REAL": "FLOAT",
    "BOOLEAN": "BOOLEAN", "TIMESTAMP_TZ": "TIMESTAMP_TZ", "BINARY": "BINARY", "VARBINARY": "BINARY",
}  # fmt: skip


@dataclass(frozen=True)
class Column:
    """One column; `size` is the length of a VARCHAR or BINARY and the precision of a NUMBER, else 0.

    `default` is the expression as it was declared; a column that counts by itself is shown and does not count here.
    """

    name: str
    kind: str
    nullable: bool = True
    size: int = 0
    scale: int = 0
    default: str | None = None
    counts: bool = False

    @property
    def identifier(self) -> str:
        """The name, quoted for SQL."""
        return quoted(self.name)

    @property
    def json_target(self) -> str:
        """What `json_transform` makes of the value: JSON is kept as text, everything else becomes a string."""
        return "JSON" if self.kind == "VARIANT" else "VARCHAR"

    @property
    def duckdb_type(self) -> str:
        """The type of the column in DuckDB. A TIMESTAMPTZ keeps the instant and not the offset."""
        if self.kind == "NUMBER":
            return f"DECIMAL({self.size},{self.scale})"
        return {"VARIANT": "JSON", "VARCHAR": "VARCHAR", "FLOAT": "DOUBLE", "BOOLEAN": "BOOLEAN",
                "TIMESTAMP_TZ": "TIMESTAMPTZ", "BINARY": "BLOB"}[self.kind]  # fmt: skip

    @property
    def declaration(self) -> str:
        """What DuckDB is told of it."""
        default = f" DEFAULT {self.default}" if self.default else ""
        return f"{self.identifier} {self.duckdb_type}{default}{'' if self.nullable else ' NOT NULL'}"

    def value(self, raw: str, binary: BinaryFormat, *, uses_default: bool) -> str:
        """Give the SQL of the value that is stored; a default takes the place of one that is absent, if it is used."""
        if uses_default and self.default:
            return f"CASE WHEN {raw} IS NULL THEN {self.default} ELSE {self.converted(raw, binary)} END"
        return self.converted(raw, binary)

    def converted(self, raw: str, binary: BinaryFormat = "BASE64") -> str:
        """Give the SQL that turns `raw` into the column's value, or into NULL when it does not fit."""
        if self.kind == "VARIANT":
            return f"CASE WHEN strlen({raw}) <= {MAX_TEXT} THEN {raw} END"
        if self.kind == "VARCHAR":
            return f"CASE WHEN length({raw}) <= {self.size} THEN {raw} END"
        if self.kind == "BINARY":
            # The length is checked without decoding twice: four characters of base64 are three bytes, two of hex one.
            most, decoded = {
                "BASE64": (-(-self.size // 3) * 4, f"from_base64({raw})"),
                "HEX": (2 * self.size, f"CASE WHEN strlen({raw}) % 2 = 0 THEN unhex({raw}) END"),
                "UTF-8": (self.size, f"encode({raw})"),
            }[binary]
            return f"CASE WHEN strlen({raw}) <= {most} THEN TRY({decoded}) END"
        if self.kind == "TIMESTAMP_TZ":
            # DuckDB reads words such as 'infinity' as a time; a year starts with a digit.
            return f"CASE WHEN ascii({raw}) BETWEEN 48 AND 57 THEN TRY_CAST({raw} AS TIMESTAMPTZ) END"
        return f"TRY_CAST({raw} AS {self.duckdb_type})"

    def complaint(self, raw: str | None) -> str:
        """Say in Snowflake's words why `raw` does not fit."""
        if raw is None:
            return f"NULL result in a non-nullable column: {self.name}"
        if self.kind == "BINARY" and len(raw) > self.size * 4 / 3 + 4:
            return f"Binary value is too long and would be truncated, column {self.name}"
        shown = raw if len(raw) <= SHOWN else raw[:SHOWN] + "…"
        text = {
            "VARIANT": f"Document is too large. Max LOB size ({MAX_TEXT}) exceeded",
            "VARCHAR": f"String '{shown}' is too long and would be truncated",
            "NUMBER": f"Numeric value '{shown}' is not recognized",
            "FLOAT": f"Numeric value '{shown}' is not recognized",
            "BOOLEAN": f"Boolean value '{shown}' is not recognized",
            "TIMESTAMP_TZ": f"Timestamp '{shown}' is not recognized",
            "BINARY": f"The following string is not a legal base64-encoded value: '{shown}'",
        }[self.kind]
        return f"{text}, column {self.name}"


def column(name: str, declaration: str, *, nullable: bool = True) -> Column:
    """Read a type as Snowflake declares it, such as `NUMBER(38,0)`; raise `ValueError` for any other."""
    found = _DECLARATION.match(declaration)
    kind = _NAMES.get(found[1].upper()) if found else None
    if found is None or kind is None:
        raise ValueError(f"column {name}: unsupported type {declaration!r}; known are {', '.join(sorted(_NAMES))}")
    size, scale = int(found[2] or 0), int(found[3] or 0)
    if kind == "NUMBER":
        size = size or MAX_PRECISION
        if not (size <= MAX_PRECISION and scale <= size):
            raise ValueError(f"column {name}: invalid precision or scale in {declaration!r}")
    elif kind == "VARCHAR":
        size = size or DEFAULT_TEXT
    elif kind == "BINARY":
        size = size or DEFAULT_BINARY
    return Column(name, kind, nullable, size, scale)


def quoted(name: str) -> str:
    """Quote an identifier for SQL."""
    return '"' + name.replace('"', '""') + '"'
