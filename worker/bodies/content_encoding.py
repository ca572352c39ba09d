"""Bodies as their senders had them before they were compressed, within limits.

The properties of a message say how its body is encoded, in the words of HTTP: one coding, or several in the order in
which they were applied. `deflate` is zlib's format, and some senders leave out its frame. IoT devices name a charset in
the same place: IoT Hub asks them to.
https://www.rfc-editor.org/rfc/rfc9110#name-content-codings
https://learn.microsoft.com/azure/iot-hub/iot-hub-devguide-routing-query-syntax#query-based-on-message-body

A few bytes may unpack to many gigabytes. So a body is unpacked in portions, and refused once there is more of it than
its length allows, over all of its codings. What ends too early, and what has bytes behind its end, is refused as well:
half a body is none.
"""

import json
import re
import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Protocol, TypeAlias

from worker.bodies.decoded_size import most_bytes
from worker.bodies.payload import NotPayload

if sys.version_info >= (3, 14):
    from compression.zstd import DecompressionParameter, ZstdDecompressor, ZstdError
else:
    from backports.zstd import DecompressionParameter, ZstdDecompressor, ZstdError

MOST_CODINGS = 4
MOST_MEMBERS = 100_000  # of one coding: to begin a frame of zstd takes 40 µs, and 8 bytes can be one
PORTION = 16 * 1024  # bytes that are unpacked, or come out, at once
ZSTD_WINDOW_LOG = (
    23  # 8 MB, what each decoder should support: https://www.rfc-editor.org/rfc/rfc8878#name-window-descriptor
)
GZIP, ZLIB, RAW_DEFLATE = 31, 15, -15  # https://docs.python.org/3/library/zlib.html#zlib.decompress
# How what is compressed begins, whatever is in it: gzip with its only method, zlib with its usual window.
# https://www.rfc-editor.org/rfc/rfc1952#section-2.3.1, https://www.rfc-editor.org/rfc/rfc8878#section-3.1.1
GZIP_BEGIN, ZSTD_BEGIN, ZLIB_BEGIN = b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"\x78"
LONGEST_NAME_SHOWN = 40

# .NET's `Encoding.UTF8.ToString()` is `System.Text.UTF8Encoding+UTF8EncodingSealed`, and samples of IoT Hub send it.
_UTF8 = re.compile(r"utf-?8|ascii")
_WIDE = re.compile(r"utf-?(16|32)|unicode")
_SEPARATOR = re.compile(r"[,\s]+")


class Decompressor(Protocol):
    """What zlib and zstd have in common: one member or frame is unpacked, and no more comes out than is asked for."""

    @property
    def eof(self) -> bool:
        """Whether its end was reached."""

    @property
    def unused_data(self) -> bytes:
        """What is behind its end."""

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        """What comes out of more data."""


Decode: TypeAlias = Callable[[bytes, int], bytes]
"""Decodes a body to at most so many bytes; raises `NotPayload`."""


def decoded(body: bytes, encoding: str) -> bytes:
    """The body without the encoding that its properties name. Raises `NotPayload`."""
    codings = [each for each in _SEPARATOR.split(encoding.lower()) if each]
    if len(codings) > MOST_CODINGS:
        raise NotPayload(f"the content encoding names {len(codings)} codings, {MOST_CODINGS} is the bound")
    # All are known before any is undone: otherwise a body with an unknown one would be unpacked for nothing.
    decoders = [_decoder(each) for each in codings]
    most = most_bytes(len(body))
    # From the last one on: https://www.rfc-editor.org/rfc/rfc9110#field.content-encoding
    for decode in reversed(decoders):
        body = decode(body, most)
    return body


def is_compressed(encoding: str) -> bool:
    """Whether an encoding names a compression."""
    return any(_DECODERS.get(each, _identity) is not _identity for each in _SEPARATOR.split(encoding.lower()))


