r"""JSON bodies that PAYLOAD holds as they came, and the reason why any other body is not one.

PAYLOAD is a VARIANT. Valid JSON is not enough for it: some of it Snowflake refuses, and a refused row ends the tree;
some of it Snowflake stores with another meaning and reports no error. Both are found here, before a row is sent.

- A key twice in one object. Snowflake refuses it, or keeps the last value alone.
  https://docs.snowflake.com/en/sql-reference/functions/parse_json#arguments
- The character NUL (`\u0000`). It can make a column unreadable.
  https://github.com/snowflakedb/snowflake-ingest-java/issues/870
- An integer of more than 38 digits. It becomes a DOUBLE, which keeps 15 of them. A fraction becomes one too, and that
  is as nearly every reader of JSON reads it.
  https://docs.snowflake.com/en/sql-reference/functions/parse_json#usage-notes
- A number beyond the range of a DOUBLE, for which there is no value.
- More than `DEEPEST` levels. Snowflake documents no bound, and a parser that calls itself has one that changes with the
  version of Python. Ours is below each of these, so that a body goes to the same column everywhere.

This is done for every event, so the first look is made of few passes over the bytes, each at the speed of C. It may
suspect what is right (a string that begins with a colon), and then the second look is exact.
"""

import re
from collections.abc import Iterator
from itertools import accumulate
from math import isinf
from typing import Any

import msgspec

from worker.source.signature import looks_like

DEEPEST = 500
LONGEST_INTEGER = 38  # digits: https://docs.snowflake.com/en/sql-reference/data-types-numeric#number
UTF8_BOM = b"\xef\xbb\xbf"
WHITESPACE = b" \t\r\n"
CONTAINER = b"[{"
LF, CR, BACKSLASH = b"\n\r\\"  # as numbers: to look for a number in bytes takes a tenth of the time
NUL, COLON = b"\\u0000", b"\\u003"  # a colon that is written so, or one of its neighbours

