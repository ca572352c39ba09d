"""The cloud storage behind a pipe: objects that clients upload, as Amazon S3 takes them.

Under load the streaming SDK uploads its rows as files and only registers them with the service (`fragments`). The stage
listens at an address of its own, as in the cloud. https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
"""

import hashlib
import itertools
from dataclasses import dataclass
from http import HTTPStatus
from xml.sax.saxutils import escape

from scripts.localcloud.snow.http.calls import Calls
from scripts.localcloud.snow.http.refusal import Refusal
from scripts.localcloud.snow.http.wire import Request, Response
from scripts.localcloud.snow.stage import aws_chunked
from scripts.localcloud.snow.stage.credentials import Credential, Credentials, forbidden

BUCKET = "localcloud"
LIFETIME_S = 3600.0  # a guess; AWS gives temporary credentials an hour by default


@dataclass(frozen=True)
class StoredFile:
    """An uploaded object. The ETag is the MD5 of its content, as S3 makes it of one part."""

    content: bytes
    etag: str


class Stage:
    """The objects by their bucket and key. Each client writes below a prefix of its own."""

    def __init__(self, endpoint: str = "") -> None:
        self.endpoint = endpoint
        """Host and port that clients upload to."""
        self.credentials = Credentials(LIFETIME_S)
        self._files: dict[str, StoredFile] = {}
        self._numbers = itertools.count(1)

    def invite(self) -> Credential:
        """Give a client a key and a prefix that no other client has."""
        return self.credentials.issue(f"streaming/{next(self._numbers)}/")

    def put(self, request: Request, body: bytes) -> StoredFile:
        """Store an object, or refuse it."""
        bucket, key = request.segments[0], "/".join(request.segments[1:])
        credential = self.credentials.admit(request)
        if bucket != BUCKET:
            raise Refusal(HTTPStatus.NOT_FOUND, "NoSuchBucket", "The specified bucket does not exist")
        if not key.startswith(credential.prefix):
            raise forbidden("AccessDenied", "Access Denied")
        content = aws_chunked.content(request.headers, body)
        stored = StoredFile(content, hashlib.md5(content, usedforsecurity=False).hexdigest())
        self._files[f"{bucket}/{key}"] = stored
        return stored

    def file(self, path: str) -> StoredFile | None:
        """Find an object by its bucket and key."""
        return self._files.get(path)

    def remove(self, path: str) -> None:
        """Delete an object whose rows are in the service's hands."""
        self._files.pop(path, None)

    @property
    def count(self) -> int:
        """Objects that nobody has registered, or that wait for the rest of theirs to be."""
        return len(self._files)


@dataclass
class StageEndpoint:
    """Answers uploads: faults first, then the signature, then the object. Refusals are S3's XML."""

    calls: Calls
    stage: Stage

    async def handle(self, request: Request) -> Response:
        """Answer one request."""
        return await self.calls.answered("upload", lambda: self._serve(request), _refused)

    async def _serve(self, request: Request) -> Response:
        if request.method != "PUT" or not request.segments:
            raise Refusal(
                HTTPStatus.METHOD_NOT_ALLOWED,
                "MethodNotAllowed",
                "The specified method is not allowed against this resource.",
            )
        body = self.calls.faults.damaged("upload", request.body)
        stored = self.stage.put(request, body)
        return Response(HTTPStatus.OK, b"", "application/xml", {"ETag": f'"{stored.etag}"'})


def _refused(refusal: Refusal) -> Response:
    """Give the body as S3 writes it: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html."""
    text = f"<Code>{escape(refusal.code)}</Code><Message>{escape(refusal.message)}</Message>"
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{text}</Error>'.encode()
    return Response(refusal.status, body, "application/xml")
