"""How a JSON value lands in a column, case by case, as the vendors' own tests recorded it on the live service.

Every value goes through the real streaming SDK. A case without a source is marked as a guess: it says what the local
service does, not what Snowflake is known to do.
"""

from base64 import b64encode
from dataclasses import dataclass, replace

import pytest

from tests.harness.snow.sdk import Snow, committed

# Snowflake's Kafka connector 4 in its mode "v4-ht", where the service alone converts. What that test expects of this
# mode is in the functions below its table.
KAFKA = (
    "https://github.com/snowflakedb/snowflake-kafka-connector/blob/6b887f70/test/tests/compatibility/"
    "test_type_compatibility.py"
)
# Estuary's connector, over the Python SDK: the values, and snapshots of what the service held.
ESTUARY = "https://github.com/estuary/connectors: materialize-snowflake/.snapshots/TestStreamV2Datatypes-"
# Snowflake's classic SDK for Java: each text is also inserted by SQL, and the two are compared.
JAVA = (
    "https://github.com/snowflakedb/snowflake-ingest-java/blob/42a0f766/src/test/java/net/snowflake/ingest/streaming/"
    "internal/datatypes/"
)
DOCS = "https://docs.snowflake.com/en/"
NULLS = "https://github.com/estuary/connectors/issues/4936"
GUESS = "a guess"

COLUMNS = {
    "N": "NUMBER",
    "N2": "NUMBER(10,2)",
    "N31": "NUMBER(3,1)",
    "N20": "NUMBER(38,20)",
    "F": "FLOAT",
    "S": "VARCHAR",
    "S10": "VARCHAR(10)",
    "R": "BINARY",
    "B": "BOOLEAN",
    "D": "DATE",
    "T": "TIME",
    "NTZ": "TIMESTAMP_NTZ",
    "NTZ0": "TIMESTAMP_NTZ(0)",
    "LTZ": "TIMESTAMP_LTZ",
    "TZ": "TIMESTAMP_TZ",
    "TZ1": "TIMESTAMP_TZ(1)",
    "V": "VARIANT",
    "O": "OBJECT",
    "A": "ARRAY",
}
MOST = 10**38 - 1  # of a NUMBER
REJECTED = object()


@dataclass(frozen=True)
class Case:
    """A value for one column, what is stored (or REJECTED), and who says so."""

    column: str
    value: object
    stored: object
    source: str

    def __str__(self) -> str:
        return f"{self.column}-{self.value!r:.40}"


# NUMBER
NUMBERS = [
    *[Case("N", value, value, ESTUARY + "INTEGER") for value in (-1, 0, 2**63 - 1, -(2**63), 2**64 - 1, MOST, -MOST)],
    Case("N", (2**64 - 1) * 10_000.0, 184_467_440_737_095_516_160_000, ESTUARY + "INTEGER"),
    *[Case("N", value, REJECTED, KAFKA) for value in ("not_a_number", {"obj": 1}, [1, 2, 3])],
    Case("N", MOST + 1, REJECTED, JAVA + "NumericTypesIT.java"),
    *[
        Case("N", text, number, JAVA + "NumericTypesIT.java")
        for text, number in (("00001", 1), ("8e0", 8), ("-10e4", -100_000), ("11.5", 12), ("12.4", 12), ("1.25e1", 13))
    ],
    *[
        Case("N", given, number, JAVA + "NumericTypesIT.java")
        for given, number in ((1.3, 1), (-1.3, -1), (0.4, 0), (0.6, 1), (-0.6, -1), (11.0, 11))
    ],
    *[Case("N", value, REJECTED, GUESS) for value in (True, "", "0x1F", "1_000", "NaN")],
    Case("N", " 12 ", 12, GUESS),
    *[Case("N2", value, str(value), KAFKA) for value in (123.45, -0.01, 99999.99)],
    *[Case("N2", value, REJECTED, KAFKA) for value in ("text", "12345678901")],
    Case("N31", 99.94, "99.9", JAVA + "NumericTypesIT.java"),
    *[Case("N31", value, REJECTED, JAVA + "NumericTypesIT.java") for value in (99.95, -99.95, 100)],
    Case("N20", "99999999999999999.99", "99999999999999999.99000000000000000000", KAFKA),
    *[Case("N20", f"{sign}{'9' * 30}.{'9' * 9}", REJECTED, KAFKA) for sign in ("", "-")],
]