_TOO_LONG = b"0" * (LONGEST_INTEGER + 1)
_DIGITS_AS_ZERO = bytes.maketrans(b"123456789", b"0" * 9)
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")  # as signed bytes: one level down, one up
_NO_BRACKET = bytes(set(range(256)) - set(b"[]{}"))
_NO_BRACKET_OR_QUOTE = _NO_BRACKET.replace(b'"', b"")
_NUL_ESCAPE = re.compile(rb"(?<!\\)(?:\\\\)*(\\u0000)")
_LONE_SURROGATE = re.compile(rb"(?<!\\)(?:\\\\)*(\\u[dD][89abAB][0-9a-fA-F]{2})(?!\\u[dD][c-fC-F])")
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_NUMBER = re.compile(rb"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_KEY_OR_BRACE = re.compile(rb'("(?:[^"\\]|\\.)*")[ \t\r\n]*(:)?|[{}]', re.DOTALL)
_POSITION = re.compile(r"\(byte (\d+)\)")
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class NotPayload(Exception):
    """The body is not JSON that PAYLOAD can hold; the text says why, and nothing of what is in the body."""


def payload(body: bytes) -> msgspec.Raw:
    """The body as one line of JSON, checked, not built again; raises `NotPayload`."""
    text = body.removeprefix(UTF8_BOM).strip(WHITESPACE)
    if len(text) > 2 * DEEPEST and text[0] in CONTAINER:  # a shorter one cannot be deeper
        _refuse_deep(text)
    try:
        value = _decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NotPayload(_why_not_json(body, text, error)) from None
    if _is_suspect(text, value):
        _refuse_ambiguous(body, text, value)
    # The SDK sends rows as lines: a raw newline between two tokens would cut the row in two. Strings hold none, JSON
    # forbids it. https://docs.snowflake.com/en/user-guide/snowpipe-streaming/snowpipe-streaming-high-performance-rest-api
    if LF in text or CR in text:
        return msgspec.Raw(msgspec.json.format(text, indent=-1))
    return msgspec.Raw(text)


def _is_suspect(text: bytes, value: Any) -> bool:
    """Whether valid JSON may hold what Snowflake would refuse or change.

    Of two keys that are alike the decoder keeps one. So what it kept, encoded, has fewer colons than the text.
    """
    if _TOO_LONG in text.translate(_DIGITS_AS_ZERO) or (BACKSLASH in text and (NUL in text or COLON in text)):
        return True
    colons = text.count(b":")
    is_flat = type(value) is dict and len(value) == colons
    return not is_flat and _encode(value).count(b":") != colons


# --- the second look --------------------------------------------------------------------------------------------------


def _refuse_deep(text: bytes) -> None:
    """Raise when it is nested too deep. May be no JSON."""
    if text.count(b"[") + text.count(b"{") <= DEEPEST:
        return
    brackets = text.translate(None, _NO_BRACKET_OR_QUOTE).replace(b'""', b"")
    if b'"' in brackets or rb"\"" in text:  # there are strings with brackets, or there may be
        brackets = _outside_strings(text).translate(None, _NO_BRACKET)
    steps = memoryview(brackets.translate(_STEPS)).cast("b")
    depth = max(accumulate(steps), default=0)
    if depth > DEEPEST:
        raise NotPayload(f"the JSON is nested {depth} levels deep, {DEEPEST} is the bound")


def _refuse_ambiguous(body: bytes, text: bytes, value: Any) -> None:
    """Raise when valid JSON holds what Snowflake would refuse or change."""
    start = body.index(text)
    if found := _NUL_ESCAPE.search(text):
        raise NotPayload(f"a string has the character NUL (byte {start + found.start(1)}), which a VARIANT cannot hold")
    if _keys(text) != _keys(_encode(value)):
        raise NotPayload(f"an object has a key twice (byte {start + _second_key(text)})")
    for at, number in _numbers(text):
        if number.lstrip(b"-").isdigit() and len(number.lstrip(b"-")) > LONGEST_INTEGER:
            raise NotPayload(f"an integer has more than {LONGEST_INTEGER} digits (byte {start + at})")


def _keys(text: bytes) -> int:
    """How many keys its objects have together."""
    return _outside_strings(text).count(b":")


def _outside_strings(text: bytes) -> bytes:
    """What is left of it without strings. A backslash can only be in one."""
    return b"".join(text.replace(rb"\\", b"").replace(rb"\"", b"").split(b'"')[::2])


def _numbers(text: bytes) -> Iterator[tuple[int, bytes]]:
    """Every number and where it begins."""
    without_strings = _STRING.sub(lambda found: b" " * len(found[0]), text)
    return ((found.start(), found[0]) for found in _NUMBER.finditer(without_strings))


def _second_key(text: bytes) -> int:
    """Where the first key begins that its object has already."""
    objects: list[set[str]] = []
    for found in _KEY_OR_BRACE.finditer(text):
        if found[0] == b"{":
            objects.append(set())
        elif found[0] == b"}":
            objects.pop()
        elif found[2] and (key := _decode(found[1])) in objects[-1]:
            return found.start()
        elif found[2]:
            objects[-1].add(key)
    raise AssertionError("every key is there once")


def _why_not_json(body: bytes, text: bytes, error: Exception) -> str:
    if not body:
        return "the body is empty"
    start = body.index(text)
    guess = looks_like(body)
    also = f"; it looks like {guess}" if guess else ""
    if isinstance(error, UnicodeDecodeError):
        return f"the text is not UTF-8 (byte {start + _first_invalid(text)}){also}"
    if isinstance(error, msgspec.ValidationError):
        for at, number in _numbers(text):
            if isinf(float(number)):
                return f"a number is beyond the range of a DOUBLE (byte {start + at})"
    if found := _LONE_SURROGATE.search(text):  # the decoder says that the text ends too early
        return f"a string has half of a surrogate pair (byte {start + found.start(1)})"
    reason = _POSITION.sub(lambda found: f"(byte {start + int(found[1])})", str(error))
    return reason.replace("Input data was truncated", "JSON is malformed: it ends too early") + also


def _first_invalid(text: bytes) -> int:
    try:
        text.decode()
    except UnicodeDecodeError as error:
        return error.start
    raise AssertionError("it is UTF-8")
