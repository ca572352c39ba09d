"""Compressed bodies become what they were, within limits, and half of one is none."""

import gzip
import random
import tracemalloc
import zlib
from collections.abc import Callable
from contextlib import suppress

import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from worker.bodies.content_encoding import MOST_MEMBERS, decoded
from worker.bodies.decoded_size import ALWAYS_ALLOWED, LARGEST, LARGEST_RATIO, most_bytes
from worker.bodies.payload import NotPayload

BODY = b'{"a": 1, "b": "' + bytes(range(97, 123)) * 20 + b'"}'
SEED = random.Random(7)  # noqa: S311 (no secret)


def raw_deflate(body: bytes) -> bytes:
    compress = zlib.compressobj(wbits=-15)
    return compress.compress(body) + compress.flush()


COMPRESS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("x-gzip", gzip.compress),
    "zlib": ("deflate", zlib.compress),
    "raw deflate": ("deflate", raw_deflate),
    "stored deflate": ("deflate", lambda body: zlib.compress(body, 0)),
    "zstd": ("zstd", zstd.compress),
}
KINDS = pytest.mark.parametrize("kind", COMPRESS)


def incompressible(size: int) -> bytes:
    return SEED.randbytes(size)


@KINDS
@pytest.mark.parametrize("size", [1, 100, 16 * 1024, 100_000, 3_000_000])
def test_a_body_is_what_it_was_before_it_was_compressed(kind: str, size: int) -> None:
    encoding, compress = COMPRESS[kind]
    body = incompressible(size)
    assert decoded(compress(body), encoding) == body


@KINDS
@given(body=st.binary(max_size=2000), repeated=st.integers(1, 60))
def test_any_body_comes_back(kind: str, body: bytes, repeated: int) -> None:
    encoding, compress = COMPRESS[kind]
    assert decoded(compress(body * repeated), encoding) == body * repeated


@pytest.mark.parametrize(
    "encoding", ["GZIP", " gzip ", "gzip,", ", gzip", "identity, gzip", "gzip, identity", "utf-8, gzip"]
)
def test_an_encoding_is_read_in_any_case_and_beside_what_changes_nothing(encoding: str) -> None:
    assert decoded(gzip.compress(BODY), encoding) == BODY


def test_several_codings_are_undone_from_the_last_one_on() -> None:
    assert decoded(zstd.compress(gzip.compress(BODY)), "gzip, zstd") == BODY
    with pytest.raises(NotPayload, match="gzip: the data is damaged"):
        decoded(zstd.compress(gzip.compress(BODY)), "zstd, gzip")


@pytest.mark.parametrize(
    "encoding", ["", "identity", "utf-8", "UTF8", "us-ascii", "System.Text.UTF8Encoding+UTF8EncodingSealed"]
)
def test_a_charset_that_json_is_in_changes_nothing(encoding: str) -> None:
    assert decoded(BODY, encoding) == BODY


