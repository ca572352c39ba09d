"""The streaming SDK's log: warnings are passed on, and what it says of requests is kept for our own errors.

Under load the SDK uploads rows as files to cloud storage, the stage of the pipe. When the storage refuses an upload,
the SDK raises nothing. It waits for new credentials, which may take an hour, and the channel's status stays `SUCCESS`.
Only its log says so, at level INFO (measured with 1.9.1). If a version logs it in other words, nothing is known.
"""

import os
import re
import sys
from contextlib import suppress
from threading import Thread

from shared.log.logger import get_logger
from shared.log.secret import mask

STDOUT, STDERR = 1, 2
_QUIET = re.compile(r"\| (?:INFO|DEBUG|TRACE) \|")
_PLACE = re.compile(r"Using \w+ (S3) endpoint for client=[^,]*, (.+?)(?:, stage_location=.*)?$")
_REFUSED = re.compile(r"FileUploader: received token expired error for provider=(.+?) stage")
_UPLOADED = "FileUploader: uploaded file"
_FAILED = re.compile(
    r"Failed to execute the request at .* for api=(?!send_telemetry)(\w+) .*"
    r"(HTTP \d+, error_code=.*(?=, url=)|error sending request)"
)
_THROTTLED = re.compile(r"Failed to execute the request .*\bHTTP 429\b")

log = get_logger()


class Requests:
    """What is known of the SDK's uploads and other requests. Written by the thread that reads the log, read by any."""

    def __init__(self) -> None:
        self._place = self._refused_by = ""
        self._failed = ""
        """Which request failed last, and how. The SDK sends it again, for hours, and raises nothing."""
        self.throttled = 0
        """Requests that Snowflake refused with 429. The SDK sends them again for hours, and raises nothing."""

    def read(self, line: str) -> None:
        """Note what one line of the log says."""
        if found := _PLACE.search(line):
            self._place = mask(f"{found[1]}: {found[2]}")
        elif found := _REFUSED.search(line):
            self._refused_by = mask(found[1])
            log.warning("upload_refused", storage=self._refused_by, place=self._place or None)
        elif _UPLOADED in line:
            self._refused_by = ""
        elif found := _FAILED.search(line):
            self._failed = mask(f"{found[1]}: {found[2]}")
            self.throttled += bool(_THROTTLED.search(line))

    def forget_failure(self) -> None:
        """What the last failed request was for has succeeded, or concerns nobody any more."""
        self._failed = ""

    @property
    def failed_request(self) -> str:
        """The request that failed last, as a part of a sentence; empty: none did, or it is forgotten."""
        return self._failed and f"the SDK's last request that failed is {self._failed}"

    @property
    def delay_reason(self) -> str:
        """Why commits may take long, as a part of a sentence; empty when nothing is known."""
        if self._refused_by:
            storage = "; ".join(filter(None, (self._refused_by, self._place)))
            return f"the cloud storage of the stage refused the SDK's upload ({storage})"
        uploads = self._place and f"under load the SDK uploads rows to cloud storage ({self._place})"
        return "; ".join(filter(None, (self.failed_request, uploads)))


def follow(*, pass_on_all: bool) -> Requests:
    """Read what the SDK logs from now on. Call it before the SDK is imported, and after `prepare`."""
    requests = Requests()
    if sys.stdout:  # None when standard output was closed at the start: then nothing is read
        if not pass_on_all:
            os.environ["SS_LOG_LEVEL"] = "info"  # which uploads are refused is said at this level
        # This process uses standard output for nothing else. Not standard error: what a crash in native code writes
        # there must not depend on a thread of ours.
        os.environ["SS_LOG_TARGET"] = "stdout"
        reader, writer = os.pipe()
        os.dup2(writer, STDOUT)
        os.close(writer)
        Thread(target=_read, args=(reader, requests, pass_on_all), name="sdk-log", daemon=True).start()
    return requests


def _read(reader: int, requests: Requests, pass_on_all: bool) -> None:
    """Read for as long as the process lives: a full pipe would stop the SDK."""
    with os.fdopen(reader, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            requests.read(line)
            if pass_on_all or not _QUIET.search(line):
                with suppress(OSError):
                    os.write(STDERR, line.encode())
