"""A body is PAYLOAD to the byte or not at all, on every Python, and the reason says what is wrong and where."""

import inspect
import json
import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress
from math import isinf
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import worker.bodies.payload
from worker.bodies.payload import DEEPEST, LONGEST_INTEGER, NotPayload
from worker.bodies.payload import payload as read

LISTS, OBJECTS, MIXED = (b"[", b"]"), (b'{"a": ', b"}"), (b'[{"]}[{\\"": ', b"}]")
"""What opens and what closes; the key of the last is full of brackets, and of an escaped quote."""


@pytest.fixture(params=["as it is", "as a large body"])
def _either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every body, and every portion of it, is large."""
    if request.param == "as a large body":
        monkeypatch.setattr(worker.bodies.payload, "LARGE", 0)
        monkeypatch.setattr(worker.bodies.payload, "PORTION", 3)
        monkeypatch.setattr(worker.bodies.payload, "FEW", 1)


either_way = pytest.mark.usefixtures("_either_way")


def payload(body: bytes) -> bytes:
    """The text alone."""
    return read(body)[0]


def reason(body: bytes) -> str:
    with pytest.raises(NotPayload) as refused:
        payload(body)
    return str(refused.value)


def nested(depth: int, container: tuple[bytes, bytes], levels: int = 1) -> bytes:
    opening, closing = container
    return opening * (depth // levels) + b"1" + closing * (depth // levels)


@either_way
@pytest.mark.parametrize(("container", "levels"), [(LISTS, 1), (OBJECTS, 1), (MIXED, 2)])
def test_json_is_nested_up_to_a_bound_of_ours(container: tuple[bytes, bytes], levels: int) -> None:
    deepest = nested(DEEPEST, container, levels)
    assert payload(deepest) == deepest
    for depth in (DEEPEST + levels, 1000, 2000, 100_000):
        said = f"the JSON is nested {depth} levels deep, {DEEPEST} is the bound"
        assert reason(nested(depth, container, levels)) == said


@either_way
def test_a_bound_that_the_text_does_not_reach_costs_it_nothing() -> None:
    wide = json.dumps([{"s": "[" * 1000, "t": "]}", "n": [[], {}]}] * 1000).encode()
    assert payload(wide) == wide


@either_way
@pytest.mark.parametrize("container", [b"[", b'{"a":', b"[1,", b'[{"a":'])
def test_brackets_that_never_close_are_too_deep_and_not_a_crash(container: bytes) -> None:
    levels = container.count(b"[") + container.count(b"{")
    for times in (DEEPEST + 1, 2 * DEEPEST - 1, 2 * DEEPEST, 100_000):
        assert reason(container * times) == f"the JSON is nested {levels * times} levels deep, {DEEPEST} is the bound"
    assert "malformed: it ends too early" in reason(container * (DEEPEST // levels))


def test_a_stack_that_is_nearly_used_up_costs_the_column_and_no_crash() -> None:
    def from_below(frames: int) -> str:
        if frames:
            return from_below(frames - 1)
        try:
            return payload(body).decode()
        except NotPayload as why:
            return str(why)

    body = nested(DEEPEST, LISTS)
    left = sys.getrecursionlimit() - len(inspect.stack()) - DEEPEST // 2
    assert from_below(left) in ("the JSON is nested too deep to be read", body.decode())  # as Python counts


def test_brackets_that_only_close_or_come_in_something_else_are_not_nested() -> None:
    assert "malformed" in reason(b"]" * 100_000)
    assert "looks like gzip" in reason(b"\x1f\x8b" + b"[" * 100_000)


@either_way
@pytest.mark.parametrize(
    ("body", "at"),
    [
        (b'{"a":1,"a":2}', 7),
        (b'{"a" :1, "a"\n:2}', 9),
        (b'\xef\xbb\xbf {"a":1,"a":1}', 11),
        (b'{"a":1,"\\u0061":2}', 7),
        (b'[0, {"o": {"k": 1, "l": {"k": 2}, "k": 3}}]', 34),
        (b'{"when": "10:00", "when": "11:00"}', 18),
        (b'{"a": "\\u003a\\u003A", "a": ":", "b": 1}', 22),
        (b'{"":1,"":2}', 6),
        (b'{"a": "\\"a\\": 1", "b": "\\\\", "a": 1}', 29),
    ],
)
def test_a_key_twice_in_one_object_is_found(body: bytes, at: int) -> None:
    assert reason(body) == f"an object has a key twice (byte {at})"


@either_way
@pytest.mark.parametrize(
    "body",
    [
        b'{"a":{"a":1},"b":[{"a":1},{"a":2}]}',
        b'{"a": "\\"a\\": 1", "b": "\\u003a", "A": ":smile:", "c" : "x : y"}',
        b'[":", {"k": ":"}, ": \\u003a"]',
        b'{"a": "\\\\u0000", "b": "\\\\\\\\u0000"}',
        b"9" * LONGEST_INTEGER,
        b"-" + b"9" * LONGEST_INTEGER,
        b'{"digits": "' + b"1" * 100 + b'", "fraction": 0.' + b"3" * 100 + b', "small": 1e-400}',
        b"123456789012345678901234567890.123456789",
        b"1.7976931348623157e308",
    ],
)
def test_what_only_looks_like_it_is_not_refused(body: bytes) -> None:
    assert payload(body) == body


@either_way
@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"a":"x\\u0000"}', "a string has the character NUL (byte 7), which a VARIANT cannot hold"),
        (b'{"k\\u0000":1}', "a string has the character NUL (byte 3), which a VARIANT cannot hold"),
        (b'"\\\\\\u0000"', "a string has the character NUL (byte 3), which a VARIANT cannot hold"),
        (b"1" * 39, "an integer has more than 38 digits (byte 0)"),
        (b'{"s": "' + b"1" * 50 + b'", "n":-' + b"1" * 39 + b"}", "an integer has more than 38 digits (byte 64)"),
        (b"[" + b"1" * 5000 + b"]", "a number is beyond the range of a DOUBLE (byte 1)"),
        (b'{"n": [1e999]}', "a number is beyond the range of a DOUBLE (byte 7)"),
        (b"-1e999", "a number is beyond the range of a DOUBLE (byte 0)"),
    ],
)
def test_what_snowflake_would_refuse_or_change_is_said(body: bytes, said: str) -> None:
    assert reason(body) == said


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "the body is empty"),
        (b" ", "JSON is malformed: it ends too early"),
        (b"\xef\xbb\xbf", "JSON is malformed: it ends too early"),
        (b'  {"a": nul}', "JSON is malformed: invalid character (byte 12)"),
        (b"{'a': 1}", "JSON is malformed: object keys must be strings (byte 1); it looks like JSON in single quotes"),
        (b' {"a": "1\n2"}', "a string has a line break, or another character that has to be escaped (byte 9)"),
        (b'["\\"\x01"]', "a string has a line break, or another character that has to be escaped (byte 4)"),
        (b'{"a": "\xff"}', "the text is not UTF-8 (byte 7)"),
        (b'{"\xff": 1}', "the text is not UTF-8 (byte 2)"),
        (b'{"a": 1} x', "JSON is malformed: trailing characters (byte 10)"),
        (rb'{"a": "\ud800"}', "a string has half of a surrogate pair (byte 7)"),
        (rb'["\ud83d\ude00", "\uD800 "]', "a string has half of a surrogate pair (byte 18)"),
        (rb'["\\ud800", tru]', "JSON is malformed: invalid character (byte 16)"),
        (b"1\n2", "JSON is malformed: trailing characters (byte 3)"),
        ('{"a": 1}'.encode("utf-16"), "JSON is malformed: invalid character (byte 0); it looks like UTF-16 text"),
        (b"<a/>", "JSON is malformed: invalid character (byte 0); it looks like XML or HTML"),
    ],
)
def test_what_is_not_json_is_said_with_the_place(body: bytes, said: str) -> None:
    assert reason(body) == said


SECRET = "c0ffee"


@pytest.mark.parametrize(
    "body",
    [
        f'{{"{SECRET}": 1, "{SECRET}": 2}}',
        f'{{"{SECRET}": "{SECRET}"',
        f'{{"{SECRET}": 1e999}}',
        f'{{"{SECRET}\\u0000": 1}}',
        f'{{"{SECRET}": {"7" * 39}}}',
        f"{SECRET}",
        f'"{SECRET}" {SECRET}',
    ],
)
def test_a_reason_shows_nothing_of_the_body_and_is_short(body: str) -> None:
    for sent in (body.encode(), b"\x1f\x8b" + body.encode(), body.encode() + b"\xff" * 1_000_000):
        said = reason(sent)
        assert SECRET not in said
        assert "777" not in said
        assert len(said) < 200


NAMES = st.sampled_from(["a", "b", ":", '"', "\\", "a:", "\\u003a", "", " :", "é", "{", "}", "\0", "1" * 39])
NUMBERS = st.integers() | st.integers(10**36, 10**40) | st.sampled_from([float("inf"), 1e307, 0.1])
DOCUMENTS = st.recursive(
    st.none() | NUMBERS | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.lists(st.tuples(NAMES, inner), max_size=3).map(tuple),
    max_leaves=8,
)


def written(value: object, escape_all: bool) -> str:
    """JSON in which a tuple of pairs is an object, so that a key may be there twice."""
    if isinstance(value, tuple):
        return "{" + ", ".join(f"{written(key, escape_all)} :{written(item, False)}" for key, item in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(written(item, escape_all) for item in value) + "]"
    if isinstance(value, str) and escape_all:
        return '"' + "".join(f"\\u{ord(letter):04x}" for letter in value) + '"'
    return json.dumps(value).replace("Infinity", "1e999")


def faults(value: object) -> Iterator[str]:
    """What a reason may say, found in the slow way."""
    if isinstance(value, tuple):
        if len(dict(value)) < len(value):
            yield "has a key twice"
        for pair in value:
            yield from faults([*pair])
    elif isinstance(value, list):
        for item in value:
            yield from faults(item)
    elif isinstance(value, str) and "\0" in value:
        yield "the character NUL"
    elif isinstance(value, float) and isinf(value):
        yield "beyond the range of a DOUBLE"
    elif isinstance(value, int) and len(str(abs(value))) > LONGEST_INTEGER:
        yield f"more than {LONGEST_INTEGER} digits"


@either_way
@given(DOCUMENTS, st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_body_is_refused_for_just_what_is_wrong_with_it(value: Any, escape_all: bool) -> None:
    body = written(value, escape_all).encode()
    if found := list(faults(value)):
        said = reason(body)
        assert any(fault in said for fault in found), said
    else:
        assert payload(body) == body


PIECES = st.sampled_from(
    [*'"\\{}[]:,01-.eE+ \t\n\r\x00\x1f\x0b\xa0\u2028é', "true", "null", "NaN", r"\u0000", r"\ud800", r"\u00e9", '"a":']
)


@either_way
@given(st.lists(PIECES, max_size=8).map("".join))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_text_is_read_as_by_another_reader_or_refused_and_is_refused_where_that_one_refuses_it(text: str) -> None:
    try:
        expected = json.loads(text.strip(" \t\r\n"), parse_constant=int)  # which refuses NaN
    except ValueError:
        reason(text.encode())
    else:
        with suppress(NotPayload):
            assert json.loads(payload(text.encode())) == expected


SIZE = 200_000


def filled(item: bytes, between: bytes = b",", around: tuple[bytes, bytes] = (b"[", b"]")) -> bytes:
    return around[0] + between.join([item] * (SIZE // len(item + between) + 1)) + around[1]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(filled(b"{}"), id="empty objects"),
        pytest.param(filled(b"[" * 400 + b"]" * 400), id="deep lists"),
        pytest.param(filled(b'["",' * 400 + b"1" + b"]" * 400), id="deep lists with strings"),
        pytest.param(filled(b'"["'), id="strings with brackets"),
        pytest.param(filled(b'{"a":":"}'), id="small objects"),
        pytest.param(b"{" + b",".join(b'"%d":1' % n for n in range(SIZE // 8)) + b"}", id="many keys"),
        pytest.param(filled(b"1" * 38, b"", (b'"', b'"')), id="a string of digits"),
        pytest.param(filled(rb"\u003a", b"", (b'"', b'"')), id="a string of escapes"),
        pytest.param(filled(rb"\\", b"", (b'"', b'"')), id="a string of backslashes"),
        pytest.param(filled(b"0.5"), id="numbers"),
    ],
)
def test_the_look_at_a_large_body_takes_a_few_times_its_memory_whatever_it_is(
    body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker.bodies.payload, "LARGE", SIZE // 2)
    monkeypatch.setattr(worker.bodies.payload, "PORTION", SIZE // 64)
    monkeypatch.setattr(worker.bodies.payload, "FEW", 50)
    tracemalloc.start()
    try:
        found = payload(body)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert bytes(found) == body
    assert most < 4 * len(body), f"{most / len(body):.1f} times"
