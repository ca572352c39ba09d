"""What `/metrics` shows: one closed set, each with its type, unit and meaning, read from the tree's status.

docs/metrics.md is written from it, and the dashboard and alerts of scripts/deploy are checked against it. Names follow
https://prometheus.io/docs/practices/naming/: base units, `_total` for counters, no label that grows with the data.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Literal, NamedTuple, TypeAlias, get_args

from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from shared.ipc.messages import WorkerState
from supervisor.status.model import PartitionStatus, TreeState, TreeStatus

Kind: TypeAlias = Literal["counter", "gauge"]
Unit: TypeAlias = Literal["", "bytes", "events", "partitions", "rows", "seconds"]
Sample: TypeAlias = tuple[tuple[str, ...], float]
Read: TypeAlias = Callable[[TreeStatus, float], Iterable[Sample]]
Family: TypeAlias = CounterMetricFamily | GaugeMetricFamily

FAMILIES: dict[Kind, type[Family]] = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily}
TREE_STATES = get_args(TreeState)
WORKER_STATES = (*get_args(WorkerState), "failed")


class Metric(NamedTuple):
    """A metric, and how its samples (the labels' values, the value) are read from a status at a moment."""

    name: str
    kind: Kind
    unit: Unit
    labels: tuple[str, ...]
    meaning: str
    read: Read


class Scrape(Collector):
    """The whole set at one moment. No registry of the process is involved: nothing else of it is to be shown."""

    def __init__(self, tree: TreeStatus, now_s: float) -> None:
        self._tree, self._now_s = tree, now_s

    def collect(self) -> Iterator[Family]:
        """A family a metric, as prometheus-client takes them."""
        for metric in METRICS:
            family = FAMILIES[metric.kind](metric.name, metric.meaning, labels=metric.labels)
            for labels, value in metric.read(self._tree, self._now_s):
                family.add_metric(labels, value)
            yield family


def exposition(tree: TreeStatus, now_s: float) -> bytes:
    """The page that Prometheus reads: https://prometheus.io/docs/instrumenting/exposition_formats/."""
    return generate_latest(Scrape(tree, now_s))


def _tree(name: str, unit: Unit, meaning: str, value: Callable[[TreeStatus], float]) -> Metric:
    return Metric(name, "gauge", unit, (), meaning, lambda tree, _: [((), value(tree))])


def _partition(
    name: str, unit: Unit, meaning: str, value: Callable[[PartitionStatus], float | None], kind: Kind = "gauge"
) -> Metric:
    """One sample a partition held here; none where there is no number yet."""

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
    yield tuple(getattr(tree, label) for label in INFO_LABELS), 1


def _age(tree: TreeStatus, now_s: float) -> Iterator[Sample]:
    yield (), max(0.0, now_s - tree.described_at_s)


INFO_LABELS = ("version", "host", "source", "consumer_group", "target", "store")
METRICS = (
    Metric("evsup_info", "gauge", "", INFO_LABELS, "Always 1: which version reads what, and where it writes.", _info),
    Metric("evsup_state", "gauge", "", ("state",), "1 for the state that the tree is in, 0 for the others.", _state),
    _tree("evsup_healthy", "", "1 while /readyz says yes, but for a loop that is stuck.", lambda tree: tree.healthy),
    _tree(
        "evsup_failure_exit_code",
        "",
        "Exit code of the failure that stops the tree; 0 while there is none.",
        lambda tree: tree.exit_code,
    ),
    _tree("evsup_uptime_seconds", "seconds", "Since the supervisor's start.", lambda tree: tree.uptime_s),
    Metric(
        "evsup_status_age_seconds", "gauge", "seconds", (), "Since the loop's last turn; above 10 it is stuck.", _age
    ),
    _tree(
        "evsup_supervisor_resident_memory_bytes",
        "bytes",
        "Memory of the supervisor without its workers.",
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
        "Since the hub last said which partitions it has; partitions added since are not known.",
        lambda tree: tree.hub_age_s,
    ),
    _tree(
        "evsup_table_unseen",
        "",
        "1 while nobody can see whether rows still fit the target table.",
        lambda tree: tree.table_unseen is not None,
    ),
    _tree("evsup_partitions_owned", "partitions", "Held by this supervisor.", lambda tree: len(tree.partitions)),
    _tree("evsup_partitions_elsewhere", "partitions", "Held by other supervisors.", lambda tree: len(tree.elsewhere)),
    _tree(
        "evsup_partitions_unowned",
        "partitions",
        "Held by nobody, because no supervisor has room for them.",
        lambda tree: len(tree.unowned),
    ),
    Metric(
        "evsup_worker_state",
        "gauge",
        "",
        ("partition", "state"),
        "1 for the state that the worker is in, 0 for the others.",
        _worker_state,
    ),
    _partition("evsup_worker_report_age_seconds", "seconds", "Since the worker's last report.", lambda row: row.age_s),
    _partition("evsup_worker_resident_memory_bytes", "bytes", "Memory of the worker.", lambda row: row.rss_bytes),
    _partition("evsup_lease_epoch", "", "Grows by one at every change of owner.", lambda row: row.epoch),
    _partition(
        "evsup_lease_remaining_seconds",
        "seconds",
        "Until the worker stops itself unless the lease is renewed.",
        lambda row: row.lease_s,
    ),
    _partition(
        "evsup_received_sequence_number", "", "Of the last event received from Event Hubs.", lambda row: row.received
    ),
    _partition(
        "evsup_appended_sequence_number", "", "Of the last event handed to the channel.", lambda row: row.appended
    ),
    _partition(
        "evsup_durable_sequence_number", "", "Of the last event that Snowflake has committed.", lambda row: row.durable
    ),
    _partition(
        "evsup_checkpointed_sequence_number",
        "",
        "Of the last event in the checkpoint row: where another owner would begin.",
        lambda row: row.checkpointed,
    ),
    _partition(
        "evsup_lag_events",
        "events",
        "In the partition and not durable yet, as of the last event received.",
        lambda row: row.lag,
    ),
    _partition(
        "evsup_time_to_loss_seconds",
        "seconds",
        "Until the oldest event received and not durable may leave the hub; with EVENTHUB_RETENTION_HOURS only.",
        lambda row: row.time_to_loss_s,
    ),
    _partition(
        "evsup_appended_rows_total",
        "rows",
        "Handed to the channel since the worker's start.",
        lambda row: row.rows_total,
        "counter",
    ),
    _partition(
        "evsup_appended_bytes_total", "bytes", "The JSON of these rows.", lambda row: row.bytes_total, "counter"
    ),
    _partition(
        "evsup_duplicates_dropped_total",
        "events",
        "Redelivered by Event Hubs and dropped before the channel.",
        lambda row: row.duplicates_total,
        "counter",
    ),
    _partition(
        "evsup_quarantined_rows_total",
        "rows",
        "Rejected by Snowflake and set aside since the worker's start.",
        lambda row: row.quarantined_total,
        "counter",
    ),
    _partition("evsup_inflight_rows", "rows", "Appended, not durable yet.", lambda row: row.rows_inflight),
    _partition("evsup_inflight_bytes", "bytes", "The JSON of these rows.", lambda row: row.bytes_inflight),
)
