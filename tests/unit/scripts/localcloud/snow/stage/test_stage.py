"""The local stage takes a file from whom it gave a key, whole and with its checksum; its rows are registered once."""

import base64
import hashlib
import os
import time
import zlib
from dataclasses import replace
from typing import Any

import pytest
import zstandard
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from scripts.localcloud.snow.http.refusal import FRAGMENT_INVALID, Refusal
from scripts.localcloud.snow.http.wire import Request
from scripts.localcloud.snow.stage.credentials import Credential, signature
from scripts.localcloud.snow.stage.fragments import Fragments
from scripts.localcloud.snow.stage.pipe_info import FileKey, FileKeys, pipe_info
from scripts.localcloud.snow.stage.stage import BUCKET, Stage

ROWS = b'{"N":1}\n{"N":2}\n\n{"N":3}\n'
SCOPE = "20261128/us-west-2/s3/aws4_request"
SIGNED = "host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length"


@pytest.fixture
def stage() -> Stage:
    return Stage("127.0.0.1:443")


@pytest.fixture
def keys() -> FileKeys:
    return FileKeys()


def chunked(content: bytes, checksum: bytes | None = None) -> bytes:
    crc = base64.b64encode(checksum or zlib.crc32(content).to_bytes(4))
    return b"%X\r\n%s\r\n0\r\nx-amz-checksum-crc32:%s\r\n\r\n" % (len(content), content, crc)


def upload(credential: Credential, content: bytes, name: str = "0.ndjson", **changed: Any) -> Request:
    """A PUT as the streaming SDK makes it; `changed` are headers, with underscores."""
    path = (BUCKET, *credential.prefix.strip("/").split("/"), name)
    headers = {
        "host": "127.0.0.1:443",
        "x-amz-date": time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()),
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "x-amz-trailer": "x-amz-checksum-crc32",
        "x-amz-decoded-content-length": str(len(content)),
        "x-amz-security-token": credential.token,
    }
    request = Request("PUT", path, {"x-id": "PutObject"}, headers, chunked(content))
    signed = signature(request, credential, SCOPE, SIGNED.split(";"))
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={credential.key_id}/{SCOPE}, SignedHeaders={SIGNED}, Signature={signed}"
    )
    headers |= {name.replace("_", "-"): value for name, value in changed.items()}
    return request


def put(stage: Stage, request: Request) -> str:
    return stage.put(request, request.body).etag


def refusal_of(stage: Stage, request: Request) -> tuple[int, str]:
    with pytest.raises(Refusal) as caught:
        put(stage, request)
    return caught.value.status, caught.value.code


def test_a_file_gets_the_md5_of_its_content_as_etag(stage: Stage) -> None:
    request = upload(stage.invite(), ROWS)
    assert put(stage, request) == hashlib.md5(ROWS, usedforsecurity=False).hexdigest()
    assert stage.count == 1


@pytest.mark.parametrize(
    ("changed", "refused"),
    [
        ({"authorization": ""}, (403, "AccessDenied")),
        ({"x_amz_security_token": "another"}, (400, "InvalidToken")),
        ({"x_amz_date": "20200101T000000Z"}, (403, "RequestTimeTooSkewed")),
        ({"x_amz_date": "yesterday"}, (403, "AccessDenied")),
        ({"host": "elsewhere"}, (403, "SignatureDoesNotMatch")),
        ({"x_amz_decoded_content_length": "7"}, (403, "SignatureDoesNotMatch")),
        ({"x_amz_trailer": "x-amz-checksum-sha256"}, (501, "NotImplemented")),
    ],
)
def test_an_upload_that_is_not_signed_by_its_key_is_refused(
    stage: Stage, changed: dict[str, str], refused: tuple[int, str]
) -> None:
    assert refusal_of(stage, upload(stage.invite(), ROWS, **changed)) == refused


def test_a_key_is_good_for_its_own_prefix_and_until_it_expires(stage: Stage) -> None:
    mine, other = stage.invite(), stage.invite()
    assert refusal_of(stage, upload(replace(mine, prefix=other.prefix), ROWS)) == (403, "AccessDenied")
    assert refusal_of(stage, upload(replace(mine, key_id="ASIAUNKNOWN"), ROWS)) == (403, "InvalidAccessKeyId")
    stage.credentials.expire()
    assert refusal_of(stage, upload(mine, ROWS)) == (400, "ExpiredToken")
    stage.credentials.lifetime_s = -1
    assert refusal_of(stage, upload(stage.invite(), ROWS)) == (400, "ExpiredToken")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (chunked(ROWS, b"\0\0\0\0"), "BadDigest"),
        (chunked(ROWS[:-2] + b"x\n"), "BadDigest"),
        (chunked(ROWS)[:10], "IncompleteBody"),
        (chunked(ROWS + ROWS), "IncompleteBody"),
        (b"", "IncompleteBody"),
    ],
    ids=["checksum", "content", "cut", "length", "nothing"],
)
def test_a_body_that_is_not_what_was_announced_is_refused(stage: Stage, body: bytes, code: str) -> None:
    request = upload(stage.invite(), ROWS)
    announced = base64.b64encode(zlib.crc32(ROWS).to_bytes(4))
    body = body.replace(base64.b64encode(zlib.crc32(ROWS[:-2] + b"x\n").to_bytes(4)), announced)
    assert refusal_of(stage, replace(request, body=body)) == (400, code)
    assert stage.count == 0


