"""A collector of OpenTelemetry: takes metrics by OTLP over HTTP, and does with the sender whatever a test asks for.

https://opentelemetry.io/docs/specs/otlp/#otlphttp
"""

import gzip
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import HistogramDataPoint, Metric, NumberDataPoint

from tests.harness.services.ports import free_port

PATH = "/v1/metrics"


class Collector:
    """A context manager: it listens inside the block, on the same port each time."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls, self.port = tls, free_port()
        self.requests: list[ExportMetricsServiceRequest] = []
        """All that came and was taken."""
        self.headers: dict[str, str] = {}
        """Of the last request."""
        self.tries = 0
        self.answer, self.location = 200, ""
        self.page = b""
        self.may_answer = threading.Event()
        self.may_answer.set()

    @property
    def address(self) -> str:
        """For OTEL_EXPORTER_OTLP_ENDPOINT."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                collector.take(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its signature)
                """Nothing to standard error."""

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        if self._tls:
            self._server.socket = self._tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.may_answer.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def take(self, request: BaseHTTPRequestHandler) -> None:
        """One request, on a thread of its own."""
        body = request.rfile.read(int(request.headers["Content-Length"]))
        self.headers, self.tries = dict(request.headers), self.tries + 1
        self.may_answer.wait()
        if self.answer == 200:
            assert (request.path, request.headers["Content-Type"]) == (PATH, "application/x-protobuf")
            plain = gzip.decompress(body) if request.headers["Content-Encoding"] == "gzip" else body
            self.requests.append(ExportMetricsServiceRequest.FromString(plain))
        request.send_response(self.answer)
        if self.location:
            request.send_header("Location", self.location)
        request.send_header("Content-Length", str(len(self.page)))
        request.end_headers()
        request.wfile.write(self.page)

    # --- what came ----------------------------------------------------------------------------------------------------

    @property
    def resource(self) -> dict[str, str | int]:
        """Of the last request."""
        return attributes(self.requests[-1].resource_metrics[0].resource.attributes)

    def metrics(self) -> dict[str, Metric]:
        """Of the last request, by name; none before the first."""
        if not self.requests:
            return {}
        return {metric.name: metric for metric in self.requests[-1].resource_metrics[0].scope_metrics[0].metrics}

    def total(self, name: str) -> float:
        """The sum of a metric over its partitions, in the last request."""
        metric = self.metrics().get(name)
        return sum(number(point) for point in points(metric)) if metric else 0


def points(metric: Metric) -> list[NumberDataPoint | HistogramDataPoint]:
    """Of whichever kind."""
    return [*metric.gauge.data_points, *metric.sum.data_points, *metric.histogram.data_points]


def number(point: NumberDataPoint | HistogramDataPoint) -> float:
    """Its value; of a histogram how many it has."""
    if isinstance(point, HistogramDataPoint):
        return int(point.count)
    return float(point.as_double) if point.WhichOneof("value") == "as_double" else int(point.as_int)


def attributes(pairs: list[KeyValue]) -> dict[str, str | int]:
    """Texts and numbers by name."""
    return {pair.key: pair.value.string_value or pair.value.int_value for pair in pairs}