FLOATS = [
    *[Case("F", value, value, KAFKA) for value in (3.14, -1.5, 0.0, 1.0e10)],
    *[Case("F", value, float(value), ESTUARY + "FLOAT") for value in (1234, 4321.1234, 5e-324)],
    *[Case("F", text, float(text), ESTUARY + "FLOAT") for text in ("NaN", "inf", "-inf")],
    *[Case("F", text, float(text), KAFKA) for text in ("Infinity", "-Infinity")],
    *[Case("F", value, REJECTED, KAFKA) for value in ("text", [1, 2])],
    *[Case("F", value, REJECTED, GUESS) for value in (True, "", "1e400")],
]

TEXTS = [
    *[Case("S", text, text, ESTUARY + "TEXT") for text in ("hello", "", "1234", "true", "1234.1234")],
    Case("S", "aGVsbG8gYnl0ZXM=", "aGVsbG8gYnl0ZXM=", ESTUARY + "TEXT"),  # bytes, as the SDK writes them
    *[Case("S", value, text, KAFKA) for value, text in (({"key": "value"}, '{"key":"value"}'), ([1, 2, 3], "[1,2,3]"))],
    *[
        Case("S", value, text, JAVA + "StringsIT.java")
        for value, text in ((True, "true"), (1111, "1111"), (1.5, "1.5"))
    ],
    Case("S10", "0123456789", "0123456789", KAFKA),
    Case("S10", "❄" * 10, "❄" * 10, JAVA + "StringsIT.java"),
    *[Case("S10", value, REJECTED, KAFKA) for value in ("a" * 20, {"key": "value"})],
]

BINARIES = [
    *[
        Case("R", b64encode(value).decode(), value.hex().upper(), ESTUARY + "BINARY")
        for value in (b"hello bytes", b"", b"\0\xff\xfe")
    ],
    # Text in hexadecimal is taken for base64 by a default pipe: other bytes, and no error.
    Case("R", "DEADBEEF", "0C4003044105", KAFKA),
    Case("R", "not base64", REJECTED, GUESS),
]

BOOLEANS = [
    *[Case("B", value, value, ESTUARY + "BOOLEAN") for value in (True, False)],
    *[Case("B", text, True, KAFKA) for text in ("true", "yes", "on")],
    *[Case("B", text, False, KAFKA) for text in ("false", "no", "off")],
    *[Case("B", text, True, DOCS + "sql-reference/data-types-logical") for text in ("T", "Y", "1", "ON")],
    *[Case("B", text, False, DOCS + "sql-reference/data-types-logical") for text in ("F", "N", "0", "Off")],
    *[Case("B", value, REJECTED, KAFKA) for value in (0, 1, 42, -1, 999, {"key": "value"}, [1, 2, 3], "random_string")],
    *[Case("B", value, REJECTED, GUESS) for value in (0.0, "")],
]

DATES = [
    *[Case("D", text, text, KAFKA) for text in ("2024-01-15", "1970-01-01", "2099-12-31")],
    *[
        Case("D", text, shown, ESTUARY + "DATE")
        for text, shown in (("9999-12-31", "9999-12-31"), ("0000-01-01", "0001-01-01 (BC)"))
    ],
    *[
        Case("D", text, date, JAVA + "DateTimeIT.java")
        for text, date in (
            ("2013-04-28T20:57:01.123456789+07:00", "2013-04-28"),
            ("2024-02-29T23:59:59.999999999Z", "2024-02-29"),
            ("0", "1970-01-01"),
            ("1662731080", "2022-09-09"),
        )
    ],
    Case("D", "not_a_date", REJECTED, KAFKA),
    Case("D", "2023-02-29T23:59:59.999999999", REJECTED, JAVA + "DateTimeIT.java"),
    Case("D", 1662731080, "2022-09-09", GUESS),
    *[Case("D", value, REJECTED, GUESS) for value in (True, [1], {"a": 1}, "", "infinity")],
]

