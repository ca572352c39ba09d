"""The metrics of a partition that is owned here: what its worker has reported, and what is known of the worker."""

from collections.abc import Iterator
from operator import attrgetter
from typing import get_args

from shared.ipc.messages import Counters, WorkerState
from supervisor.status.metrics.counters import COUNTERS
from supervisor.status.metrics.metric import Metric, Sample, of_partition
from supervisor.status.model import TreeStatus

# Of a GB of values in high-performance Snowpipe Streaming; the price in credits is the same everywhere.
# https://docs.snowflake.com/en/user-guide/snowpipe-streaming/snowpipe-streaming-high-performance-cost
CREDITS_PER_GB = 0.0037
WORKER_STATES = (*get_args(WorkerState), "failed")


def _worker_state(tree: TreeStatus, _: float) -> Iterator[Sample]:
    return (((row.partition, state), row.state == state) for row in tree.partitions for state in WORKER_STATES)


def _reported(field: str) -> Metric:
    """The metric of a field of `Counters`; a field without a row in `COUNTERS` fails the import."""
    name, unit, meaning = COUNTERS[field]
    return of_partition(name, unit, meaning, attrgetter(field), "counter" if name.endswith("_total") else "gauge")


PARTITIONS = (
    Metric(
        "evsup_worker_state",
        "gauge",
        "",
        ("partition", "state"),
        "1 for the state that the partition's worker is in, 0 for each other state.",
        _worker_state,
    ),
    of_partition(
        "evsup_worker_report_age_seconds",
        "seconds",
        "Seconds since the worker's last report.",
        lambda row: row.report_age_s,
    ),
    of_partition(
        "evsup_worker_resident_memory_bytes",
        "bytes",
        "Resident memory of the worker's process.",
        lambda row: row.rss_bytes,
    ),
    of_partition(
        "evsup_lease_epoch",
        "",
        "Epoch of the partition's lease, which grows by one at every change of owner.",
        lambda row: row.epoch,
    ),
    of_partition(
        "evsup_lease_remaining_seconds",
        "seconds",
        "Seconds until the worker stops itself unless its lease is renewed.",
        lambda row: row.lease_s,
    ),
    of_partition(
        "evsup_lag_events",
        "events",
        "Events in the partition that Snowflake has not committed yet, when Event Hubs last said where it ends.",
        lambda row: row.lag,
    ),
    of_partition(
        "evsup_lag_seconds",
        "seconds",
        "Seconds by which the newest committed row is behind the partition's last event; 0 while no event waits, and"
        " never more than the oldest event received has waited.",
        lambda row: row.lag_s,
    ),
    of_partition(
        "evsup_lag_age_seconds",
        "seconds",
        "Seconds since Event Hubs last said where the partition ends, which the lag is counted from.",
        lambda row: row.lag_age_s,
    ),
    of_partition(
        "evsup_newest_row_age_seconds",
        "seconds",
        "Seconds since Event Hubs took the event of the newest committed row; it grows while no event comes.",
        lambda row: row.row_age_s,
    ),
    of_partition(
        "evsup_last_commit_age_seconds",
        "seconds",
        "Seconds since Snowflake was last seen to have committed rows.",
        lambda row: row.commit_age_s,
    ),
    of_partition(
        "evsup_commit_wait_seconds",
        "seconds",
        "Seconds without a commit while rows are in flight; 0 while none are.",
        lambda row: row.commit_wait_s,
    ),
    of_partition(
        "evsup_snowflake_latency_seconds",
        "seconds",
        "Mean time that Snowflake's servers took for rows of the channel, as its status says.",
        lambda row: row.snowflake_latency_s,
    ),
    of_partition(
        "evsup_estimated_credits_total",
        "",
        f"Estimated credits for the rows appended since the worker's start: {CREDITS_PER_GB} for a GB of values. Your"
        " contract and Snowflake's METERING_HISTORY say what is charged.",
        lambda row: row.billable_bytes_total / 1e9 * CREDITS_PER_GB,
        "counter",
    ),
    of_partition(
        "evsup_last_event_age_seconds",
        "seconds",
        "Seconds since the last event came from Event Hubs.",
        lambda row: row.event_age_s,
    ),
    of_partition(
        "evsup_last_frame_age_seconds",
        "seconds",
        "Seconds since anything came from Event Hubs; a connection that lives has a heartbeat at least every 30 s.",
        lambda row: row.frame_age_s,
    ),
    of_partition(
        "evsup_time_to_loss_seconds",
        "seconds",
        "Seconds until the oldest event that was received and is not committed may leave the event hub; absent without"
        " EVENTHUB_RETENTION_HOURS, or while no event waits.",
        lambda row: row.time_to_loss_s,
    ),
    *(_reported(field) for field in Counters.__struct_fields__ if field != "latencies"),
)
