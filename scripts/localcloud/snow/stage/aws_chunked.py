"""The body of an upload as AWS's SDKs send it: chunks of a known size, then trailers with the checksum.

https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
"""

import base64
import zlib
from collections.abc import Mapping
from http import HTTPStatus

from scripts.localcloud.snow.http.refusal import Refusal

UNSIGNED_WITH_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
CRC32 = "x-amz-checksum-crc32"


def content(headers: Mapping[str, str], body: bytes) -> bytes:
    """Give the object in a body; refuse one that is cut, has another length than announced, or a wrong checksum."""
    if headers.get("x-amz-content-sha256") != UNSIGNED_WITH_TRAILER or headers.get("x-amz-trailer") != CRC32:
        # S3 takes other ways, too; the streaming SDK uses none, so none is served here.
        raise Refusal(HTTPStatus.NOT_IMPLEMENTED, "NotImplemented", "localcloud takes aws-chunked with a CRC32 trailer")
    data, trailers = _unchunked(body)
    if headers.get("x-amz-decoded-content-length") != str(len(data)):
        raise _incomplete()
    checksum = base64.b64encode(zlib.crc32(data).to_bytes(4)).decode()
    if trailers.get(CRC32) != checksum:
        message = "The CRC32 you specified did not match the calculated checksum."
        raise Refusal(HTTPStatus.BAD_REQUEST, "BadDigest", message)
    return data


def _unchunked(body: bytes) -> tuple[bytes, dict[str, str]]:
    data, position = bytearray(), 0
    while True:
        line_end = body.find(b"\r\n", position)
        try:
            size = int(body[position:line_end], 16)
        except ValueError:
            raise _incomplete() from None
        position = line_end + 2
        if size == 0:
            return bytes(data), _trailers(body[position:])
        if body[position + size : position + size + 2] != b"\r\n":
            raise _incomplete()
        data += body[position : position + size]
        position += size + 2


def _trailers(text: bytes) -> dict[str, str]:
    pairs = (line.partition(":") for line in text.decode("latin-1").split("\r\n") if line)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _incomplete() -> Refusal:
    message = "You did not provide the number of bytes specified by the Content-Length HTTP header"
    return Refusal(HTTPStatus.BAD_REQUEST, "IncompleteBody", message)
