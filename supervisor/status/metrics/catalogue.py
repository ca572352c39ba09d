"""The metrics of `/metrics`: one closed set, each with its type, unit and meaning, read from the tree's status.

docs/metrics.md is written from it, and the dashboard and alerts of scripts/deploy are checked against it. Names follow
https://prometheus.io/docs/practices/naming/: base units, `_total` for counters, no label that grows with the data.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from operator import attrgetter
from typing import Any, Literal, TypeAlias, get_args

from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from shared.ipc.messages import BOUNDS_S, Counters, Histogram, WorkerState
from supervisor.status.latency import STAGES, total
from supervisor.status.metrics.counters import COUNTERS, LATENCIES, Unit
from supervisor.status.model import PartitionStatus, TreeState, TreeStatus

Kind: TypeAlias = Literal["counter", "gauge", "histogram"]
Sample: TypeAlias = tuple[tuple[str, ...], float | Histogram]
Read: TypeAlias = Callable[[TreeStatus, float], Iterable[Sample]]
Family: TypeAlias = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily

FAMILIES: dict[Kind, type[Family]] = {
    "counter": CounterMetricFamily,
    "gauge": GaugeMetricFamily,
    "histogram": HistogramMetricFamily,
}
# Of a GB of values in high-performance Snowpipe Streaming; the price in credits is the same everywhere.
# https://docs.snowflake.com/en/user-guide/snowpipe-streaming-high-performance-cost
CREDITS_PER_GB = 0.0037
TREE_STATES = get_args(TreeState)
WORKER_STATES = (*get_args(WorkerState), "failed")
# Of every sample, so that two hubs in one scrape job are told apart. `source` is namespace and hub.
GROUP_LABELS = ("source", "consumer_group")


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric, and how its samples (the labels' values, the value) are read from a status at a given time.

    `labels` come after those of `GROUP_LABELS`, which every sample has.
    """

    name: str
    kind: Kind
    unit: Unit
    labels: tuple[str, ...]
    meaning: str
    read: Read


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


def _tree(
    name: str, unit: Unit, meaning: str, value: Callable[[TreeStatus], float | None], kind: Kind = "gauge"
) -> Metric:
    """One sample; none where there is no number yet."""

    def read(tree: TreeStatus, _: float) -> Iterator[Sample]:
        if (number := value(tree)) is not None:
            yield (), number

    return Metric(name, kind, unit, (), meaning, read)


def _partition(
    name: str, unit: Unit, meaning: str, value: Callable[[PartitionStatus], float | None], kind: Kind = "gauge"
) -> Metric:
    """One sample for each partition owned here; none where there is no number yet."""

    def read(tree: TreeStatus, _: float) -> Iterator[Sample]:
        for row in tree.partitions:
            if (number := value(row)) is not None:
                yield (row.partition,), number

    return Metric(name, kind, unit, ("partition",), meaning, read)


def _state(tree: TreeStatus, _: float) -> Iterator[Sample]:
    return (((state,), tree.state == state) for state in TREE_STATES)


def _worker_state(tree: TreeStatus, _: float) -> Iterator[Sample]:
    return (((row.partition, state), row.state == state) for row in tree.partitions for state in WORKER_STATES)


def _info(tree: TreeStatus, _: float) -> Iterator[Sample]:
    yield tuple(getattr(tree, INFO_FIELDS.get(label, label)) for label in INFO_LABELS), 1


def _age(tree: TreeStatus, now_s: float) -> Iterator[Sample]:
    yield (), max(0.0, now_s - tree.described_at_s)


def _latency(stage: str) -> Metric:
    """The histogram of all workers of this supervisor together: one for each partition would be 70 samples each."""

    def read(tree: TreeStatus, _: float) -> Iterator[Sample]:
        yield (), getattr(total([tree.former_latencies, *(row.latencies for row in tree.partitions)]), stage)

    name, meaning = LATENCIES[stage]
    return Metric(name, "histogram", "seconds", (), meaning, read)


def _reported(field: str) -> Metric:
    """The metric of a field of `Counters`; a field without a row in `COUNTERS` fails the import."""
    name, unit, meaning = COUNTERS[field]
    return _partition(name, unit, meaning, attrgetter(field), "counter" if name.endswith("_total") else "gauge")


