"""The page of `/metrics`."""

from collections.abc import Iterator
from itertools import accumulate
from typing import Any, TypeAlias

from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from shared.ipc.messages import BOUNDS_S, Histogram
from supervisor.status.metrics.catalogue import METRICS
from supervisor.status.metrics.metric import GROUP_LABELS, Kind
from supervisor.status.model import TreeStatus

Family: TypeAlias = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily

FAMILIES: dict[Kind, type[Family]] = {
    "counter": CounterMetricFamily,
    "gauge": GaugeMetricFamily,
    "histogram": HistogramMetricFamily,
}


class Scrape(Collector):
    """All metrics at one time. It bypasses the process's registry, so that no metric of a library is exposed."""

    def __init__(self, tree: TreeStatus, now_s: float) -> None:
        self._tree, self._now_s = tree, now_s

    def collect(self) -> Iterator[Family]:
        """One metric family for each metric, as prometheus-client expects."""
        group = [getattr(self._tree, label) for label in GROUP_LABELS]
        for metric in METRICS:
            family = FAMILIES[metric.kind](metric.name, metric.meaning, labels=(*GROUP_LABELS, *metric.labels))
            for labels, value in metric.read(self._tree, self._now_s):
                _add(family, (*group, *labels), value)
            yield family


def _add(family: Any, labels: tuple[str, ...], value: float | Histogram) -> None:
    """The three families take what their kind is; a metric says which kind its values are."""
    if isinstance(value, Histogram):
        bounds = (*map(str, BOUNDS_S), "+Inf")
        family.add_metric(labels, list(zip(bounds, accumulate(value.counts), strict=True)), value.sum_s)
    else:
        family.add_metric(labels, value)


def exposition(tree: TreeStatus, now_s: float) -> bytes:
    """The page that Prometheus reads: https://prometheus.io/docs/instrumenting/exposition_formats/."""
    return generate_latest(Scrape(tree, now_s))
