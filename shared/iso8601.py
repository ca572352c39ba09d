"""Times and durations as text of ISO 8601, from the counts of units in which AMQP, .NET and Avro carry them."""

from datetime import datetime, timedelta

EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 (who counts from there says in which zone)
MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86_400
NANOSECONDS = 10**9


def date_time(count: int, units_in_a_second: int, since: datetime = EPOCH) -> str | None:
    """The time so many units after `since`, without a zone; None outside the years 1 to 9999."""
    seconds, rest = divmod(count, units_in_a_second)
    try:
        return (since + timedelta(seconds=seconds)).isoformat() + _fraction(rest, units_in_a_second)
    except OverflowError:
        return None


def day(days: int) -> str | None:
    """The day so many days after 1970-01-01; None outside the years 1 to 9999."""
    text = date_time(days * DAY_S, 1)
    return text and text.partition("T")[0]


def time_of_day(count: int, units_in_a_second: int) -> str | None:
    """The time of day so many units after midnight; None when that is another day."""
    if not 0 <= count < DAY_S * units_in_a_second:
        return None
    text = date_time(count, units_in_a_second)
    return text and text.partition("T")[2]


def duration(count: int, units_in_a_second: int) -> str:
    """So many units. A negative one begins with a minus, as in XML Schema, Java and .NET.

    https://www.w3.org/TR/xmlschema-2/#duration
    """
    seconds, rest = divmod(abs(count), units_in_a_second)
    days, seconds = divmod(seconds, DAY_S)
    hours, seconds = divmod(seconds, HOUR_S)
    minutes, seconds = divmod(seconds, MINUTE_S)
    exact = f"{seconds}{_fraction(rest, units_in_a_second).rstrip('0')}" if seconds or rest else ""
    return ("-" if count < 0 else "") + in_parts({"D": days}, {"H": hours, "M": minutes, "S": exact})


def in_parts(calendar: dict[str, int], clock: dict[str, int | str]) -> str:
    """A duration of these parts, by their letters; what is zero or empty is left out."""
    days, times = ("".join(f"{count}{unit}" for unit, count in each.items() if count) for each in (calendar, clock))
    return "P" + days + (f"T{times}" if times else "" if days else "T0S")


def _fraction(rest: int, units_in_a_second: int) -> str:
    """Six digits, as everywhere in a row; more where they are there, and none of a whole second."""
    if not rest:
        return ""
    digits = f"{rest * (NANOSECONDS // units_in_a_second):09d}"
    return "." + digits[:6] + digits[6:].rstrip("0")
