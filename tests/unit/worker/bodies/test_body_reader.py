"""What the message says of a body decides how it is read, and bytes that cannot be read are kept as they came."""

import zlib
from functools import partial
from gzip import compress
from pathlib import Path

import pytest
from backports import zstd

from shared.config.formats.avro_schema import Array, Primitive, Record
from shared.errors import ConfigurationError
from tests.unit.plain_settings import eventhub
from worker.bodies.avro import AvroSchema
from worker.bodies.avro_schemas import AvroSchemas
from worker.bodies.body import TOMBSTONE, Body
from worker.bodies.body_reader import BodyReader, body_reader
from worker.bodies.decoded_size import ALWAYS_ALLOWED

LINES = b'{"id":1}\n{"id":2}\n'
JSON = b'{"n":1}'
gzip = partial(compress, mtime=0)
read = BodyReader().data
read_text = BodyReader().text


def json_of(body: Body | None) -> bytes | None:
    return (body and body.json) or None


@pytest.mark.parametrize("kind", ["", "application/json", "text/plain", "application/json+" + "0" * 32, "anything"])
def test_json_is_json_whatever_the_message_says_of_it(kind: str) -> None:
    assert json_of(read(JSON, kind)) == JSON


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "identity, gzip"])
def test_a_compressed_body_is_read_as_what_is_in_it(encoding: str) -> None:
    assert read(gzip(JSON), "application/json", encoding).json == JSON
    assert read(gzip(LINES), "", encoding).json == b'[{"id":1},{"id":2}]'
    assert read(gzip(gzip(JSON)), "", encoding + ", gzip").json == JSON


@pytest.mark.parametrize(
    ("body", "encoding", "reason"),
    [
        (gzip(JSON)[:-1], "gzip", "gzip: the data ends too early (byte 26)"),
        (b"12", "gzip", "gzip: the data is damaged or of another format (byte 0 and on)"),
        (gzip(b"hello"), "gzip", "once decoded: JSON is malformed: invalid character (byte 0)"),
        (
            zstd.compress(gzip(JSON)),
            "zstd",
            "once decoded: JSON is malformed: invalid character (byte 0); it looks like gzip",
        ),
        (b"\x0f\x02", "br", "the content encoding br is none that evsup decodes (gzip, deflate, zstd)"),
        (gzip(b"hello"), "", "JSON is malformed: invalid character (byte 0); it looks like gzip"),
        (gzip(JSON)[:-1], "gz", "the content encoding gz is none that evsup decodes (gzip, deflate, zstd)"),
        (b"{hello", "none", "the content encoding none is none that evsup decodes (gzip, deflate, zstd)"),
    ],
)
def test_what_cannot_be_decoded_is_kept_as_it_came_with_the_reason(body: bytes, encoding: str, reason: str) -> None:
    assert read(body, "application/json", encoding) == Body(raw=body, reason=reason)


@pytest.mark.parametrize("encoding", ["", "gz", "application/x-gzip", '"gzip"', "br", "utf-8", "identity"])
@pytest.mark.parametrize("compressed", [gzip(JSON), zstd.compress(JSON), zlib.compress(JSON)])
def test_a_body_that_is_compressed_is_read_also_where_its_message_does_not_say_so(
    compressed: bytes, encoding: str
) -> None:
    for kind in ("", "application/json", "application/octet-stream", "application/gzip"):
        assert json_of(read(compressed, kind, encoding)) == JSON
    assert BodyReader("raw").data(compressed, "", encoding).raw == compressed


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd", "br", "base64", "none", "iso-8859-1", "8bit", "json"])
@pytest.mark.parametrize("body", [JSON, b" \n[1]", b"\xef\xbb\xbf{}"])
def test_an_object_or_an_array_is_json_whatever_encoding_the_message_names(body: bytes, encoding: str) -> None:
    assert json_of(read(body, "application/json", encoding)) == json_of(read(body))


