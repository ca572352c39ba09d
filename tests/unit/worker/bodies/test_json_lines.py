"""JSON lines are one array of their lines, or no JSON lines at all."""

import json
import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.bodies import json_lines
from worker.bodies.json_lines import NotALine, array_of
from worker.bodies.payload import UNREAD, NotPayload

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.text(st.characters(exclude_characters="\0", codec="utf-8")),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_characters="\0", codec="utf-8")), inner)
    ),
    max_leaves=4,
)


def lines_of(body: bytes) -> bytes:
    return array_of(body)[0]


@pytest.mark.parametrize(
    ("body", "array"),
    [
        (b'{"id":1}\n{"id":2}\n{"id":3}', b'[{"id":1},{"id":2},{"id":3}]'),
        (b'{"id":1}\r\n{"id":2}\r\n', b'[{"id":1},{"id":2}]'),
        (b'\xef\xbb\xbf{"id":1}\n{"id":2}', b'[{"id":1},{"id":2}]'),
        (b'\n\n{"id": 1}\n \t\r\n  {"id": 2}  \n\n', b'[{"id": 1},{"id": 2}]'),
        (b'1\n"a"\nnull\n[]', b'[1,"a",null,[]]'),
        (b'{"n": 12345678901234567890.1230}\n1e300', b'[{"n": 12345678901234567890.1230},1e300]'),
        ('{"\u2028": "\u2029"}\n{}'.encode(), '[{"\u2028": "\u2029"},{}]'.encode()),
    ],
)
def test_each_line_is_an_item_as_it_came(body: bytes, array: bytes) -> None:
    assert array_of(body) == (array, json.loads(array))


@given(st.lists(VALUES, min_size=2, max_size=5), st.sampled_from(["\n", "\r\n", "\n\n"]), st.booleans())
def test_any_values_one_a_line_are_an_array_of_them(values: list[object], newline: str, ends_with_one: bool) -> None:
    body = newline.join(map(json.dumps, values)) + (newline if ends_with_one else "")
    assert json.loads(lines_of(body.encode())) == values


@pytest.mark.parametrize("body", [b"", b"\n\n", b'{"id":1}', b'{"id":1}\n', b"\n1\r\n"])
def test_one_line_is_no_json_lines(body: bytes) -> None:
    with pytest.raises(NotPayload):
        array_of(body)


@pytest.mark.parametrize(
    ("body", "line", "reason"),
    [
        (b"1\nhello\n3", 2, "malformed"),
        (b'{"a":1}\n{"a":\n2}', 2, "too early"),
        (b'{"a":1}{"a":2}\n3', 1, "trailing"),
        (b"[1\n2]", 1, "malformed"),
        (b'"a\nb"', 1, "early"),
        (b'{"a":1}\n{"a":1,"a":2}\n3', 2, "a key twice"),
        (b"1\n\n" + b"9" * 39, 3, "38 digits"),
        (b'1\n"\xff"', 2, "UTF-8"),
        (b'1\n"\\u0000"', 2, "NUL"),
        (b"1\n2\n1e999", 3, "DOUBLE"),
        (b"1,\n2", 1, "trailing"),
        (b"\xef\xbb\xbf1\n\xef\xbb\xbf2", 2, "byte order mark"),
        (b"1\x0b\n2", 1, "trailing"),
        (b"1\n" + b"[" * 501 + b"]" * 501, 2, "levels deep"),
        (b"1\n" + b"[" * 100_000, 2, "levels deep"),
    ],
)
def test_a_line_that_is_not_json_for_itself_is_named_and_refuses_all(body: bytes, line: int, reason: str) -> None:
    with pytest.raises(NotALine, match=rf"^line {line}: .*{reason}") as found:
        array_of(body)
    assert found.value.number == line


def test_lines_as_deep_as_json_may_be_are_too_deep_in_an_array() -> None:
    with pytest.raises(NotPayload, match="nested 501 levels deep"):
        array_of(b"1\n" + b"[" * 500 + b"]" * 500)


def test_many_lines_take_a_few_times_the_memory_of_their_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_lines, "LARGE", 100_000)
    body = b'"0123456789abcde"\n' * 15_000
    tracemalloc.start()
    array, _ = array_of(body)
    assert tracemalloc.get_traced_memory()[1] < 4 * len(body)
    tracemalloc.stop()
    assert len(array) == len(body) + 1


def test_a_large_body_is_checked_as_quickly_as_its_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    body = b'{"id": 12345, "carrier": "AA", "delays": [1, 2.5, null]}\n' * 40_000
    began_s = time.process_time()
    array, value = array_of(body)
    assert (len(array), value) == (len(body) + 1, UNREAD)
    took_s = time.process_time() - began_s

    monkeypatch.setattr(json_lines, "LARGE", len(body))
    began_s = time.process_time()
    assert array_of(body) == (array, json.loads(array))
    assert took_s < 2 * (time.process_time() - began_s), "as long as one that is decoded"
