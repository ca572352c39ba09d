"""The logical types of Avro as JSON. What is out of a type's range stays as the schema's plain type has it.

https://avro.apache.org/docs/1.12.0/specification/#logical-types
"""

from collections.abc import Callable
from typing import Any, TypeAlias
from uuid import UUID

import msgspec

from shared import iso8601
from shared.config.formats.avro_schema import Logical

Convert: TypeAlias = Callable[[Any], Any]
"""Makes of a plain value (a number, text, bytes) one that is fit for JSON. Raises `ValueError`."""
Make: TypeAlias = Callable[[Logical, int], Convert | None]
"""Makes that of a logical type, for a fixed of so many bytes; None: it does not fit, and the plain type is meant."""

MOST_DIGITS = 38  # of a NUMBER: https://docs.snowflake.com/en/sql-reference/data-types-numeric#number
MOST_DECIMAL_BYTES = 1024  # of a number that Python makes text of
UUID_BYTES, DURATION_BYTES = 16, 12


def _decimal(logical: Logical, _: int) -> Convert:
    """An exact number; its text where it has more digits than a NUMBER.

    With a scale that no NUMBER has, it is the digits with an exponent: written out, one byte could be a billion zeros.
    """
    scale = logical.scale

    def convert(data: bytes) -> Any:
        if len(data) > MOST_DECIMAL_BYTES:
            raise ValueError("a decimal has too many digits")
        unscaled = int.from_bytes(data, "big", signed=True)
        if scale > MOST_DIGITS:
            return f"{unscaled}E-{scale}"
        digits = f"{abs(unscaled):0{scale + 1}d}"
        point = len(digits) - scale
        text = ("-" if unscaled < 0 else "") + digits[:point] + ("." + digits[point:] if scale else "")
        return msgspec.Raw(text.encode()) if len(digits) <= MOST_DIGITS else text

    return convert


def _instant(units_in_a_second: int, zone: str = "") -> Make:
    """A time since 1970, with or without a zone."""

    def convert(count: int) -> Any:
        text = iso8601.date_time(count, units_in_a_second)
        return count if text is None else text + zone

    return lambda *_: convert


def _time_of_day(units_in_a_second: int) -> Make:
    return lambda *_: lambda count: iso8601.time_of_day(count, units_in_a_second) or count


def _date(*_: object) -> Convert:
    return lambda days: iso8601.day(days) or days


def _uuid(_: Logical, size: int) -> Convert | None:
    return (lambda data: str(UUID(bytes=data))) if size == UUID_BYTES else None


def _duration(_: Logical, size: int) -> Convert | None:
    """Months, days and milliseconds, none of which is made of another."""

    def convert(data: bytes) -> str:
        months, days, milliseconds = (int.from_bytes(data[at : at + 4], "little") for at in (0, 4, 8))
        seconds = f"{milliseconds / 1000:.3f}".rstrip("0").rstrip(".") if milliseconds else ""
        return iso8601.in_parts({"M": months, "D": days}, {"S": seconds})

    return convert if size == DURATION_BYTES else None


LOGICAL_TYPES: dict[tuple[str, str], Make] = {
    ("bytes", "decimal"): _decimal,
    ("fixed", "decimal"): _decimal,
    ("fixed", "uuid"): _uuid,
    ("fixed", "duration"): _duration,
    ("int", "date"): _date,
    ("int", "time-millis"): _time_of_day(10**3),
    ("long", "time-micros"): _time_of_day(10**6),
    ("long", "timestamp-millis"): _instant(10**3, "Z"),
    ("long", "timestamp-micros"): _instant(10**6, "Z"),
    ("long", "timestamp-nanos"): _instant(10**9, "Z"),
    ("long", "local-timestamp-millis"): _instant(10**3),
    ("long", "local-timestamp-micros"): _instant(10**6),
    ("long", "local-timestamp-nanos"): _instant(10**9),
}