TIMES = [
    *[Case("T", text, text, KAFKA) for text in ("13:45:30", "00:00:00", "23:59:59")],
    Case("T", "20:57", "20:57:00", JAVA + "DateTimeIT.java"),
    Case("T", "1674478926123456789", "13:02:06.123456", JAVA + "DateTimeIT.java"),
    Case("T", "-1674478926", "10:57:54", JAVA + "DateTimeIT.java"),
    # The service drops these rows, although its SQL strips the offset.
    *[Case("T", text, REJECTED, KAFKA) for text in ("00:00:00Z", "13:45:30+05:00", "not_a_time")],
    *[Case("T", value, REJECTED, GUESS) for value in (True, "24:00:00", "2024-01-15T13:45:30")],
]

TIMESTAMPS = [
    *[
        Case("NTZ", f"2022-08-17T04:32:19.987654321{offset}", "2022-08-17T04:32:19.987654Z", ESTUARY + "TIMESTAMP_NTZ")
        for offset in ("", "Z", "+02:00", "+03:30", "-07:00")
    ],
    Case("NTZ", "9999-12-31T23:59:59.999999999+23:59", "9999-12-31T23:59:59.999999Z", ESTUARY + "TIMESTAMP_NTZ"),
    # An integer is an instant, read on the clock of a new account: 10:00 in UTC.
    Case("NTZ", 1705312800, "2024-01-15T02:00:00.000000Z", KAFKA),
    *[
        Case("NTZ", number, "2024-01-15T02:00:00.123000Z", DOCS + "sql-reference/functions/to_timestamp")
        for number in (1705312800123, 1705312800123000, 1705312800123000000)
    ],
    *[
        Case("LTZ", f"2022-08-17T04:32:19.987654321{offset}", f"2022-08-17T{utc}:19.987654Z", ESTUARY + "TIMESTAMP_LTZ")
        for offset, utc in (("Z", "04:32"), ("+02:00", "02:32"), ("+03:30", "01:02"), ("-07:00", "11:32"))
    ],
    Case("LTZ", "9999-12-31T23:59:59.999999999-23:59", "10000-01-01T23:58:59.999999Z", ESTUARY + "TIMESTAMP_LTZ"),
    Case("LTZ", "2024-01-15T13:45:30+00:00", "2024-01-15T13:45:30.000000Z", KAFKA),
    Case("TZ", "2024-01-15T13:45:30+05:00", "2024-01-15T08:45:30.000000Z", KAFKA),
    # Text without an offset is of the account's zone.
    *[
        Case(column, text, utc, JAVA + "DateTimeIT.java")
        for column in ("LTZ", "TZ")
        for text, utc in (
            ("2013-04-28T20:57", "2013-04-29T03:57:00.000000Z"),
            ("2013-04-28", "2013-04-28T07:00:00.000000Z"),
            ("0", "1970-01-01T00:00:00.000000Z"),
            ("1674478926", "2023-01-23T13:02:06.000000Z"),
            ("1674478926123", "2023-01-23T13:02:06.123000Z"),
            ("1674478926123456", "2023-01-23T13:02:06.123456Z"),
            ("1674478926123456789", "2023-01-23T13:02:06.123456Z"),
            ("-1674478926123", "1916-12-09T10:57:53.877000Z"),
            ("-1674478926123456789", "1916-12-09T10:57:53.876543Z"),
        )
    ],
    *[Case(column, "not_a_timestamp", REJECTED, KAFKA) for column in ("NTZ", "LTZ", "TZ")],
    *[
        Case(column, "2023-02-29T23:59:59.999999999", REJECTED, JAVA + "DateTimeIT.java")
        for column in ("NTZ", "LTZ", "TZ")
    ],
    Case("NTZ0", "2022-01-31T13:00:00.999999", "2022-01-31T13:00:00.000000Z", JAVA + "DateTimeIT.java"),
    Case("TZ1", "2022-01-31T13:00:00.123456+09:00", "2022-01-31T04:00:00.100000Z", JAVA + "DateTimeIT.java"),
    *[
        Case(column, value, REJECTED, GUESS)
        for column in ("NTZ", "LTZ", "TZ")
        for value in (True, 1705312800.5, [1], {"a": 1}, "", "infinity", "13:45:30")
    ],
]

