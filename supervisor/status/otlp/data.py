"""The metrics of `/metrics` in OpenTelemetry's data model: the same closed set, read from the same status.

https://opentelemetry.io/docs/specs/otel/metrics/data-model/
https://opentelemetry.io/docs/specs/semconv/messaging/azure-messaging/
"""

from typing import Any, TypeAlias

from opentelemetry.sdk.metrics import export
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from shared.clock import Instant
from shared.ipc.messages import BOUNDS_S, Histogram
from supervisor.status.metrics.catalogue import METRICS
from supervisor.status.metrics.metric import Metric
from supervisor.status.model import TreeStatus

Series: TypeAlias = tuple[str, ...]
Point: TypeAlias = export.NumberDataPoint | export.HistogramDataPoint

# What a label of `/metrics` is called here; any other keeps its name.
ATTRIBUTES = {"partition": "messaging.destination.partition.id"}
UNITS = {"": "", "seconds": "s", "bytes": "By"}  # of https://ucum.org/ucum, where braces hold what is counted
CUMULATIVE = export.AggregationTemporality.CUMULATIVE


class Reader:
    """Reads the statuses of one tree, one after another.

    A counter begins again with each worker, and OTLP wants to know when: that is kept here, and nothing else.
    """

    def __init__(self, tree: TreeStatus, now: Instant) -> None:
        self._resource = _resource(tree)
        self._scope = InstrumentationScope("evsup", tree.evsup)
        self._read_ns = _nanoseconds(now.unix_s - tree.uptime_s)
        self._before: dict[Series, tuple[float, int]] = {}
        """Of each counter in the reading before: what it said, and since when it counts."""

    def read(self, tree: TreeStatus, now: Instant) -> export.MetricsData:
        """All metrics as of now."""
        now_ns, group, counted = _nanoseconds(now.unix_s), _group(tree), dict[Series, tuple[float, int]]()
        metrics = []
        for metric in METRICS:
            points = []
            for labels, value in metric.read(tree, now.monotonic_s):
                series = (metric.name, *labels)
                total = sum(value.counts) if isinstance(value, Histogram) else value
                counted[series] = total, self._since(series, total)
                own = {ATTRIBUTES.get(label, label): text for label, text in zip(metric.labels, labels, strict=True)}
                points.append(_point(group | own, value, counted[series][1], now_ns))
            if points:
                metrics.append(export.Metric(metric.name, metric.meaning, _unit(metric), _data(metric, points)))
        self._before, self._read_ns = counted, now_ns
        scope = export.ScopeMetrics(self._scope, metrics, "")
        return export.MetricsData([export.ResourceMetrics(self._resource, [scope], "")])

    def _since(self, series: Series, total: float) -> int:
        """Since when it counts: at the latest since the reading before, when it was not there or said more."""
        said, since_ns = self._before.get(series, (total, self._read_ns))
        return since_ns if total >= said else self._read_ns


def _resource(tree: TreeStatus) -> Resource:
    """The supervisor, by the names that OpenTelemetry gives a service; OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES
    go before them.
    """
    own: dict[str, str | int] = {
        "service.name": "evsup",
        "service.instance.id": tree.owner_id,
        "service.version": tree.evsup,
        "host.name": tree.host,
        "process.pid": tree.pid,
    }
    return Resource(own).merge(OTELResourceDetector().detect())


def _group(tree: TreeStatus) -> dict[str, str]:
    namespace, _, hub = tree.source.rpartition("/")
    return {
        "messaging.system": "eventhubs",
        "messaging.destination.name": hub,
        "messaging.consumer.group.name": tree.consumer_group,
        "server.address": namespace,
    }


def _point(attributes: dict[str, str], value: float | Histogram, since_ns: int, now_ns: int) -> Point:
    if not isinstance(value, Histogram):
        return export.NumberDataPoint(attributes, since_ns, now_ns, +value)  # of True it makes 1
    unknown: Any = None  # the least and the most of all: the protocol may leave them out, and the SDK's type may not
    return export.HistogramDataPoint(
        attributes=attributes,
        start_time_unix_nano=since_ns,
        time_unix_nano=now_ns,
        count=sum(value.counts),
        sum=value.sum_s,
        bucket_counts=value.counts,
        explicit_bounds=BOUNDS_S,
        min=unknown,
        max=unknown,
    )


def _data(metric: Metric, points: list[Any]) -> export.Sum | export.Gauge | export.Histogram:
    match metric.kind:
        case "counter":
            return export.Sum(points, CUMULATIVE, is_monotonic=True)
        case "gauge":
            return export.Gauge(points)
        case "histogram":
            return export.Histogram(points, CUMULATIVE)


def _unit(metric: Metric) -> str:
    return UNITS.get(metric.unit, f"{{{metric.unit.removesuffix('s')}}}")


def _nanoseconds(unix_s: float) -> int:
    return round(unix_s * 1e9)
