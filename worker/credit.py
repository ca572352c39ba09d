"""How many events a receiver may have on their way, so that what waits in the SDK is bounded in bytes.

AMQP counts a receiver's credit in events, and an event may be anything from 1 byte to 1 MB: a thousand of them are
half a megabyte or a gigabyte. So a worker begins as if all events were of the largest size, and every batch corrects
that.
https://learn.microsoft.com/azure/event-hubs/event-hubs-amqp-protocol-guide#amqp-transfers-and-link-credit
"""

HELD_BYTES = 4 * 1024 * 1024
# https://learn.microsoft.com/azure/event-hubs/event-hubs-quotas
LARGEST_EVENT_BYTES = 1024 * 1024
REMEMBERED = 0.9  # of the largest mean, from one batch to the next: small events make large ones forgotten slowly


class Credit:
    """The credit of a partition. Knows no SDK: a batch is a number of events and their bytes."""

    def __init__(self, most_events: int) -> None:
        self._most_events = most_events
        self._event_bytes = float(LARGEST_EVENT_BYTES)

    def see(self, events: int, size_bytes: int) -> None:
        """A batch came."""
        self._event_bytes = max(size_bytes / events, self._event_bytes * REMEMBERED)

    @property
    def events(self) -> int:
        """How many may be on their way now."""
        return max(1, min(self._most_events, int(HELD_BYTES / self._event_bytes)))
