"""OTLP says what `/metrics` says: the same metrics, labels and values, in the words of OpenTelemetry."""

from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, Metric
from prometheus_client.parser import text_string_to_metric_families

from shared.clock import Instant
from shared.ipc.messages import BOUNDS_S, Histogram, Latencies
from supervisor.status.metrics.catalogue import METRICS
from supervisor.status.metrics.exposition import exposition
from supervisor.status.model import TreeStatus
from supervisor.status.otlp.data import Reader
from tests.harness.services.collector import attributes, number, points
from tests.unit.supervisor.status.statuses import NOW_S, a_partition, a_tree

UNIX_S = 1_800_000_000.0
GROUP = {
    "messaging.system": "eventhubs",
    "messaging.destination.name": "flights",
    "messaging.consumer.group.name": "$Default",
    "server.address": "ns.servicebus.windows.net",
}
KINDS = {"counter": "sum", "gauge": "gauge", "histogram": "histogram"}


def an_instant(later_s: float = 0.0) -> Instant:
    return Instant(UNIX_S + later_s, NOW_S + later_s)


def encoded(reader: Reader, tree: TreeStatus, later_s: float = 0.0) -> Any:
    """As it is on the wire."""
    (resource,) = encode_metrics(reader.read(tree, an_instant(later_s))).resource_metrics
    return resource


def metrics(reader: Reader, tree: TreeStatus, later_s: float = 0.0) -> dict[str, Metric]:
    """By name."""
    (scope,) = encoded(reader, tree, later_s).scope_metrics
    return {metric.name: metric for metric in scope.metrics}


def a_full_tree() -> TreeStatus:
    """Every metric has a sample."""
    rows = a_partition("0"), a_partition("1", state="failed")
    return a_tree(*rows, unowned=("2",), last_drain_s=1.5, former_latencies=latencies(5))


def latencies(rows: int) -> Latencies:
    return Latencies(enqueued_durable=Histogram(counts=(0, rows, *[0] * (len(BOUNDS_S) - 1)), sum_s=0.5 * rows))


def test_every_metric_of_the_closed_set_is_there_and_no_other() -> None:
    tree = a_full_tree()
    found = metrics(Reader(tree, an_instant()), tree)
    assert found.keys() == {metric.name for metric in METRICS}
    assert {name: one.WhichOneof("data") for name, one in found.items()} == {
        metric.name: KINDS[metric.kind] for metric in METRICS
    }


def test_every_number_is_the_one_that_prometheus_reads() -> None:
    tree = a_full_tree()
    read: dict[str, list[float]] = {}
    for family in text_string_to_metric_families(exposition(tree, NOW_S).decode()):
        for sample in family.samples:
            name = sample.name.removesuffix("_count") if family.type == "histogram" else sample.name
            if not sample.name.endswith(("_bucket", "_sum")):
                read.setdefault(name, []).append(sample.value)
    pushed = {
        name: [number(point) for point in points(one)]
        for name, one in metrics(Reader(tree, an_instant()), tree).items()
    }
    assert pushed == read


def test_a_sequence_number_beyond_what_a_float_holds_is_exact() -> None:
    tree = a_tree(a_partition(durable=2**53 + 1))
    (point,) = metrics(Reader(tree, an_instant()), tree)["evsup_durable_sequence_number"].gauge.data_points
    assert point.as_int == 2**53 + 1


def test_attributes_have_the_names_of_the_semantic_conventions() -> None:
    tree = a_tree(a_partition("7"))
    found = metrics(Reader(tree, an_instant()), tree)
    (lag,) = points(found["evsup_lag_events"])
    assert attributes([*lag.attributes]) == GROUP | {"messaging.destination.partition.id": "7"}
    states = [attributes([*point.attributes]) for point in points(found["evsup_state"])]
    assert GROUP | {"state": "standby"} in states


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("evsup_lag_seconds", "s"),
        ("evsup_inflight_bytes", "By"),
        ("evsup_lag_events", "{event}"),
        ("evsup_inflight_rows", "{row}"),
        ("evsup_partitions", "{partition}"),
        ("evsup_lease_epoch", ""),
    ],
)
def test_units_are_those_of_ucum(name: str, unit: str) -> None:
    tree = a_full_tree()
    assert metrics(Reader(tree, an_instant()), tree)[name].unit == unit


def test_a_histogram_has_its_buckets_and_a_counter_is_a_monotonic_sum() -> None:
    tree = a_full_tree()
    found = metrics(Reader(tree, an_instant()), tree)
    (point,) = found["evsup_enqueued_to_durable_seconds"].histogram.data_points
    assert (tuple(point.explicit_bounds), point.count, point.sum) == (BOUNDS_S, 5, 2.5)
    assert list(point.bucket_counts) == [0, 5, *[0] * (len(BOUNDS_S) - 1)]
    assert (point.HasField("min"), point.HasField("max")) == (False, False)
    rows = found["evsup_appended_rows_total"].sum
    cumulative = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
    assert (rows.is_monotonic, rows.aggregation_temporality) == (True, cumulative)


def since_s(reader: Reader, rows: int | None, later_s: float) -> float | None:
    """When the count of rows of partition 0 began, in seconds after the supervisor's start; None: it is not there."""
    tree = a_tree(*([] if rows is None else [a_partition(rows_total=rows)]))
    metric = metrics(reader, tree, later_s).get("evsup_appended_rows_total")
    if metric is None:
        return None
    (point,) = metric.sum.data_points
    assert point.time_unix_nano == (UNIX_S + later_s) * 1e9
    return float(point.start_time_unix_nano / 1e9 - UNIX_S)


def test_a_counter_counts_since_the_start_of_the_supervisor_and_again_since_the_reading_after_which_it_fell() -> None:
    reader = Reader(a_tree(uptime_s=0.0), an_instant())
    assert [since_s(reader, rows, at) for rows, at in ((10, 60), (30, 120), (5, 180), (8, 240))] == [0, 0, 120, 120]


def test_the_counter_of_a_partition_that_was_away_begins_again_however_large_it_is() -> None:
    reader = Reader(a_tree(uptime_s=0.0), an_instant())
    assert [since_s(reader, rows, at) for rows, at in ((10, 60), (None, 120), (11, 180))] == [0, None, 120]


def test_the_resource_is_the_supervisor_and_the_standard_variables_go_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test,host.name=pod")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "flights-loader")
    tree = a_tree()
    assert attributes([*encoded(Reader(tree, an_instant()), tree).resource.attributes]) == {
        "service.name": "flights-loader",
        "service.instance.id": "host-10-abc",
        "service.version": "1.2.3",
        "host.name": "pod",
        "process.pid": 10,
        "deployment.environment.name": "test",
    }