DOCUMENTS = [
    *[
        Case("V", value, text, ESTUARY + "VARIANT")
        for value, text in (
            ("hello", '"hello"'),
            ("", '""'),
            (1234, "1234"),
            (True, "true"),
            (1234.1234, "1234.1234"),
            ([1, 2, 3], "[1,2,3]"),
            ({"unicode": "你好 🌟"}, '{"unicode":"你好 🌟"}'),
        )
    ],
    # Text that holds JSON stays text.
    *[
        Case("V", text, stored, KAFKA)
        for text, stored in (('{"a":1}', '"{\\"a\\":1}"'), ("42", '"42"'), ("true", '"true"'), ("[1,2]", '"[1,2]"'))
    ],
    Case("V", {"nested": [True, False, None]}, '{"nested":[true,false,null]}', KAFKA),
    *[
        Case("O", value, text, KAFKA)
        for value, text in (
            ({"key": "value"}, '{"key":"value"}'),
            ({"array_val": [1, 2, 3]}, '{"array_val":[1,2,3]}'),
            ('{"key":"value"}', '{"key":"value"}'),
        )
    ],
    *[Case("O", value, REJECTED, KAFKA) for value in ("not_json", "[1,2,3]")],
    *[Case("O", value, REJECTED, GUESS) for value in ([1], 1, True)],
    Case("A", ["a", "b"], '["a","b"]', KAFKA),
    Case("A", [{"key": "value"}], '[{"key":"value"}]', KAFKA),
    *[
        Case("A", text, stored, KAFKA)
        for text, stored in (("not_json", '["not_json"]'), ("[1,2,3]", '["[1,2,3]"]'), ("42", '["42"]'))
    ],
    *[
        Case("A", value, text, DOCS + "sql-reference/functions/to_array")
        for value, text in ((1, "[1]"), ({"1": "2"}, '[{"1":"2"}]'))
    ],
]

EMPTY = [
    *[Case(column, None, None, KAFKA) for column in COLUMNS if column not in ("V", "R")],
    Case("R", None, None, ESTUARY + "BINARY"),
    Case("V", None, "null", NULLS),
]

CASES = [
    *NUMBERS, *FLOATS, *TEXTS, *BINARIES, *BOOLEANS, *DATES, *TIMES, *TIMESTAMPS, *DOCUMENTS, *EMPTY,
]  # fmt: skip


@dataclass(frozen=True)
class Results:
    """What the table has by the number of the case, and what the channel's status says."""

    rows: dict[int, dict[str, object]]
    status: dict[str, object]


@pytest.fixture(scope="module")
def results(server: Snow) -> Results:
    """All cases in one append: one row each, with its number and one more column."""
    with server.with_table() as named:
        name = (*named.name[:2], "TYPES")
        named.admin.create_table(name, [("ID", "NUMBER", False), *COLUMNS.items()])
        with named.driver() as sdk:
            typed = replace(named, name=name)
            sdk.client(typed.pipe)
            sdk.open(typed.channel)
            rows = [{"ID": number, case.column: case.value} for number, case in enumerate(CASES)]
            sdk.append(typed.channel, rows, ("0", str(len(rows))))
            sdk.push(typed.channel)
            status = committed(sdk, typed, str(len(rows)))
        found = typed.rows(", ".join(("ID", *COLUMNS)))
    return Results({row[0]: dict(zip(COLUMNS, row[1:], strict=True)) for row in found}, status)


@pytest.mark.parametrize("number", range(len(CASES)), ids=[f"{i}-{case}" for i, case in enumerate(CASES)])
def test_a_value_lands_as_the_vendors_tests_recorded(results: Results, number: int) -> None:
    case = CASES[number]
    row = results.rows.get(number)
    if case.stored is REJECTED:
        assert row is None, f"{case} is stored as {row and row[case.column]!r}, not rejected: {case.source}"
    else:
        assert row is not None, f"{case} is rejected: {case.source}"
        assert repr(row[case.column]) == repr(case.stored), case.source


def test_what_does_not_fit_is_counted_with_a_reason(results: Results) -> None:
    rejected = sum(case.stored is REJECTED for case in CASES)
    assert len(results.rows) == len(CASES) - rejected
    assert results.status["errors"] == rejected
    assert "Failed to cast variant value" in str(results.status["message"])