def test_each_answer_names_other_prefixes_and_another_key(stage: Stage, keys: FileKeys) -> None:
    first, second = (pipe_info(stage, keys) for _ in range(2))
    places = ("rowset_stage_location", "durable_stage_location")
    assert len({one[place]["path_prefix"] for one in (first, second) for place in places}) == 4
    assert first["encryption_info"]["pipe_key"] != second["encryption_info"]["pipe_key"]


def staged(stage: Stage, key: FileKey, text: bytes = ROWS, name: str = "0.ndjson", **changed: Any) -> dict[str, Any]:
    """Upload rows, and give what registers them."""
    iv = os.urandom(16)
    encryptor = Cipher(algorithms.AES(key.secret), modes.CTR(iv)).encryptor()
    content = encryptor.update(zstandard.ZstdCompressor().compress(text)) + encryptor.finalize()
    credential = stage.invite()
    return {
        "file_path": f"{BUCKET}/{credential.prefix}{name}",
        "content_type": "application/x-ndjson",
        "file_etag": put(stage, upload(credential, content, name)),
        "file_length_bytes": len(content),
        "fragment_length_bytes": len(content),
        "fragment_length_uncompressed_bytes": len(text),
        "fragment_start_offset_token": "1",
        "fragment_end_offset_token": "3",
        "fragment_row_count": 3,
        "fragment_start_byte_offset": 0,
        "diversifier": "localcloud",
        "master_key_id": str(key.number),
        "iv_base64": base64.b64encode(iv).decode(),
        "encryption_version": "AES-CTR-128.1",
        "min_append_timestamp_ms": 0,
    } | changed


def test_rows_of_a_file_are_read_as_they_were_written(stage: Stage, keys: FileKeys) -> None:
    fragments = Fragments(stage, keys)
    [one] = fragments.read([staged(stage, keys.issue())])
    assert (one.text, one.end_token) == (ROWS, "3")
    fragments.take([one])
    assert stage.count == 0


@pytest.mark.parametrize(
    "changed",
    [
        {"file_path": f"{BUCKET}/streaming/1/9.ndjson"},
        {"file_etag": "0" * 32},
        {"file_length_bytes": 1},
        {"fragment_length_bytes": 10_000},
        {"fragment_start_byte_offset": -1},
        {"fragment_row_count": 4},
        {"content_type": "text/csv"},
        {"diversifier": "another"},
        {"master_key_id": "9"},
        {"encryption_version": "AES-CBC"},
        {"iv_base64": "short"},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_fragment_that_does_not_fit_its_file_is_refused(
    stage: Stage, keys: FileKeys, changed: dict[str, Any]
) -> None:
    with pytest.raises(Refusal) as caught:
        Fragments(stage, keys).read([staged(stage, keys.issue(), **changed)])
    assert (caught.value.status, caught.value.code) == (400, FRAGMENT_INVALID)


@pytest.mark.parametrize("body", [{}, [], [1], [{"file_path": "x"}]])
def test_a_body_that_is_no_list_of_fragments_is_refused(stage: Stage, keys: FileKeys, body: object) -> None:
    with pytest.raises(Refusal) as caught:
        Fragments(stage, keys).read(body)
    assert caught.value.code == "INVALID_REQUEST"


def test_a_file_is_registered_once(stage: Stage, keys: FileKeys) -> None:
    fragments = Fragments(stage, keys)
    item = staged(stage, keys.issue())
    with pytest.raises(Refusal, match="named twice"):
        fragments.read([item, item])
    fragments.take(fragments.read([item]))
    with pytest.raises(Refusal, match="registered before"):
        fragments.read([item])


def test_a_key_reads_nothing_but_its_own_files(stage: Stage, keys: FileKeys) -> None:
    item = staged(stage, keys.issue(), master_key_id=str(keys.issue().number))
    with pytest.raises(Refusal, match="not zstd"):
        Fragments(stage, keys).read([item])
