"""How long a lease may be trusted, and how often it is tried to renew it: pure functions of the settings.

A renewal that began at `t` and succeeded is good until `t + expiration − margin` on the monotonic clock. The database
counts the expiration from a time after `t`, so the owner's trust always ends first, however slow the reply was. Workers
stop themselves when it ends, and nobody can claim the partition before (docs/decisions/lease-clock.md).
"""

from shared.config.settings import EventHubSettings

RETRY_S = 1.0  # between tries to renew while the store is away; less with short leases
DRAIN_SHARE = 0.25  # of the trust window, the last part: the workers drain then, instead of hoping for a renewal


def trust_window_s(expiration_s: float) -> float:
    """How long after the start of a renewal the owner may trust it: the expiration less a margin of a tenth.

    The margin is at least the 2 s in which a worker whose loop is stuck is ended by its guard.
    """
    return expiration_s - max(2.0, expiration_s / 10)


def retry_s(settings: EventHubSettings) -> float:
    """Seconds between tries to renew: so few that two renewals may fail, each at once, before the drain begins."""
    longest_round_s = 1.1 * settings.load_balancing_interval  # with its jitter
    room_s = trust_window_s(settings.ownership_expiration) * (1 - DRAIN_SHARE) - longest_round_s
    return min(RETRY_S, room_s / 3)