INFO_LABELS = ("version", "host", "target", "store")
INFO_FIELDS = {"version": "evsup"}  # where the status has another name for it
METRICS = (
    Metric(
        "evsup_info",
        "gauge",
        "",
        INFO_LABELS,
        "Always 1; the labels say which version runs, what it reads and where it writes.",
        _info,
    ),
    Metric(
        "evsup_state",
        "gauge",
        "",
        ("state",),
        "1 for the state that the supervisor is in, 0 for each other state.",
        _state,
    ),
    _tree(
        "evsup_healthy",
        "",
        "1 while the supervisor is ready, as /readyz decides it, 0 otherwise; a stuck loop does not change it.",
        lambda tree: tree.healthy,
    ),
    _tree(
        "evsup_failure_exit_code",
        "",
        "Exit code of the failure that stops the supervisor; 0 while there is none.",
        lambda tree: tree.exit_code,
    ),
    _tree("evsup_uptime_seconds", "seconds", "Seconds since the supervisor's start.", lambda tree: tree.uptime_s),
    Metric(
        "evsup_status_age_seconds",
        "gauge",
        "seconds",
        (),
        "Seconds since the last turn of the supervisor's loop; above 10 the loop is stuck.",
        _age,
    ),
    _tree(
        "evsup_supervisor_resident_memory_bytes",
        "bytes",
        "Resident memory of the supervisor's process, without its workers.",
        lambda tree: tree.rss_bytes,
    ),
    _tree(
        "evsup_partitions",
        "partitions",
        "Partitions of the event hub, as far as this supervisor knows.",
        lambda tree: tree.partitions_total,
    ),
    _tree(
        "evsup_hub_answer_age_seconds",
        "seconds",
        "Seconds since the event hub last reported its partitions; partitions added since then are not known.",
        lambda tree: tree.hub_age_s,
    ),
    _tree(
        "evsup_table_unseen",
        "",
        "1 while evsup cannot check whether rows still fit the target table, 0 otherwise.",
        lambda tree: tree.table_unseen is not None,
    ),
    _tree(
        "evsup_store_round_seconds",
        "seconds",
        "Seconds that the last round of renewing and balancing took in the control store.",
        lambda tree: tree.store_round_s,
    ),
    _tree(
        "evsup_store_retries_total",
        "",
        "Rounds of renewing and balancing that failed in the control store and were tried again.",
        lambda tree: tree.store_retries_total,
        "counter",
    ),
    _tree(
        "evsup_last_drain_seconds",
        "seconds",
        "Seconds that the last worker took to drain that did; absent before the first.",
        lambda tree: tree.last_drain_s,
    ),
    _tree(
        "evsup_supervisors_lost",
        "",
        "Supervisors of the group that ended without leaving it (killed, cut off), within the last ten lease times.",
        lambda tree: tree.supervisors_lost,
    ),
    _tree(
        "evsup_partitions_owned",
        "partitions",
        "Partitions that this supervisor owns.",
        lambda tree: len(tree.partitions),
    ),
    _tree(
        "evsup_partitions_elsewhere",
        "partitions",
        "Partitions that other supervisors own.",
        lambda tree: len(tree.elsewhere),
    ),
    _tree(
        "evsup_partitions_unowned",
        "partitions",
        "Partitions that nobody owns, because no supervisor has capacity for them.",
        lambda tree: len(tree.unowned),
    ),
    Metric(
        "evsup_worker_state",
        "gauge",
        "",
        ("partition", "state"),
        "1 for the state that the partition's worker is in, 0 for each other state.",
        _worker_state,
    ),
    _partition(
        "evsup_worker_report_age_seconds",
        "seconds",
        "Seconds since the worker's last report.",
        lambda row: row.report_age_s,
    ),
    _partition(
        "evsup_worker_resident_memory_bytes",
        "bytes",
        "Resident memory of the worker's process.",
        lambda row: row.rss_bytes,
    ),
    _partition(
        "evsup_lease_epoch",
        "",
        "Epoch of the partition's lease, which grows by one at every change of owner.",
        lambda row: row.epoch,
    ),
    _partition(
        "evsup_lease_remaining_seconds",
        "seconds",
        "Seconds until the worker stops itself unless its lease is renewed.",
        lambda row: row.lease_s,
    ),
    _partition(
        "evsup_lag_events",
        "events",
        "Events in the partition that Snowflake has not committed yet, when Event Hubs last said where it ends.",
        lambda row: row.lag,
    ),
    _partition(
        "evsup_lag_seconds",
        "seconds",
        "Seconds by which the newest committed row is behind the partition's last event; 0 while no event waits, and"
        " never more than the oldest event received has waited.",
        lambda row: row.lag_s,
    ),
    _partition(
        "evsup_lag_age_seconds",
        "seconds",
        "Seconds since Event Hubs last said where the partition ends, which the lag is counted from.",
        lambda row: row.lag_age_s,
    ),
    _partition(
        "evsup_newest_row_age_seconds",
        "seconds",
        "Seconds since Event Hubs took the event of the newest committed row; it grows while no event comes.",
        lambda row: row.row_age_s,
    ),
    _partition(
        "evsup_last_commit_age_seconds",
        "seconds",
        "Seconds since Snowflake was last seen to have committed rows.",
        lambda row: row.commit_age_s,
    ),
    _partition(
        "evsup_commit_wait_seconds",
        "seconds",
        "Seconds without a commit while rows are in flight; 0 while none are.",
        lambda row: row.commit_wait_s,
    ),
    _partition(
        "evsup_snowflake_latency_seconds",
        "seconds",
        "Mean time that Snowflake's servers took for rows of the channel, as its status says.",
        lambda row: row.snowflake_latency_s,
    ),
    _partition(
        "evsup_estimated_credits_total",
        "",
        f"Estimated credits for the rows appended since the worker's start: {CREDITS_PER_GB} for a GB of values. Your"
        " contract and Snowflake's METERING_HISTORY say what is charged.",
        lambda row: row.billable_bytes_total / 1e9 * CREDITS_PER_GB,
        "counter",
    ),
    _partition(
        "evsup_last_event_age_seconds",
        "seconds",
        "Seconds since the last event came from Event Hubs.",
        lambda row: row.event_age_s,
    ),
    _partition(
        "evsup_last_frame_age_seconds",
        "seconds",
        "Seconds since anything came from Event Hubs; a connection that lives has a heartbeat at least every 30 s.",
        lambda row: row.frame_age_s,
    ),
    _partition(
        "evsup_time_to_loss_seconds",
        "seconds",
        "Seconds until the oldest event that was received and is not committed may leave the event hub; absent without"
        " EVENTHUB_RETENTION_HOURS, or while no event waits.",
        lambda row: row.time_to_loss_s,
    ),
    *(_reported(field) for field in Counters.__struct_fields__ if field != "latencies"),
    *map(_latency, STAGES),
)
