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
suspect what is right (a string with an escaped colon), and then the second look is exact.

A body of more than `LARGE` bytes is not decoded, because the values of `[{},{},…]` take 25 times the memory of their
text. It is checked in place, and goes to the second look at once. That look takes at most three times the memory of the
text, whatever the text is.
"""

import re
from codecs import utf_8_decode
from collections.abc import Iterator
from itertools import accumulate, chain
from math import isinf
from typing import Any, TypeAlias

import msgspec

from worker.bodies.signature import looks_like

DEEPEST = 500
LARGE = 1024 * 1024  # events of all tiers but Dedicated are at most so large
PORTION = 64 * 1024  # bytes of a text that are in pieces at once; at least 4, the longest character of UTF-8
FEW = 1000  # keys of an object that are remembered as they are
EVERY = 13  # bytes, a third of an integer that is too long
LONGEST_INTEGER = 38  # digits: https://docs.snowflake.com/en/sql-reference/data-types-numeric#number
UTF8_BOM = b"\xef\xbb\xbf"
WHITESPACE = b" \t\r\n"
CONTAINER = b"[{"
BEGIN = ord("{")
LF, CR, BACKSLASH = b"\n\r\\"  # as numbers: to look for a number in bytes takes a tenth of the time
NUL, COLON = b"\\u0000", b"\\u003"  # a colon that is written so, or one of its neighbours

_TOO_LONG = b"0" * (LONGEST_INTEGER + 1)
_DIGITS = _TOO_LONG[::EVERY]
_LARGE_EXPONENTS = (b"e000", b"E000", b"e+000", b"E+000")  # with fewer digits, what is infinite is too long as well
_DIGITS_AS_ZERO = bytes.maketrans(b"123456789", b"0" * 9)
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")  # as signed bytes: one level down, one up
_NO_BRACKET, _NO_BRACE = (bytes(set(range(256)) - set(kept)) for kept in (b"[]{}", b"{}"))
# For a text without escaped quotes (`_plain`): a pattern with alternatives in a string takes memory for each.
_LONE_SURROGATE = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])")
_STRING_OR_NUMBER = re.compile(rb'"[^"]*"|(-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)')
_POSITION = re.compile(r"\(byte (\d+)\)")
_decode = msgspec.json.Decoder().decode
_skip = msgspec.json.Decoder(msgspec.Raw).decode  # checks all but UTF-8 and the range of numbers, and builds nothing
_encode = msgspec.json.Encoder().encode

Key: TypeAlias = tuple[int, bytes]  # the number of its object, and its name

UNREAD = object()
"""In place of the value of a body that is too large to be decoded."""


class NotPayload(Exception):
    """The body is not JSON that PAYLOAD can hold; the text says why, and nothing of what is in the body."""


def payload(body: bytes, around: int = 0) -> tuple[bytes, Any]:
    """The body as one line of JSON, checked, not built again, and its value or `UNREAD`; raises `NotPayload`.

    `around` is how many levels are around it where it goes.
    """
    text = body.removeprefix(UTF8_BOM).strip(WHITESPACE)
    if len(text) > DEEPEST and text[0] in CONTAINER:  # a shorter one cannot be deeper; brackets may never close
        _refuse_deep(text, around)
    value = UNREAD
    try:
        if len(text) <= LARGE:
            value = _decode(text)
            is_suspect = _is_suspect(text, value)
        else:
            is_suspect = _is_large_suspect(text)
    except RecursionError:  # the stack above was deep already
        raise NotPayload("the JSON is nested too deep to be read") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NotPayload(_why_not_json(body, text, error)) from None
    if is_suspect:
        _refuse_ambiguous(body, text)
    # The SDK sends rows as lines: a raw newline between two tokens would cut the row in two. Strings hold none, JSON
    # forbids it. https://docs.snowflake.com/en/user-guide/snowpipe-streaming/snowpipe-streaming-high-performance-rest-api
    if LF in text or CR in text:
        return msgspec.json.format(text, indent=-1), value
    return text, value


def _is_suspect(text: bytes, value: Any) -> bool:
    """Whether JSON may hold what Snowflake would refuse or change. Raises what the encoder does.

    The decoder keeps one of two keys that are alike. Then what it kept, encoded, differs from the text and has fewer
    colons. Of 39 digits in a row three are among every 13th byte, and few texts have three digits there.
    """
    kept = _encode(value)
    if BACKSLASH in text and (NUL in text or COLON in text):
        return True
    if _DIGITS in text[::EVERY].translate(_DIGITS_AS_ZERO) and _TOO_LONG in text.translate(_DIGITS_AS_ZERO):
        return True
    return kept != text and kept.count(b":") != text.count(b":")


def _is_large_suspect(text: bytes) -> bool:
    """The same for a large body. It always is: the second look takes less memory than its value."""
    _skip(text)
    if (at := _first_invalid(text)) is not None:
        raise UnicodeDecodeError("utf-8", text, at, at + 1, "invalid")
    return True


# --- the second look --------------------------------------------------------------------------------------------------


def _refuse_deep(text: bytes, around: int) -> None:
    """Raise when it is nested too deep. May be no JSON."""
    if around + text.count(b"[") + text.count(b"{") <= DEEPEST:
        return
    brackets = (outside.translate(_STEPS, _NO_BRACKET) for outside in _outside_strings(_plain(text)))
    steps = chain.from_iterable(memoryview(each).cast("b") for each in brackets)
    depth = around + max(accumulate(steps), default=0)
    if depth > DEEPEST:
        raise NotPayload(f"the JSON is nested {depth} levels deep, {DEEPEST} is the bound")


def _refuse_ambiguous(body: bytes, text: bytes) -> None:
    """Raise when JSON holds what Snowflake would refuse or change."""
    start, plain = body.index(text), _plain(text)
    # The range before the digits: a number of 400 digits has both faults, and that it has no value says more.
    if (at := plain.find(NUL)) >= 0:
        raise NotPayload(f"a string has the character NUL (byte {start + at}), which a VARIANT cannot hold")
    if (at := _infinite(plain)) >= 0:
        raise NotPayload(f"a number is beyond the range of a DOUBLE (byte {start + at})")
    if (at := _second_key(text, plain)) >= 0:
        raise NotPayload(f"an object has a key twice (byte {start + at})")
    if (at := _long_integer(plain)) >= 0:
        raise NotPayload(f"an integer has more than {LONGEST_INTEGER} digits (byte {start + at})")


def _plain(text: bytes) -> bytes:
    """The text with `__` for each escaped quote or backslash: every quote that is left begins or ends a string."""
    return text.replace(rb"\\", b"__").replace(rb"\"", b"__")


def _outside_strings(plain: bytes) -> Iterator[bytes]:
    """The text without its strings, in portions."""
    is_inside = 0
    for at in range(0, len(plain), PORTION):
        pieces = plain[at : at + PORTION].split(b'"')
        yield b"".join(pieces[is_inside::2])
        is_inside ^= (len(pieces) - 1) % 2


def _infinite(plain: bytes) -> int:
    """Where the first number begins that a DOUBLE cannot hold; -1: there is none."""
    zeros = plain.translate(_DIGITS_AS_ZERO)
    if not any(mark in zeros for mark in (_TOO_LONG, *_LARGE_EXPONENTS)):
        return -1
    return next((at for at, number in _numbers(plain) if isinf(float(number))), -1)


def _long_integer(plain: bytes) -> int:
    """Where the first integer begins that has too many digits; -1: there is none."""
    if _TOO_LONG not in plain.translate(_DIGITS_AS_ZERO):
        return -1
    integers = ((at, number.lstrip(b"-")) for at, number in _numbers(plain))
    return next((at for at, digits in integers if len(digits) > LONGEST_INTEGER and digits.isdigit()), -1)


def _numbers(plain: bytes) -> Iterator[tuple[int, bytes]]:
    """Every number and where it begins."""
    return ((found.start(), found[0]) for found in _STRING_OR_NUMBER.finditer(plain) if found[1])


def _second_key(text: bytes, plain: bytes) -> int:
    """Where a key begins that its object has already; -1: there is none.

    Remembering every key of a huge object would take many times the memory of the text. So an object's first `FEW` keys
    are remembered, and each later one marks a byte that its hash chooses. When a byte is marked twice, a second pass
    remembers the keys of such bytes alone, which are few, and compares them.
    """
    if not any(b":" in outside for outside in _outside_strings(plain)):
        return -1
    marked, again = bytearray(len(text)), set()
    for at, key, first in _keys(text, plain):
        if key in first:
            return at
        if len(first) < FEW:
            first.add(key)
            continue
        place = hash(key) % len(marked)
        if marked[place]:
            again.add(place)
        marked[place] = True
    known: set[Key] = set()
    for at, key, _ in _keys(text, plain) if again else ():
        if hash(key) % len(marked) in again:
            if key in known:
                return at
            known.add(key)
    return -1


def _keys(text: bytes, plain: bytes) -> Iterator[tuple[int, Key, set[Key]]]:
    """Each key: where it begins, which one it is, and a set for its object, empty at first."""
    has_escapes, count, objects = BACKSLASH in text, 0, list[tuple[int, set[Key]]]()
    for at, string, after in _strings(plain):
        if after[:1] == b":" or after.lstrip(WHITESPACE)[:1] == b":":
            number, first = objects[-1]
            yield at, (number, _name(text[at : at + len(string) + 2]) if has_escapes else string), first
        for brace in after.translate(None, _NO_BRACE):
            if brace == BEGIN:
                objects.append((count := count + 1, set()))
            else:
                objects.pop()


def _name(string: bytes) -> bytes:
    """What is between the quotes of a string, with each letter written in the same way."""
    return (_encode(_decode(string)) if BACKSLASH in string else string)[1:-1]


def _strings(plain: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Each string: where it begins, what is in it, and what is between it and the next one.

    An empty string comes before the first one, so that what is before that comes after something, and now and then.
    """
    stop = 0
    while stop < len(plain):
        at, stop = stop, _next_string(plain, stop + PORTION, stop)
        pieces = plain[at:stop].split(b'"')
        yield at, b"", pieces[0]
        at += len(pieces[0])
        for string, after in zip(pieces[1::2], pieces[2::2], strict=True):
            yield at, string, after
            at += len(string) + len(after) + 2