@pytest.mark.parametrize("charset", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
def test_an_object_or_an_array_in_another_charset_of_unicode_is_json_also_where_its_message_does_not_say_so(
    charset: str,
) -> None:
    for kind, encoding in (("", ""), ("application/json", ""), ("application/json; charset=utf-8", "utf-8")):
        assert json_of(read('{"é":"😀"}'.encode(charset), kind, encoding)) == '{"é":"😀"}'.encode()
        assert json_of(read("[1]".encode(charset), kind, encoding)) == b"[1]"
        assert read("12".encode(charset), kind, encoding).raw, "two bytes may be a number of another form"
    assert BodyReader("raw").data("[1]".encode(charset)).raw


def test_avro_is_never_taken_for_what_it_happens_to_begin_with() -> None:
    avro = BodyReader("auto", AvroSchemas(untyped=AvroSchema(Primitive("boolean"))))
    for body, kind, encoding in ((gzip(JSON), "", ""), (JSON, "avro/binary", "br"), (JSON, "avro/binary+0", "br")):
        assert avro.data(body, kind, encoding).raw == body


@pytest.mark.parametrize(
    "kind",
    [
        "",
        "application/octet-stream",
        "application/json",
        "text/plain; charset=utf-8",
        "application/cloudevents+json",
        "application/x-ndjson",
        "Application/JSONL; charset=utf-8",
        "application/jsonlines",
    ],
)
def test_lines_of_json_are_an_array_where_the_message_says_json_or_text_or_nothing(kind: str) -> None:
    assert json_of(read(LINES, kind)) == b'[{"id":1},{"id":2}]'


@pytest.mark.parametrize("kind", ["text/csv", "application/xml", "anything"])
def test_lines_of_json_are_none_where_the_message_says_something_else(kind: str) -> None:
    body = read(LINES, kind)
    assert (body.json, body.raw) == (b"", LINES)
    assert (
        body.reason == "JSON is malformed: trailing characters (byte 10); it looks like several JSON values, one a line"
    )


def test_one_line_is_a_value_and_no_array() -> None:
    assert json_of(read(b'{"id":1}\n', "application/x-ndjson")) == b'{"id":1}'


def test_the_line_that_is_no_json_is_named_behind_the_reason() -> None:
    assert (read(b"1\n2\nno").reason or "").endswith("; as JSON lines, line 3: JSON is malformed: it ends too early")
    assert "lines" not in (read(b"{\n}}").reason or "")


@pytest.mark.parametrize("charset", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_a_charset_of_the_content_type_is_heeded(charset: str) -> None:
    assert json_of(read(JSON.decode().encode(charset), f'application/json; charset="{charset.upper()}"')) == JSON


def test_an_empty_body_is_a_tombstone_whatever_the_message_says_of_it() -> None:
    assert read(b"") is read(b"", "application/json", "gzip") is BodyReader("raw").data(b"") is TOMBSTONE
    assert read(gzip(b""), "", "gzip") is TOMBSTONE
    assert TOMBSTONE.reason is None


# --- text of an AMQP value --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [JSON, b" \n" + JSON, b"\xef\xbb\xbf[1]", b"{}", LINES])
def test_a_text_that_is_an_object_or_an_array_is_json(text: bytes) -> None:
    assert json_of(read_text(text)) == json_of(read(text))
    assert json_of(read_text(text)) is not None


@pytest.mark.parametrize(
    "text", [b"", b"12", b"true", b"null", b'"text"', b"hello", b"{hello", b"[1", b'{"a":1,"a":2}', b"1\n2"]
)
def test_any_other_text_is_a_text(text: bytes) -> None:
    assert read_text(text) is None


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        (b"12", "application/json", b"12"),
        (b'"text"', "application/vnd.a+json", b'"text"'),
        (b"1\n2", "application/x-ndjson", b"[1,2]"),
        (b"hello", "application/json", None),
        (b"", "application/json", None),
    ],
)
def test_the_content_type_makes_json_of_any_text_that_is_json(text: bytes, kind: str, expected: bytes | None) -> None:
    assert json_of(read_text(text, kind)) == expected


