"""A column of a Snowflake table, and the same column in DuckDB: its type, its conversion, its complaint.

Types and limits: https://docs.snowflake.com/en/sql-reference/intro-summary-data-types. DuckDB keeps microseconds of a
time and no offset.
"""

import json
import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

MAX_TEXT = 134_217_728  # bytes of one VARIANT, and the largest length of a VARCHAR
DEFAULT_TEXT = 16_777_216  # characters of a VARCHAR without a length
DEFAULT_BINARY = 8_388_608  # bytes of a BINARY without a length
MAX_PRECISION = 38
MAX_TIME_SCALE = 9  # digits of a second
SHOWN = 80  # characters of a value that a message repeats

# How a pipe reads the text of a BINARY column: https://docs.snowflake.com/en/sql-reference/binary-input-output
BinaryFormat: TypeAlias = Literal["BASE64", "HEX", "UTF-8"]

_DECLARATION = re.compile(r"\s*([A-Za-z_]+)\s*(?:\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\))?\s*\Z")
_NAMES = {
    "VARIANT": "VARIANT", "OBJECT": "OBJECT", "ARRAY": "ARRAY",
    "VARCHAR": "VARCHAR", "STRING": "VARCHAR", "TEXT": "VARCHAR",
    "NUMBER": "NUMBER", "DECIMAL": "NUMBER", "NUMERIC": "NUMBER", "INT": "NUMBER", "INTEGER": "NUMBER",
    "BIGINT": "NUMBER",
    "FLOAT": "FLOAT", "DOUBLE": "FLOAT", "REAL": "FLOAT",
    "BOOLEAN": "BOOLEAN", "BINARY": "BINARY", "VARBINARY": "BINARY",
    "DATE": "DATE", "TIME": "TIME", "DATETIME": "TIMESTAMP_NTZ", "TIMESTAMP": "TIMESTAMP_NTZ",
    "TIMESTAMP_NTZ": "TIMESTAMP_NTZ", "TIMESTAMP_LTZ": "TIMESTAMP_LTZ", "TIMESTAMP_TZ": "TIMESTAMP_TZ",
}  # fmt: skip
_DUCKDB_TYPES = {
    "VARIANT": "JSON", "OBJECT": "JSON", "ARRAY": "JSON", "VARCHAR": "VARCHAR", "FLOAT": "DOUBLE",
    "BOOLEAN": "BOOLEAN", "BINARY": "BLOB", "DATE": "DATE", "TIME": "TIME", "TIMESTAMP_NTZ": "TIMESTAMP",
    "TIMESTAMP_LTZ": "TIMESTAMPTZ", "TIMESTAMP_TZ": "TIMESTAMPTZ",
}  # fmt: skip
_DUCKDB_SCALE = 6
_READ_AS_JSON = frozenset({"VARIANT", "OBJECT", "ARRAY", "BOOLEAN"})
_CAST_NAMES = {"NUMBER": "FIXED", "FLOAT": "REAL"}  # in messages; other types go by their own names


@dataclass(frozen=True)
class LoadOptions:
    """How a pipe reads values.

    `time_zone` is the account's: the vendor's tests saw that of a new account, which is not UTC.
    https://github.com/snowflakedb/snowflake-kafka-connector/blob/master/test/tests/compatibility/test_type_compatibility.py
    """

    binary: BinaryFormat = "BASE64"
    time_zone: str = "America/Los_Angeles"
    uses_defaults: bool = False
    is_case_sensitive: bool = False