def compression_of(body: bytes) -> str:
    """The coding that a body begins with; empty: none. Each of them has a beginning that no JSON has."""
    if body.startswith(GZIP_BEGIN):
        return "gzip"
    if body.startswith(ZSTD_BEGIN):
        return "zstd"
    return "deflate" if body[:1] == ZLIB_BEGIN and _has_frame(body) else ""


def as_utf8(body: bytes) -> bytes:
    """Text in UTF-16 or UTF-32. Which of them shows in the text: JSON begins with a character of ASCII."""
    try:
        return body.decode(json.detect_encoding(body)).encode()
    except UnicodeError:
        raise NotPayload("the text is not in the charset that the message names") from None


def _decoder(coding: str) -> Decode:
    if known := _DECODERS.get(coding):
        return known
    if _UTF8.search(coding):
        return _identity
    if _WIDE.search(coding):
        return _transcoded
    shown = coding if len(coding) <= LONGEST_NAME_SHOWN and coding.isprintable() else "it names"
    raise NotPayload(f"the content encoding {shown} is none that evsup decodes (gzip, deflate, zstd)")


def _identity(body: bytes, _: int) -> bytes:
    return body


def _transcoded(body: bytes, _: int) -> bytes:
    return as_utf8(body)


def _gunzip(body: bytes, most: int) -> bytes:
    return _unpacked("gzip", lambda: zlib.decompressobj(GZIP), body, most)


def _inflate(body: bytes, most: int) -> bytes:
    window = ZLIB if _has_frame(body) else RAW_DEFLATE
    return _unpacked("deflate", lambda: zlib.decompressobj(window), body, most, is_one=True)


def _has_frame(body: bytes) -> bool:
    """Whether it begins as zlib does: https://www.rfc-editor.org/rfc/rfc1950#section-2.2."""
    return len(body) > 1 and body[0] & 15 == zlib.DEFLATED and int.from_bytes(body[:2], "big") % 31 == 0


def _unzstd(body: bytes, most: int) -> bytes:
    options: dict[int, int] = {DecompressionParameter.window_log_max: ZSTD_WINDOW_LOG}
    return _unpacked("zstd", lambda: ZstdDecompressor(options=options), body, most)


_DECODERS: dict[str, Decode] = {
    "identity": _identity,
    "gzip": _gunzip,
    "x-gzip": _gunzip,
    "deflate": _inflate,
    "zstd": _unzstd,
}


# --- within limits ----------------------------------------------------------------------------------------------------


def _unpacked(name: str, start: Callable[[], Decompressor], body: bytes, most: int, *, is_one: bool = False) -> bytes:
    """The content of all members, or of the only one."""
    pieces: list[bytes] = []
    room = most
    for piece in _pieces(name, start, body, is_one=is_one):
        room -= len(piece)
        if room < 0:
            raise NotPayload(f"{name}: more than {most} bytes come out of {len(body)}")
        pieces.append(piece)
    return b"".join(pieces)


def _pieces(name: str, start: Callable[[], Decompressor], body: bytes, *, is_one: bool) -> Iterator[bytes]:
    """What comes out, in pieces of bounded size. Raises `NotPayload` unless the body is whole members alone."""
    at, count, member = 0, 1, start()
    while True:
        data = body[at : at + PORTION]
        at += len(data)
        try:
            yield member.decompress(data, PORTION)
            while not member.eof and (piece := _more(member)):
                yield piece
        except (zlib.error, ZstdError) as error:
            raise NotPayload(
                f"{name}: the data is damaged or of another format (byte {at - len(data)} and on)"
            ) from error
        if member.eof:
            at -= len(member.unused_data)
            if at == len(body):
                return
            if is_one:
                raise NotPayload(f"{name}: there are bytes behind its end (byte {at})")
            if count == MOST_MEMBERS:
                raise NotPayload(f"{name}: it has more than {MOST_MEMBERS} members (byte {at})")
            count, member = count + 1, start()
        elif at == len(body):
            raise NotPayload(f"{name}: the data ends too early (byte {at})")


def _more(member: Decompressor) -> bytes:
    """What still comes out of data that was given before."""
    return member.decompress(getattr(member, "unconsumed_tail", b""), PORTION)