def test_a_compressed_value_is_read_as_bytes_are() -> None:
    assert json_of(read_text(gzip(b"12"), "", "gzip")) == b"12"
    assert read_text(b"12", "", "gzip") == read(b"12", "", "gzip")
    assert read_text(b"12", "", "utf-8") is None


# --- EVENTHUB_BODY=raw ------------------------------------------------------------------------------------------------


def test_raw_takes_bodies_as_json_or_bytes_alone() -> None:
    raw = BodyReader("raw")
    assert json_of(raw.data(JSON, "application/x-ndjson", "gzip")) == JSON
    for body, kind, encoding in ((gzip(JSON), "", "gzip"), (LINES, "application/x-ndjson", "")):
        assert raw.data(body, kind, encoding).raw == body
    assert raw.text(JSON) is None


# --- Avro -------------------------------------------------------------------------------------------------------------

LONG = AvroSchema(Primitive("long"))


def test_avro_is_the_json_of_its_value_also_when_it_is_compressed() -> None:
    avro = BodyReader("auto", AvroSchemas(untyped=LONG))
    assert json_of(avro.data(b"\x54", "avro/binary")) == json_of(avro.data(gzip(b"\x54"), "", "gzip")) == b"42"
    assert json_of(avro.text(b"\x54", "avro/binary")) == b"42"


def test_what_is_no_avro_of_its_schema_is_kept_as_it_came() -> None:
    body = BodyReader("auto", AvroSchemas(untyped=LONG)).data(b"\x54\x00", "avro/binary")
    assert (body.raw, body.reason) == (
        b"\x54\x00",
        "the body is not Avro of its schema: bytes are behind its end (byte 1)",
    )


def test_avro_that_a_variant_cannot_hold_is_kept_as_it_came() -> None:
    body = BodyReader("auto", AvroSchemas(untyped=AvroSchema(Primitive("string")))).data(b"\x02\x00", "avro/binary")
    assert body.raw == b"\x02\x00"
    assert "NUL" in (body.reason or "")


def test_avro_may_become_no_longer_than_what_was_compressed() -> None:
    null = ("a_field_of_a_kilobyte" * 50, Primitive("null"))
    reader = BodyReader("auto", AvroSchemas(untyped=AvroSchema(Array(Record("R", [null])))))
    body = b"\xd0\x0f\x00"  # a thousand records without a byte
    for data, encoding in ((body, ""), (gzip(body), "gzip")):
        refused = reader.data(data, "avro/binary", encoding)
        assert refused.raw == data
        assert f"more than {ALWAYS_ALLOWED} bytes of JSON come out of it" in (refused.reason or "")


def test_with_a_schema_file_a_body_of_which_nothing_is_said_is_avro_and_one_that_says_json_is_json() -> None:
    avro = BodyReader("auto", AvroSchemas(untyped=LONG))
    assert json_of(avro.data(b"1")) == b"-25"
    assert json_of(avro.data(b"1", "application/json")) == b"1"
    assert (avro.takes_any_json, BodyReader().takes_any_json, BodyReader("raw").takes_any_json) == (False, True, True)


def test_the_settings_decide_what_is_read(tmp_path: Path) -> None:
    file = tmp_path / "long.avsc"
    file.write_text('"long"')
    avro = body_reader(eventhub(avro_schema_file=str(file)))
    assert json_of(avro.data(b"1")) == b"-25"
    assert json_of(body_reader(eventhub(avro_schema_file=str(file), body="raw")).data(b"1")) == b"1"
    file.unlink()
    with pytest.raises(ConfigurationError, match="no such file"):
        body_reader(eventhub(avro_schema_file=str(file)))
