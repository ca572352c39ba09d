"""Statuses of trees and workers, as a healthy tree would tell them."""

from typing import Any

from supervisor.status.model import PartitionStatus, TreeStatus

NOW_S = 1000.0


def a_partition(partition: str = "0", **changes: Any) -> PartitionStatus:
    """A worker that runs, with `changes`."""
    facts: dict[str, Any] = {
        "partition": partition,
        "state": "running",
        "pid": 11,
        "epoch": 3,
        "channel": f"evsup_flights_{partition}",
        "received": 40,
        "appended": 30,
        "durable": 20,
        "checkpointed": 10,
        "lag": 25,
        "time_to_loss_s": 80_000.0,
        "waits_for": None,
        "rows_per_s": 7.0,
        "rows_total": 31,
        "quarantined_total": 3,
        "decode_errors_total": 2,
        "bytes_total": 3100,
        "rows_inflight": 10,
        "bytes_inflight": 1000,
        "duplicates_total": 2,
        "rss_bytes": 100_000_000,
        "report_age_s": 0.5,
        "lag_s": 6.5,
        "lag_age_s": 1.0,
        "row_age_s": 8.0,
        "commit_age_s": 2.0,
        "commit_wait_s": 2.0,
        "snowflake_latency_s": 0.4,
        "event_age_s": 0.7,
        "frame_age_s": 0.7,
        "reported_at_s": NOW_S - 0.5,
        "lease_s": 45.0,
    }
    return PartitionStatus(**facts | changes)


def a_tree(*partitions: PartitionStatus, **changes: Any) -> TreeStatus:
    """A tree that runs with these workers, described just now, with `changes`."""
    facts: dict[str, Any] = {
        "state": "running",
        "healthy": True,
        "host": "host",
        "pid": 10,
        "owner_id": "host-10-abc",
        "evsup": "1.2.3",
        "uptime_s": 60.0,
        "source": "ns.servicebus.windows.net/flights",
        "consumer_group": "$Default",
        "target": "account/EVENTS.PUBLIC.FLIGHTS through FLIGHTS-STREAMING",
        "store": "sqlite",
        "partitions_total": 4,
        "partitions": partitions,
        "rss_bytes": 55_000_000,
        "described_at_s": NOW_S,
    }
    return TreeStatus(**facts | changes)
