"""Every number of the status under a name of the closed set, as Prometheus wants it."""

import re

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from shared.ipc.messages import BOUNDS_S, Counters, Histogram, Latencies
from supervisor.status.latency import STAGES
from supervisor.status.metrics.catalogue import METRICS
from supervisor.status.metrics.counters import COUNTERS
from supervisor.status.metrics.exposition import exposition
from supervisor.status.metrics.metric import GROUP_LABELS, Metric
from supervisor.status.metrics.partitions import WORKER_STATES
from supervisor.status.metrics.tree import TREE_STATES
from supervisor.status.model import PartitionStatus, TreeStatus
from tests.unit.supervisor.status.statuses import NOW_S, a_partition, a_tree

# What a person reads and no graph shows, and what `rate` makes of another number.
NOT_SHOWN = {
    "version",
    "cause",
    "hub_trouble",
    "store_trouble",
    "waits_for",
    "owner_id",
    "pid",
    "channel",
    "reported_at_s",
    "rows_per_s",
}


def scraped(tree: TreeStatus, now_s: float = NOW_S) -> list[Sample]:
    """As a scraper reads them."""
    families = text_string_to_metric_families(exposition(tree, now_s).decode())
    return [sample for family in families for sample in family.samples]


def samples(tree: TreeStatus, now_s: float = NOW_S) -> dict[tuple[str, ...], float]:
    """By name and the values of the labels of their own."""
    return {
        (sample.name, *(value for label, value in sample.labels.items() if label not in GROUP_LABELS)): sample.value
        for sample in scraped(tree, now_s)
    }


def test_sequence_numbers_and_counters_of_each_partition_are_exposed() -> None:
    page = samples(a_tree(a_partition("0"), a_partition("12", durable=21)))
    assert page["evsup_received_sequence_number", "0"] == 40
    assert page["evsup_appended_sequence_number", "0"] == 30
    assert page["evsup_durable_sequence_number", "0"] == 20
    assert page["evsup_durable_sequence_number", "12"] == 21
    assert page["evsup_checkpointed_sequence_number", "0"] == 10
    assert page["evsup_lag_events", "0"] == 25
    assert page["evsup_appended_rows_total", "0"] == 31
    assert page["evsup_inflight_bytes", "0"] == 1000
    assert page["evsup_lease_remaining_seconds", "0"] == 45


def test_every_counter_of_a_worker_has_its_own_metric() -> None:
    """Whoever adds a counter edits two places, the struct and this table: status and metrics walk over the struct."""
    assert COUNTERS.keys() | {"latencies"} == set(Counters.__struct_fields__)
    values = {field: 1000 + at for at, field in enumerate(COUNTERS)}
    page = samples(a_tree(a_partition("0", **values)))
    assert {field: page[COUNTERS[field][0], "0"] for field in values} == values


def test_partitions_are_counted_by_who_holds_them() -> None:
    page = samples(a_tree(a_partition(), partitions_total=4, unowned=("1", "2"), healthy=False))
    assert page["evsup_partitions",] == 4
    assert page["evsup_partitions_owned",] == 1
    assert page["evsup_partitions_unowned",] == 2
    assert page["evsup_partitions_elsewhere",] == 0
    assert page["evsup_healthy",] == 0


def latencies(rows: int) -> Latencies:
    """So many rows in the second bucket of each stage, twice as many beyond the last, and one second for each row."""
    counts = (0, rows, *[0] * (len(BOUNDS_S) - 2), 2 * rows)
    every = Histogram(counts=counts, sum_s=3.0 * rows)
    return Latencies(**dict.fromkeys(STAGES, every))


@pytest.mark.parametrize(
    "name",
    [
        "evsup_enqueued_to_received_seconds",
        "evsup_received_to_appended_seconds",
        "evsup_appended_to_durable_seconds",
        "evsup_enqueued_to_durable_seconds",
    ],
)
def test_latencies_of_all_workers_are_one_histogram_that_never_falls_when_a_worker_exits(name: str) -> None:
    rows = a_partition("0", latencies=latencies(5)), a_partition("1", latencies=latencies(2))
    page = samples(a_tree(*rows, former_latencies=latencies(10)))
    assert [page[f"{name}_bucket", bound] for bound in ("0.005", "0.01", "600.0", "+Inf")] == [0, 17, 17, 51]
    assert (page[f"{name}_count",], page[f"{name}_sum",]) == (51, 51)


def test_how_late_a_partition_is_and_when_things_last_happened_is_exposed_in_seconds() -> None:
    page = samples(a_tree(a_partition("7"), a_partition("8", lag_s=None, row_age_s=None, event_age_s=None)))
    names = ("lag", "lag_age", "newest_row_age", "last_commit_age", "commit_wait", "last_event_age", "last_frame_age")
    assert [page[f"evsup_{name}_seconds", "7"] for name in names] == [6.5, 1.0, 8.0, 2.0, 2.0, 0.7, 0.7]
    assert not {("evsup_lag_seconds", "8"), ("evsup_newest_row_age_seconds", "8")} & page.keys()


