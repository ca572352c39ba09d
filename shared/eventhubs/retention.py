"""How long an event that is not in the table yet stays in the hub.

A receiver cannot ask Event Hubs for its retention: the management node has numbers, offsets and times of events only. A
second receiver in the group, to see how old the oldest event is, would be refused beside a worker. So retention is a
setting. An event may leave the hub as soon as its retention has passed.
https://learn.microsoft.com/azure/event-hubs/event-hubs-features#event-retention
"""

from datetime import datetime, timedelta


def time_to_loss_s(enqueued: datetime | None, retention_hours: int | None, now: datetime) -> float | None:
    """Seconds until an event may leave the hub, 0 when it may be gone; None: no such event, or retention not known."""
    if enqueued is None or retention_hours is None:
        return None
    left = enqueued - now + timedelta(hours=retention_hours)  # in this order: a time of the year 9999 has no later one
    return round(max(0.0, left.total_seconds()), 1)
