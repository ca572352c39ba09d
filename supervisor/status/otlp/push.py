"""Pushes the metrics of a tree to a collector, on a thread beside the loop.

Nothing that happens to a push stops or slows the tree. Its failures are one line in the log when they begin, and one
when they end. The numbers are of the status, so nothing is lost with a push that failed: the next one says as much.
"""

import logging
import os
import threading
from collections.abc import Callable
from typing import Any

import requests
from google.protobuf.message import DecodeError
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.sdk.metrics.export import MetricExportResult

from shared.clock import Deadline, Instant, jittered
from shared.log.logger import get_logger
from shared.log.secret import mask
from supervisor.status.model import TreeStatus
from supervisor.status.otlp.collector import Collector
from supervisor.status.otlp.data import Reader

CLOSE_S = 3.0  # for the last push, after the tree has drained
log = get_logger()


class Push:
    """Pushes what `read` says, once in each interval, and a last time in `close`."""

    def __init__(self, collector: Collector, read: Callable[[], TreeStatus]) -> None:
        # What it logs at every try is said here when it begins and when it ends.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        self._interval_s, self._read = collector.interval_s, read
        self._reader = Reader(read(), Instant.now())
        self._session = _Session()
        _forget_empty_variables()
        self._exporter = OTLPMetricExporter(
            endpoint=collector.endpoint, timeout=collector.timeout_s, session=self._session
        )
        self._is_failing = False
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="otlp", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Push the last state. A push that takes too long is given up, and the thread ends with the process."""
        deadline = Deadline.after(CLOSE_S)
        self._closing.set()
        self._thread.join(deadline.remaining_s())

    def _run(self) -> None:
        while not self._closing.wait(jittered(self._interval_s)):
            self._push()
        if not self._is_failing:  # else a stop would wait for a collector that is not there
            self._push()
        self._exporter.shutdown()

    def _push(self) -> None:
        reason = self._refusal()
        if reason and not self._is_failing:
            log.warning("metrics_not_pushed", reason=mask(reason))
        elif self._is_failing and not reason:
            log.info("metrics_pushed_again")
        self._is_failing = bool(reason)

    def _refusal(self) -> str | None:
        """Push once; why that failed, if it did."""
        self._session.outcome = "nothing could be sent"
        try:
            result = self._exporter.export(self._reader.read(self._read(), Instant.now()))
        except Exception as error:  # noqa: BLE001 (whatever it is: metrics stop nothing)
            return f"{type(error).__name__}: {error}"
        return None if result == MetricExportResult.SUCCESS else self._session.outcome


def _forget_empty_variables() -> None:
    """Empty means unset. Version 1.35 of the exporter takes an empty certificate for "verify nothing"."""
    for name in [name for name, text in os.environ.items() if name.startswith("OTEL_") and not text.strip()]:
        del os.environ[name]


class _Session(requests.Session):
    """Remembers how the last request ended, which the exporter only logs."""

    outcome = ""

    def request(self, *arguments: Any, **options: Any) -> requests.Response:
        """As of `requests`. A redirection fails, which the exporter would take for a success. The exporter's
        certificate counts before REQUESTS_CA_BUNDLE, which is for Snowflake here (`shared.ca_bundle`).
        """
        options["allow_redirects"] = False
        if self.verify is not True:
            options["verify"] = self.verify
        try:
            response = super().request(*arguments, **options)
        except Exception as error:
            self.outcome = f"{type(error).__name__}: {error}"
            raise
        self.outcome = f"the collector answers {response.status_code} {response.reason}"
        if 300 <= response.status_code < 400:
            self.outcome += f": {response.headers.get('Location')}"
            raise requests.TooManyRedirects(self.outcome)
        if response.ok and (rejected := _rejected(response.content)):
            self.outcome = rejected
            raise requests.RequestException(rejected)
        return response


def _rejected(answer: bytes) -> str:
    """What a collector that answers 200 has not taken; empty where it has taken all, or does not say.

    https://opentelemetry.io/docs/specs/otlp/#partial-success-1
    """
    try:
        partial = ExportMetricsServiceResponse.FromString(answer).partial_success
    except DecodeError:  # a proxy in between may say something of its own
        return ""
    count = partial.rejected_data_points
    return f"the collector rejects {count} data points: {partial.error_message}" if count else ""