@pytest.mark.parametrize("charset", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
def test_text_of_another_unicode_charset_becomes_utf8(charset: str) -> None:
    text = '{"ü": "😀"}'
    assert (
        decoded(text.encode(charset), charset.rpartition("-")[0] if charset.count("-") > 1 else charset)
        == text.encode()
    )


def test_text_that_is_not_in_its_charset_is_refused() -> None:
    with pytest.raises(NotPayload, match="charset"):
        decoded(b"\xff\xfe\x00", "utf-16")


@pytest.mark.parametrize("encoding", ["br", "compress", "snappy", "gzip, br", "base64", "x" * 100, "\x00"])
def test_an_unknown_encoding_is_named_and_refused(encoding: str) -> None:
    with pytest.raises(NotPayload, match=r"is none that evsup decodes \(gzip, deflate, zstd\)") as found:
        decoded(gzip.compress(BODY), encoding)
    assert ("br" in str(found.value)) == ("br" in encoding)
    assert len(str(found.value)) < 120


# --- half a body is none ----------------------------------------------------------------------------------------------


@KINDS
@given(body=st.binary(max_size=300), data=st.data())
def test_damaged_bytes_are_refused_or_give_a_body_within_the_limits(
    kind: str, body: bytes, data: st.DataObject
) -> None:
    encoding, compress = COMPRESS[kind]
    damaged = bytearray(compress(body))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    with suppress(NotPayload):
        assert len(decoded(bytes(damaged), encoding)) <= most_bytes(len(damaged))


@KINDS
def test_a_body_that_is_cut_off_anywhere_is_refused(kind: str) -> None:
    encoding, compress = COMPRESS[kind]
    whole = compress(BODY)
    for length in range(1, len(whole)):
        with pytest.raises(NotPayload, match=encoding.removeprefix("x-")):
            decoded(whole[:length], encoding)


@KINDS
@pytest.mark.parametrize("behind", [b"\x00", b"rest", b"\x00" * 20_000])
def test_bytes_behind_the_end_are_refused(kind: str, behind: bytes) -> None:
    encoding, compress = COMPRESS[kind]
    with pytest.raises(NotPayload):
        decoded(compress(BODY) + behind, encoding)


@KINDS
def test_damaged_data_is_refused_or_was_not_read(kind: str) -> None:
    encoding, compress = COMPRESS[kind]
    with pytest.raises(NotPayload, match="damaged or of another format"):
        decoded(b"{}" + compress(BODY), encoding)


@pytest.mark.parametrize("kind", ["gzip", "zlib"])
def test_a_checksum_that_does_not_fit_is_refused(kind: str) -> None:
    encoding, compress = COMPRESS[kind]
    whole = bytearray(compress(BODY))
    whole[-5 if kind == "gzip" else -1] ^= 1
    with pytest.raises(NotPayload, match="damaged"):
        decoded(bytes(whole), encoding)


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_all_members_are_one_body(encoding: str) -> None:
    _, compress = COMPRESS[encoding]
    pieces = [incompressible(size) for size in (10, 0, 20_000, 1, 100_000)]
    assert decoded(b"".join(map(compress, pieces)), encoding) == b"".join(pieces)


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_half_of_a_later_member_is_refused(encoding: str) -> None:
    _, compress = COMPRESS[encoding]
    with pytest.raises(NotPayload, match="ends too early"):
        decoded(compress(BODY) + compress(BODY)[:-3], encoding)


def test_many_empty_members_take_no_time_to_speak_of() -> None:
    assert decoded(gzip.compress(b"") * 50_000, "gzip") == b""


def test_members_are_bounded_because_each_takes_time_to_begin() -> None:
    member = gzip.compress(b"")
    assert decoded(member * MOST_MEMBERS, "gzip") == b""
    with pytest.raises(NotPayload, match=rf"gzip: it has more than {MOST_MEMBERS} members"):
        decoded(member * (MOST_MEMBERS + 1), "gzip")


@pytest.mark.parametrize("encoding", ["deflate", "gzip", "zstd"])
def test_nothing_is_no_compressed_data(encoding: str) -> None:
    with pytest.raises(NotPayload, match=rf"{encoding}: the data ends too early \(byte 0\)"):
        decoded(gzip.compress(b""), f"{encoding}, gzip")


# --- bombs ------------------------------------------------------------------------------------------------------------

BOMB = b"0" * (3 * LARGEST)


@pytest.mark.parametrize("kind", ["gzip", "zlib", "zstd"])
def test_a_bomb_is_refused_within_a_bounded_memory(kind: str) -> None:
    encoding, compress = COMPRESS[kind]
    bomb = compress(BOMB)
    tracemalloc.start()
    with pytest.raises(NotPayload, match="bytes come out of"):
        decoded(bomb, encoding)
    assert tracemalloc.get_traced_memory()[1] < 2.5 * LARGEST
    tracemalloc.stop()


@pytest.mark.parametrize("kind", ["gzip", "zlib", "raw deflate", "zstd"])
def test_the_ratio_is_bounded_and_a_short_text_may_have_any(kind: str) -> None:
    encoding, compress = COMPRESS[kind]
    assert decoded(compress(b"0" * ALWAYS_ALLOWED), encoding) == b"0" * ALWAYS_ALLOWED
    too_large = b"0" * (ALWAYS_ALLOWED + 1)
    assert len(compress(too_large)) * LARGEST_RATIO < len(too_large)
    with pytest.raises(NotPayload, match=rf"{encoding}: more than {ALWAYS_ALLOWED} bytes come out of"):
        decoded(compress(too_large), encoding)


def test_a_bomb_in_a_bomb_has_the_ratio_of_both() -> None:
    nested = gzip.compress(gzip.compress(b"0" * 10_000_000))
    with pytest.raises(NotPayload, match="gzip: more than 65536 bytes come out of"):
        decoded(nested, "gzip, gzip")


def test_an_endless_chain_of_codings_is_refused() -> None:
    with pytest.raises(NotPayload, match="names 5 codings, 4 is the bound"):
        decoded(BODY, "gzip, gzip, gzip, gzip, gzip")


def test_a_zstd_frame_that_asks_for_gigabytes_is_refused() -> None:
    options: dict[int, int] = {zstd.CompressionParameter.window_log: 30}
    with pytest.raises(NotPayload, match="zstd"):
        decoded(zstd.compress(incompressible(9 * 1024 * 1024) + b"0", options=options), "zstd")
