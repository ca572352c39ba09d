"""A blob container on this machine: blobs are put with metadata and listed page by page; content is not kept.

As much of the REST API as checkpoints need, and strict where a client can be wrong: Shared Key signatures are verified.
https://learn.microsoft.com/rest/api/storageservices/list-blobs
https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key
"""

import base64
import hashlib
import hmac
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, unquote, urlsplit
from xml.etree import ElementTree as ET

ACCOUNT, CONTAINER = "localcloud", "checkpoints"
PAGE = 2  # blobs; small, so that every list has several pages
SAS = "sv=2024-11-04&sp=l&sig=local"

_SIGNED = ("encoding", "language", "length", "md5", "type")
_SIGNED_CONDITIONS = ("date", "if-modified-since", "if-match", "if-none-match", "if-unmodified-since", "range")
_META = "x-ms-meta-"


class Blobs(ThreadingHTTPServer):
    """The account with its one container."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self.key = secrets.token_bytes(32)
        self.metadata: dict[str, dict[str, str]] = {}
        self.pages = 0
        """Lists answered so far."""

    @property
    def url(self) -> str:
        """The container's address."""
        return f"http://127.0.0.1:{self.server_port}/{ACCOUNT}/{CONTAINER}"

    @property
    def connection_string(self) -> str:
        """Signs in with the account's key."""
        endpoint = self.url.removesuffix(f"/{CONTAINER}")
        key = base64.b64encode(self.key).decode()
        return f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={key};BlobEndpoint={endpoint};"


@contextmanager
def local_blobs() -> Iterator[Blobs]:
    """Serve on a thread until the block ends."""
    with Blobs() as server:
        thread = threading.Thread(target=server.serve_forever, name="blobs", daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _Request(BaseHTTPRequestHandler):
    server: Blobs
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self._is_permitted():
            name = unquote(urlsplit(self.path).path).removeprefix(f"/{ACCOUNT}/{CONTAINER}/")
            named = {key.lower(): value for key, value in self.headers.items()}
            self.server.metadata[name] = {
                key.removeprefix(_META): value for key, value in named.items() if key.startswith(_META)
            }
            self._answer(HTTPStatus.CREATED)

    def do_GET(self) -> None:
        if not self._is_permitted():
            return
        query = dict(parse_qsl(urlsplit(self.path).query))
        if urlsplit(self.path).path != f"/{ACCOUNT}/{CONTAINER}" or query.get("comp") != "list":
            self._answer(HTTPStatus.NOT_FOUND, _error("ContainerNotFound"))
            return
        self.server.pages += 1
        self._answer(HTTPStatus.OK, self._page(query.get("prefix", ""), int(query.get("marker") or 0)))

    def _page(self, prefix: str, start: int) -> bytes:
        names = sorted(name for name in self.server.metadata if name.startswith(prefix))
        page = ET.Element("EnumerationResults", ContainerName=CONTAINER)
        ET.SubElement(page, "Prefix").text = prefix  # the SDK asks for the next page with this one
        blobs = ET.SubElement(page, "Blobs")
        for name in names[start : start + PAGE]:
            blob = ET.SubElement(blobs, "Blob")
            ET.SubElement(blob, "Name").text = name
            ET.SubElement(ET.SubElement(blob, "Properties"), "BlobType").text = "BlockBlob"
            metadata = ET.SubElement(blob, "Metadata")
            for key, value in self.server.metadata[name].items():
                ET.SubElement(metadata, key).text = value
        ET.SubElement(page, "NextMarker").text = str(start + PAGE) if start + PAGE < len(names) else None
        text: bytes = ET.tostring(page, xml_declaration=True, encoding="utf-8")
        return text

    def _is_permitted(self) -> bool:
        expected = f"SharedKey {ACCOUNT}:{self._signature()}"
        if self.headers.get("Authorization") == expected or "sig=local" in self.path:
            return True
        self._answer(HTTPStatus.FORBIDDEN, _error("AuthenticationFailed"))
        return False

    def _signature(self) -> str:
        parts = [self.headers.get(f"content-{name}", "") for name in _SIGNED]
        parts[2] = "" if parts[2] == "0" else parts[2]
        parts += [self.headers.get(name, "") for name in _SIGNED_CONDITIONS]
        own = sorted((key.lower(), value) for key, value in self.headers.items() if key.lower().startswith("x-ms-"))
        url = urlsplit(self.path)
        query = sorted((key.lower(), value) for key, value in parse_qsl(url.query, keep_blank_values=True))
        text = "\n".join([self.command, *parts, *(f"{key}:{value}" for key, value in own), f"/{ACCOUNT}{url.path}"])
        text += "".join(f"\n{key}:{value}" for key, value in query)
        return base64.b64encode(hmac.digest(self.server.key, text.encode(), hashlib.sha256)).decode()

    def _answer(self, status: HTTPStatus, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"0x1"')
        self.send_header("Last-Modified", "Fri, 31 Jan 2025 00:00:00 GMT")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def _error(code: str) -> bytes:
    return f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>{code}</Message></Error>'.encode()