@dataclass(frozen=True)
class Column:
    """One column; `size` is the length of a VARCHAR or BINARY and the precision of a NUMBER, else 0.

    `scale` is that of a NUMBER, and of a time the digits of a second that are kept.
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
    def type(self) -> str:
        """The type as DESCRIBE shows it."""
        if self.kind == "NUMBER":
            return f"NUMBER({self.size},{self.scale})"
        size = self.scale if self.kind.startswith("TIME") else self.size
        return f"{self.kind}({size})" if size or self.kind.startswith("TIME") else self.kind

    @property
    def json_target(self) -> str:
        """What `json_transform` makes of the value: JSON where its type matters, everything else becomes text."""
        return "JSON" if self.kind in _READ_AS_JSON else "VARCHAR"

    @property
    def duckdb_type(self) -> str:
        """The type of the column in DuckDB."""
        return f"DECIMAL({self.size},{self.scale})" if self.kind == "NUMBER" else _DUCKDB_TYPES[self.kind]

    @property
    def declaration(self) -> str:
        """How DuckDB declares it."""
        default = f" DEFAULT {self.default}" if self.default else ""
        return f"{self.identifier} {self.duckdb_type}{default}{'' if self.nullable else ' NOT NULL'}"

    def value(self, raw: str, options: LoadOptions) -> str:
        """Give the SQL of the value that is stored; a default takes the place of one that is absent, if it is used."""
        if options.uses_defaults and self.default:
            return f"CASE WHEN {raw} IS NULL THEN {self.default} ELSE {self.converted(raw, options)} END"
        return self.converted(raw, options)

    def converted(self, raw: str, options: LoadOptions) -> str:
        """Give the SQL that turns `raw` into the column's value, or into NULL when it does not fit."""
        match self.kind:
            case "VARIANT":
                return f"CASE WHEN strlen({raw}) <= {MAX_TEXT} THEN {raw} END"
            case "OBJECT" | "ARRAY":
                return f"CASE WHEN strlen({raw}) <= {MAX_TEXT} THEN as_{self.kind.lower()}({raw}) END"
            case "VARCHAR":
                return f"CASE WHEN length({raw}) <= {self.size} THEN {raw} END"
            case "NUMBER":
                return self._number(raw)
            case "BINARY":
                return self._binary(raw, options.binary)
            case "TIME":
                return self._scaled(f"as_time({raw})")
            case "TIMESTAMP_NTZ":
                return self._scaled(f"as_timestamp_ntz({raw}, '{options.time_zone}')")
            case "TIMESTAMP_TZ" | "TIMESTAMP_LTZ":
                return self._scaled(f"as_timestamp_tz({raw}, '{options.time_zone}')")
            case _:
                return f"as_{self.kind.lower()}({raw})"

    def _number(self, raw: str) -> str:
        """An exponent makes it a floating-point number, also in Snowflake; DuckDB alone takes underscores."""
        exact = f"TRY_CAST({raw} AS {self.duckdb_type})"
        rounded = f"TRY_CAST(TRY_CAST({raw} AS DOUBLE) AS {self.duckdb_type})"
        return (
            f"CASE WHEN contains({raw}, '_') THEN NULL WHEN contains(lower({raw}), 'e') THEN {rounded} ELSE {exact} END"
        )

    def _binary(self, raw: str, form: BinaryFormat) -> str:
        # The length is checked without decoding twice: four characters of base64 are three bytes, two of hex one.
        most, decoded = {
            "BASE64": (-(-self.size // 3) * 4, f"from_base64({raw})"),
            "HEX": (2 * self.size, f"CASE WHEN strlen({raw}) % 2 = 0 THEN unhex({raw}) END"),
            "UTF-8": (self.size, f"encode({raw})"),
        }[form]
        return f"CASE WHEN strlen({raw}) <= {most} THEN TRY({decoded}) END"

    def _scaled(self, value: str) -> str:
        """Drop the digits of a second that the column does not keep."""
        if self.scale >= _DUCKDB_SCALE:
            return value
        return f"without_digits({value}, {10 ** (_DUCKDB_SCALE - self.scale)})"

    def complaint(self, raw: str | None) -> str:
        """Say in Snowflake's words why `raw` does not fit."""
        if raw is None:
            return f"NULL result in a non-nullable column: {self.name}"
        shown = raw if len(raw) <= SHOWN else raw[:SHOWN] + "…"
        if self.kind == "BINARY":
            too_long = len(raw) > self.size * 4 / 3 + 4
            text = "Binary value is too long and would be truncated" if too_long else _cast_failure(shown, "BINARY")
        elif self.kind == "VARIANT":
            text = f"Document is too large. Max LOB size ({MAX_TEXT}) exceeded"
        elif self.kind == "VARCHAR":
            text = f"String '{shown}' is too long and would be truncated"
        else:
            text = _cast_failure(shown, _CAST_NAMES.get(self.kind, self.kind))
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
    elif kind.startswith("TIME"):
        size, scale = 0, int(found[2] or MAX_TIME_SCALE)
    return Column(name, kind, nullable, size, scale)


def quoted(name: str) -> str:
    """Quote an identifier for SQL."""
    return '"' + name.replace('"', '""') + '"'


def _cast_failure(shown: str, type_name: str) -> str:
    """The text of error 100071, under which a pipe rejects a value; a value that is no JSON is shown as a string."""
    try:
        json.loads(shown)
    except ValueError:
        shown = json.dumps(shown, ensure_ascii=False)
    return f"Failed to cast variant value {shown} to {type_name}"