def _next_string(plain: bytes, at: int, outside: int) -> int:
    """Where the next string after `at` begins, else the end of the text; `outside`: an earlier place in no string."""
    if plain.count(b'"', outside, at) % 2:
        at = plain.index(b'"', at) + 1
    found = plain.find(b'"', at)
    return len(plain) if found < 0 else found


def _why_not_json(body: bytes, text: bytes, error: Exception) -> str:
    if not body:
        return "the body is empty"
    start, plain = body.index(text), _plain(text)
    guess = looks_like(body)
    also = f"; it looks like {guess}" if guess else ""
    if isinstance(error, UnicodeDecodeError):
        return f"the text is not UTF-8 (byte {start + (_first_invalid(text) or 0)}){also}"
    if isinstance(error, msgspec.ValidationError) and (at := _infinite(plain)) >= 0:
        return f"a number is beyond the range of a DOUBLE (byte {start + at})"
    if found := _LONE_SURROGATE.search(plain):  # the decoder says that the text ends too early
        return f"a string has half of a surrogate pair (byte {start + found.start()})"
    found_at = _POSITION.search(str(error))
    at = int(found_at[1]) if found_at else 0
    if b"" < text[at : at + 1] < b" " and plain.count(b'"', 0, at) % 2:  # within a string
        return f"a string has a line break, or another character that has to be escaped (byte {start + at})"
    reason = _POSITION.sub(f"(byte {start + at})", str(error))
    return reason.replace("Input data was truncated", "JSON is malformed: it ends too early") + also


def _first_invalid(text: bytes) -> int | None:
    """Where it stops being UTF-8."""
    at = 0
    while at < len(text):
        portion = text[at : at + PORTION]
        try:
            at += utf_8_decode(portion, "strict", at + PORTION >= len(text))[1]
        except UnicodeDecodeError as error:
            return at + error.start
    return None
