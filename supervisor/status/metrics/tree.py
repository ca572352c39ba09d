"""The metrics of a supervisor."""

from collections.abc import Iterator
from typing import get_args

from supervisor.status.metrics.metric import Metric, Sample, of_tree
from supervisor.status.model import TreeState, TreeStatus

TREE_STATES = get_args(TreeState)
INFO_LABELS = ("version", "host", "target", "store")
INFO_FIELDS = {"version": "evsup"}  # where the status has another name for it


def _state(tree: TreeStatus, _: float) -> Iterator[Sample]:
    return (((state,), tree.state == state) for state in TREE_STATES)


def _info(tree: TreeStatus, _: float) -> Iterator[Sample]:
    yield tuple(getattr(tree, INFO_FIELDS.get(label, label)) for label in INFO_LABELS), 1


def _age(tree: TreeStatus, now_s: float) -> Iterator[Sample]:
    yield (), max(0.0, now_s - tree.described_at_s)


TREE = (
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
    of_tree(
        "evsup_healthy",
        "",
        "1 while the supervisor is ready, as /readyz decides it, 0 otherwise; a stuck loop does not change it.",
        lambda tree: tree.healthy,
    ),
    of_tree(
        "evsup_failure_exit_code",
        "",
        "Exit code of the failure that stops the supervisor; 0 while there is none.",
        lambda tree: tree.exit_code,
    ),
    of_tree("evsup_uptime_seconds", "seconds", "Seconds since the supervisor's start.", lambda tree: tree.uptime_s),
    Metric(
        "evsup_status_age_seconds",
        "gauge",
        "seconds",
        (),
        "Seconds since the last turn of the supervisor's loop; above 10 the loop is stuck.",
        _age,
    ),
    of_tree(
        "evsup_supervisor_resident_memory_bytes",
        "bytes",
        "Resident memory of the supervisor's process, without its workers.",
        lambda tree: tree.rss_bytes,
    ),
    of_tree(
        "evsup_partitions",
        "partitions",
        "Partitions of the event hub, as far as this supervisor knows.",
        lambda tree: tree.partitions_total,
    ),
    of_tree(
        "evsup_hub_answer_age_seconds",
        "seconds",
        "Seconds since the event hub last reported its partitions; partitions added since then are not known.",
        lambda tree: tree.hub_age_s,
    ),
    of_tree(
        "evsup_table_unseen",
        "",
        "1 while evsup cannot check whether rows still fit the target table, 0 otherwise.",
        lambda tree: tree.table_unseen is not None,
    ),
    of_tree(
        "evsup_store_round_seconds",
        "seconds",
        "Seconds that the last round of renewing and balancing took in the control store.",
        lambda tree: tree.store_round_s,
    ),
    of_tree(
        "evsup_store_retries_total",
        "",
        "Rounds of renewing and balancing that failed in the control store and were tried again.",
        lambda tree: tree.store_retries_total,
        "counter",
    ),
    of_tree(
        "evsup_last_drain_seconds",
        "seconds",
        "Seconds that the last worker took to drain that did; absent before the first.",
        lambda tree: tree.last_drain_s,
    ),
    of_tree(
        "evsup_supervisors_lost",
        "",
        "Supervisors of the group that ended without leaving it (killed, cut off), within the last ten lease times.",
        lambda tree: tree.supervisors_lost,
    ),
    of_tree(
        "evsup_partitions_owned",
        "partitions",
        "Partitions that this supervisor owns.",
        lambda tree: len(tree.partitions),
    ),
    of_tree(
        "evsup_partitions_elsewhere",
        "partitions",
        "Partitions that other supervisors own.",
        lambda tree: len(tree.elsewhere),
    ),
    of_tree(
        "evsup_partitions_unowned",
        "partitions",
        "Partitions that nobody owns, because no supervisor has capacity for them.",
        lambda tree: len(tree.unowned),
    ),
)