def test_a_sequence_number_that_is_not_known_yet_has_no_sample() -> None:
    page = samples(a_tree(a_partition(durable=None, lag=None)))
    assert ("evsup_durable_sequence_number", "0") not in page
    assert ("evsup_lag_events", "0") not in page
    assert page["evsup_received_sequence_number", "0"] == 40


def test_the_current_state_is_1_and_each_other_state_is_0() -> None:
    page = samples(a_tree(a_partition("5", state="failed"), state="draining"))
    assert {state: page["evsup_state", state] for state in TREE_STATES} == {
        "starting": 0, "standby": 0, "running": 0, "draining": 1,
    }  # fmt: skip
    assert {state: page["evsup_worker_state", "5", state] for state in WORKER_STATES} == {
        "opening": 0, "running": 0, "draining": 0, "failed": 1,
    }  # fmt: skip


def test_a_stuck_loop_shows_in_the_age_of_the_status() -> None:
    assert samples(a_tree(), NOW_S + 30)["evsup_status_age_seconds",] == 30


def test_the_failure_that_stops_a_tree_is_exposed_by_its_exit_code() -> None:
    assert samples(a_tree())["evsup_failure_exit_code",] == 0
    assert samples(a_tree(exit_code=65, cause="refused"))["evsup_failure_exit_code",] == 65


def test_evsup_info_has_one_sample_with_all_labels() -> None:
    (labels,) = (key[1:] for key in samples(a_tree()) if key[0] == "evsup_info")
    assert set(labels) == {"1.2.3", "host", "account/EVENTS.PUBLIC.FLIGHTS through FLIGHTS-STREAMING", "sqlite"}


def test_two_hubs_and_two_groups_of_one_hub_share_no_series() -> None:
    """Not even when one scrape job reads them all, and Prometheus is told to drop the addresses."""
    trees = (
        a_tree(a_partition(), source=f"ns.servicebus.windows.net/{hub}", consumer_group=group, unowned=("3",))
        for hub in ("flights", "airports")
        for group in ("$Default", "evsup")
    )
    series = [(sample.name, frozenset(sample.labels.items())) for tree in trees for sample in scraped(tree)]
    assert len(set(series)) == len(series)


def test_the_default_metrics_of_the_process_are_not_exposed() -> None:
    assert all(name.startswith("evsup_") for name, *_ in samples(a_tree(a_partition())))


def test_a_page_of_32_partitions_is_bounded() -> None:
    """32 partitions are the most of a namespace's standard tier."""
    tree = a_tree(*(a_partition(str(number)) for number in range(32)))
    assert len(samples(tree)) < 32 * len(METRICS)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_a_metric_name_says_its_unit_and_kind(metric: Metric) -> None:
    assert re.fullmatch(r"evsup(_[a-z]+)+", metric.name)
    assert (metric.kind == "counter") == metric.name.endswith("_total")
    if metric.unit in ("seconds", "bytes"):
        assert metric.name.removesuffix("_total").endswith(f"_{metric.unit}")
    assert metric.meaning.endswith(".")
    assert set(metric.labels) <= {"partition", "state"} or metric.name == "evsup_info"


def test_no_metric_name_is_used_twice() -> None:
    assert len({metric.name for metric in METRICS}) == len(METRICS)


@pytest.mark.parametrize(("kind", "field"), [
    *((TreeStatus, field.name) for field in msgspec.structs.fields(TreeStatus)),
    *((PartitionStatus, field.name) for field in msgspec.structs.fields(PartitionStatus)),
])  # fmt: skip
def test_every_number_of_the_status_is_exposed(kind: type, field: str) -> None:
    """Each field that is not for people only changes the page when it changes."""
    if field in NOT_SHOWN:
        return
    before = a_tree(a_partition(), unowned=("3",))
    status = before if kind is TreeStatus else before.partitions[0]
    changed = msgspec.structs.replace(status, **{field: _another(field, getattr(status, field))})
    after = changed if isinstance(changed, TreeStatus) else a_tree(changed, unowned=("3",))
    assert scraped(after, NOW_S + 5) != scraped(before, NOW_S + 5)


def _another(field: str, value: object) -> object:
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case "running":
            return "draining"
        case str():
            return f"{value}0"
        case None:
            return 1.5 if field.endswith("_s") else "No answer"
        case tuple():
            return (*value, *value) if value else (a_partition("9"),)
        case Latencies():
            return latencies(rows=7)
        case _:
            raise AssertionError(value)
