"""Each key of a body goes to its column, and whatever has none is in `_EVSUP`: nothing of an event is lost."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import worker.bodies.payload
from shared.ipc.messages import TableColumns
from tests.unit.captured_log import capture_logs
from tests.unit.plain_settings import snowflake
from tests.unit.worker.rows import mappers, wire
from tests.unit.worker.rows.events import event, event_of, line_of, message, properties
from worker.bodies.body_reader import BodyReader
from worker.rows import column_keys, columns, unknown_keys
from worker.rows.columns import Columns
from worker.rows.event import refused
from worker.rows.mapping import RowMapper

NAMES = ("CARRIER", "DELAY", "dest", "Mixed Case")
PLACE = {"partition_id": "3", "sequence_number": 5, "offset": "123", "enqueued_time": "2023-11-14T22:13:20.123000Z"}


def rows_of(*names: str, is_case_sensitive: bool = False, **settings: Any) -> Columns:
    """Rows of partition 3 into a table with these columns beside `_EVSUP`."""
    known = TableColumns(names=names or NAMES, are_case_sensitive=is_case_sensitive)
    return Columns("3", snowflake(row_format="columns", **settings), known, BodyReader())


def row_of(body: bytes, *names: str, **sections: Any) -> dict[str, Any]:
    """The row of an event with this body."""
    return line_of(rows_of(*names).event_of(event(body, **sections)))


# --- keys with a column -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        rb'{"CARRIER": "LH", "DELAY":1.50, "dest" : null}',
        rb'{"CARRIER":"\u0041\/","DELAY":12345678901234567890.1230}',
        b' {"dest":{"dest":[1, 2]} }\r\n',
        b"\xef\xbb\xbf" + '{"CARRIER":"ü"}'.encode(),
    ],
)
def test_a_body_whose_keys_are_names_of_columns_is_in_the_row_as_it_came(body: bytes) -> None:
    text = body.removeprefix(b"\xef\xbb\xbf").strip()[:-1]
    rows = rows_of()
    for _ in range(2):  # as keys that are new, and as keys that are known
        found = bytes(rows.event_of(event(body)).row)
        assert found.startswith(text.rstrip()), found
        assert json.loads(found)["_EVSUP"] == PLACE
    assert rows.unknown_keys_total == 0


@pytest.mark.parametrize("key", ["carrier", "Carrier", "CARRIER", "DEST", "dest", "mixed case"])
def test_letters_of_ascii_are_compared_without_case_and_sent_as_the_column_is_spelled(key: str) -> None:
    [column] = [name for name in NAMES if name.upper() == key.upper()]
    assert row_of(json.dumps({key: 1}).encode()) == {column: 1, "_EVSUP": PLACE}


def test_a_key_in_other_letters_leaves_the_text_of_its_value_as_it_came() -> None:
    rows = rows_of()
    for _ in range(2):
        found = bytes(rows.event_of(event(rb' {"carrier": "\u0041\/" , "Delay":12345678901234567890.1230}')).row)
        assert found.startswith(rb'{"CARRIER":"\u0041\/","DELAY":12345678901234567890.1230,"_EVSUP":{')


def test_a_pipe_that_regards_case_takes_only_the_spelling_of_the_column() -> None:
    rows = rows_of(is_case_sensitive=True)
    assert line_of(rows.event_of(event(b'{"dest":1}'))) == {"dest": 1, "_EVSUP": PLACE}
    assert line_of(rows.event_of(event(b'{"DEST":1}')))["_EVSUP"]["unknown"] == {"DEST": 1}


def test_other_letters_have_case_since_no_page_says_how_snowflake_compares_them() -> None:
    assert "SCHLÜSSEL" in row_of('{"SCHLÜSSEL":1}'.encode(), "SCHLÜSSEL")
    assert row_of('{"schlüssel":1}'.encode(), "SCHLÜSSEL")["_EVSUP"]["unknown"] == {"schlüssel": 1}


@pytest.mark.parametrize(
    ("body", "taken", "kept"),
    [
        (b'{"delay":1,"DELAY":2}', {"DELAY": 2}, {"delay": 1}),
        (b'{"DELAY":1,"delay":2}', {"DELAY": 1}, {"delay": 2}),
        (b'{"delay":1,"Delay":2}', {"DELAY": 1}, {"Delay": 2}),
        (b'{"Delay":1,"delay":2,"DELAY":3}', {"DELAY": 3}, {"Delay": 1, "delay": 2}),
    ],
)
def test_of_two_keys_for_one_column_its_own_spelling_wins_else_the_first(
    body: bytes, taken: dict[str, int], kept: dict[str, int]
) -> None:
    rows = rows_of()
    for one in (b'{"delay":0}', b'{"Delay":0}', b'{"DELAY":0}'):  # each spelling is known by itself
        rows.event_of(event(one))
    assert line_of(rows.event_of(event(body))) == taken | {"_EVSUP": PLACE | {"unknown": kept}}


# --- keys without a column --------------------------------------------------------------------------------------------


def test_a_key_without_a_column_is_kept_beside_the_others_as_it_came() -> None:
    rows = rows_of()
    found = bytes(rows.event_of(event(rb'{"carrier": "\u0041", "gate": { "n":1.50 }, "dest": 3}')).row)
    assert found.startswith(rb'{"CARRIER":"\u0041","dest":3,"_EVSUP":{"partition_id":"3",')
    assert found.endswith(rb'"unknown":{"gate":{ "n":1.50 }}}}')
    assert rows.unknown_keys_total == 1


@pytest.mark.parametrize("key", ["_EVSUP", "_evsup", "", 'a"b', '"CARRIER"', "x" * 256, "tab\t", "new\u2028line", "ü"])
def test_a_key_that_can_be_no_column_is_kept_too(key: str) -> None:
    assert row_of(json.dumps({key: 1}).encode()) == {"_EVSUP": PLACE | {"unknown": {key: 1}}}


def test_a_column_that_is_added_takes_the_key_from_the_next_event_on() -> None:
    rows = rows_of("A")
    assert line_of(rows.event_of(event(b'{"b":1}')))["_EVSUP"]["unknown"] == {"b": 1}
    rows.learn(TableColumns(names=("A", "B")))
    assert line_of(rows.event_of(event(b'{"b":1}'))) == {"B": 1, "_EVSUP": PLACE}
    rows.learn(TableColumns(names=("A",)))
    assert line_of(rows.event_of(event(b'{"b":1}')))["_EVSUP"]["unknown"] == {"b": 1}


def test_each_key_is_logged_once_with_the_statement_that_adds_its_column() -> None:
    rows = rows_of()
    with capture_logs() as logged:
        for body in (b'{"gate":1}', b'{"gate":2,"_evsup":1}', b'{"Gate":3}'):
            rows.event_of(event(body))
    assert [(line["key"], line["fix"]) for line in logged] == [
        ("gate", 'ALTER TABLE "EVENTS"."PUBLIC"."FLIGHTS" ADD COLUMN "GATE" VARIANT;'),
        ("_evsup", "_EVSUP is the column of evsup itself"),
        ("Gate", 'ALTER TABLE "EVENTS"."PUBLIC"."FLIGHTS" ADD COLUMN "GATE" VARIANT;'),
    ]


def test_a_sender_that_invents_keys_fills_neither_memory_nor_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unknown_keys, "MOST_LOGGED", 5)
    monkeypatch.setattr(column_keys, "MOST_MET", 5)
    monkeypatch.setattr(column_keys, "MOST_SHAPES", 5)
    rows = rows_of("A")
    with capture_logs() as logged:
        for number in range(100):
            assert line_of(rows.event_of(event(b'{"a":1,"k%d":1}' % number)))["A"] == 1
    assert len(logged) == 6
    assert rows.unknown_keys_total == 100


def test_with_fail_an_event_with_such_a_key_is_refused_with_key_and_fix() -> None:
    rows = rows_of(on_unknown_key="fail")
    assert rows.event_of(event(b'{"carrier":1}')).refusal is None
    found = rows.event_of(event(b'{"carrier":1,"gate":2}', 77))
    assert found.refusal
    error = refused("3", found, found.refusal)
    assert error.what == "Partition 3, event 77, offset 123: there is no column for 'gate'"
    assert error.why == "SNOWFLAKE_ON_UNKNOWN_KEY=fail"
    assert error.fix.startswith('ALTER TABLE "EVENTS"."PUBLIC"."FLIGHTS" ADD COLUMN "GATE" VARIANT; ')
    assert "SNOWFLAKE_ON_UNKNOWN_KEY=keep" in error.fix


def test_a_refusal_names_few_keys_and_why_one_can_be_no_column() -> None:
    found = rows_of(on_unknown_key="fail").event_of(event(b'{"a":1,"b":2,"":3,"c":4,"d":5}')).refusal
    assert found
    assert found.what == "there is no column for 'a', 'b', '' and 2 more keys"
    assert found.why == "a column has a name"
    assert '"A" VARIANT, "B" VARIANT, "C" VARIANT, "D" VARIANT;' in found.fix


# --- columns that Snowflake adds --------------------------------------------------------------------------------------


def test_with_evolve_a_new_key_is_sent_and_kept_until_its_column_is_there() -> None:
    rows = rows_of("A", on_unknown_key="evolve")
    for _ in range(2):
        row = line_of(rows.event_of(event(b'{"a":1,"b":2}')))
        assert row == {"A": 1, "B": 2, "_EVSUP": PLACE | {"unknown": {"b": 2}}}
    rows.learn(TableColumns(names=("A", "B")))
    assert line_of(rows.event_of(event(b'{"a":1,"b":2}'))) == {"A": 1, "B": 2, "_EVSUP": PLACE}


@pytest.mark.parametrize("key", ["_evsup", "", 'a"b', "x" * 256, "ü", "A"])
def test_snowflake_is_not_asked_for_what_can_be_no_column_of_its_own(key: str) -> None:
    body = json.dumps({"a": 1, key: 2}).encode()
    row = line_of(rows_of("a", on_unknown_key="evolve").event_of(event(body)))
    assert row == {"a": 1, "_EVSUP": PLACE | {"unknown": {key: 2}}}


def test_one_column_is_asked_for_by_one_key() -> None:
    row = line_of(rows_of("A", on_unknown_key="evolve").event_of(event(b'{"b":1,"B":2}')))
    assert row == {"B": 1, "_EVSUP": PLACE | {"unknown": {"b": 1, "B": 2}}}


@pytest.mark.parametrize(("bound", "value"), [("MOST_AWAITED", 2), ("MOST_COLUMNS", 3)])
def test_columns_are_asked_for_up_to_a_bound(bound: str, value: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(column_keys, bound, value)
    rows = rows_of("A", on_unknown_key="evolve")
    sent = [line_of(rows.event_of(event(b'{"k%d":1}' % number))).keys() - {"_EVSUP"} for number in (0, 1, 2, 0)]
    assert sent == [{"K0"}, {"K1"}, set(), {"K0"}]


def test_no_column_is_asked_for_by_a_null(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(column_keys, "MOST_AWAITED", 1)
    rows = rows_of("A", on_unknown_key="evolve")
    assert line_of(rows.event_of(event(b'{"b": null}'))) == {"_EVSUP": PLACE | {"unknown": {"b": None}}}
    assert line_of(rows.event_of(event(b'{"c": 1}'))) == {"C": 1, "_EVSUP": PLACE | {"unknown": {"c": 1}}}


# --- bodies without keys ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"{}", b"{ }", b" {\n} "])
def test_an_empty_object_has_nothing_for_any_column(body: bytes) -> None:
    assert row_of(body) == {"_EVSUP": PLACE}


@pytest.mark.parametrize("body", [b"[1,2]", b'"text"', b"12", b"true", b"null", b'[{"carrier":1}]'])
def test_a_body_that_is_no_object_is_kept_whole(body: bytes) -> None:
    assert row_of(body) == {"_EVSUP": PLACE | {"body": json.loads(body)}}


@pytest.mark.parametrize("body", [b"no json", b"\xff", b'{"a":1,"a":2}', rb'{"a":"\u0000"}', rb'{"\u0000":1}'])
def test_a_body_that_is_not_json_is_kept_to_the_byte_with_the_reason(body: bytes) -> None:
    row = row_of(body)
    assert row.keys() == {"_EVSUP"}
    assert base64.b64decode(row["_EVSUP"]["raw_body"], validate=True) == body
    assert row["_EVSUP"]["decode_error"] == line_of(event_of(event(body)))["DECODE_ERROR"]
    kept, failing = rows_of(), rows_of(on_decode_error="fail")
    assert kept.event_of(event(body)).refusal is None
    found = failing.event_of(event(body)).refusal
    assert found
    assert "_EVSUP:raw_body" in found.fix


def test_an_empty_body_is_kept_without_a_reason() -> None:
    assert row_of(b"") == {"_EVSUP": PLACE | {"raw_body": ""}}
    assert rows_of(on_decode_error="fail").event_of(event(b"")).refusal is None


def test_a_body_of_amqp_is_as_json() -> None:
    rows = rows_of()
    assert line_of(rows.event_of(message(value={b"carrier": b"LH", b"gate": 1}))) == {
        "CARRIER": "LH",
        "_EVSUP": PLACE | {"unknown": {"gate": 1}},
    }
    assert line_of(rows.event_of(message(value=b"text")))["_EVSUP"]["body"] == "text"


@pytest.fixture
def _all_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker.bodies.payload, "LARGE", 0)
    monkeypatch.setattr(columns, "MOST_COLONS", 4)


@pytest.mark.usefixtures("_all_is_large")
def test_a_large_body_is_parted_like_any_other_unless_it_might_have_too_many_keys() -> None:
    assert row_of(b'{"carrier":1,"gate":2}') == {"CARRIER": 1, "_EVSUP": PLACE | {"unknown": {"gate": 2}}}
    vast = b'{"carrier":"a:b:c:d:e"}'
    assert row_of(vast) == {"_EVSUP": PLACE | {"body": {"carrier": "a:b:c:d:e"}}}
    assert rows_of(on_unknown_key="fail").event_of(event(vast)).refusal


# --- a mapper ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("names", "kept"), [(["PAYLOAD"], {}), (["A"], {"unknown": {"PAYLOAD": {"m": 1}}})])
def test_the_keys_of_a_mapper_go_where_those_of_a_body_go(names: list[str], kept: dict[str, Any]) -> None:
    rows = mapped(names)
    row = line_of(rows.event_of(event(b'{"carrier": 1}')))
    assert row == ({} if kept else {"PAYLOAD": {"m": 1}}) | {"_EVSUP": PLACE | kept}


def test_with_fail_a_mapper_may_give_no_key_without_a_column() -> None:
    found = mapped(["A"], on_unknown_key="fail").event_of(event(b"{}")).refusal
    assert found
    assert found.why.startswith("there is no column for 'PAYLOAD': SNOWFLAKE_ON_UNKNOWN_KEY=fail (the mapper is")


def test_what_a_mapper_gives_as_none_is_no_value() -> None:
    rows = mapped(["PAYLOAD", "PROPERTIES"], "with_nulls")
    assert line_of(rows.event_of(event(b"{}"))) == {"_EVSUP": PLACE}


def mapped(names: list[str], name: str = "one_column", **settings: Any) -> Columns:
    """Rows of what a mapper gives, into a table with these columns."""
    target = snowflake(row_format="columns", **settings)
    mapper = RowMapper(f"{mappers.__name__}:{name}")
    return Columns("3", target, TableColumns(names=tuple(names)), BodyReader(), mapper)


# --- whatever it is ---------------------------------------------------------------------------------------------------


def test_the_metadata_are_those_of_the_envelope_in_lower_case() -> None:
    full = event(
        b"[1]",
        annotations={b"x-opt-partition-key": b"k", b"other": 1},
        application_properties={b"p": 1},
        properties=properties(content_type=b"c", message_id=b"m", correlation_id=b"r", subject=b"s"),
    )
    envelope = {name.lower(): value for name, value in line_of(event_of(full)).items()}
    assert line_of(rows_of().event_of(full)) == {"_EVSUP": {"body": envelope.pop("payload"), **envelope}}


KEYS = st.one_of(st.sampled_from(["a", "A", "b", "B", "_EVSUP", "", "ß", 'q"', "c"]), st.text(max_size=3))
OBJECTS = st.dictionaries(KEYS, st.one_of(st.integers(-9, 9), st.text(max_size=2), st.none()), max_size=6)
TABLES = st.sets(st.sampled_from(["A", "b", "ß", "C", 'q"']), min_size=1)


@given(OBJECTS, TABLES, st.booleans(), st.sampled_from(["keep", "fail", "evolve"]))
def test_nothing_of_an_object_is_lost_and_each_column_has_one_value(
    body: dict[str, Any], names: set[str], is_case_sensitive: bool, on_unknown_key: str
) -> None:
    rows = rows_of(*names, is_case_sensitive=is_case_sensitive, on_unknown_key=on_unknown_key)
    encoded = event(json.dumps(body, ensure_ascii=False).encode())
    for _ in range(2):
        row = line_of(rows.event_of(encoded))
        kept = row.pop("_EVSUP")
        if "raw_body" in kept:
            assert line_of(event_of(encoded))["RAW_BODY"] == kept["raw_body"]
            continue
        there = {name if name in body else spelled(name, body): value for name, value in row.items()}
        assert there | kept.get("unknown", {}) == body
        if on_unknown_key != "evolve":
            assert row.keys() <= names, "no pipe can miss them"
        if on_unknown_key != "evolve":
            assert not row.keys() & kept.get("unknown", {}).keys()


def spelled(name: str, body: dict[str, Any]) -> str:
    """The first key that goes to a column."""
    return next(key for key in body if key.upper() == name.upper())


@given(wire.MESSAGES)
def test_any_message_has_the_place_and_the_size_that_its_envelope_has(encoded: bytes) -> None:
    found, envelope = rows_of().event_of(encoded), event_of(encoded)
    assert (found.sequence_number, found.offset, found.enqueued) == (
        envelope.sequence_number,
        envelope.offset,
        envelope.enqueued,
    )
    assert found.size_bytes == len(bytes(found.row))
    assert "_EVSUP" in line_of(found)
