"""A result on the wire."""

import datetime as dt
from decimal import Decimal

from scripts.localcloud.snow.sql.statements.rowset import Rowset

NOW = dt.datetime(2026, 3, 1, 12, 0, 0, 5, tzinfo=dt.UTC)


def test_values_travel_as_text_in_the_forms_that_the_drivers_read() -> None:
    before = dt.datetime(1969, 12, 31, 23, 59, 59, 500_000)  # noqa: DTZ001 - a TIMESTAMP_NTZ has no zone
    values = {
        "BIGINT": (5, "5"),
        "DECIMAL(38,2)": (Decimal("1.50"), "1.50"),
        "BOOLEAN": (True, "1"),
        "BLOB": (b"\x00\xff", "00FF"),
        "DATE": (dt.date(1970, 1, 3), "2"),
        "TIME": (dt.time(0, 0, 1, 5), "1.000005000"),
        "TIMESTAMP": (before, "-0.500000000"),
        "TIMESTAMP WITH TIME ZONE": (NOW, "1772366400.000005000 1440"),
        "JSON": ('{"a":1}', '{"a":1}'),
        "VARCHAR": (None, None),
    }
    result = Rowset(list(values), list(values), [[value for value, _ in values.values()]])
    assert result.values() == [[text for _, text in values.values()]]
    types = {one["name"]: (one["type"], one["precision"], one["scale"]) for one in result.rowtype()}
    assert types["DECIMAL(38,2)"] == ("fixed", 38, 2)
    assert types["TIMESTAMP"] == ("timestamp_ntz", 0, 9)
    assert types["JSON"] == ("variant", None, None)
