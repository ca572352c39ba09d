"""How many events a receiver may have on their way, so that what waits in the SDK is bounded in bytes.

AMQP counts a receiver's credit in events, and an event may be anything from 1 byte to 20 MB: a thousand of them are
half a megabyte or twenty gigabytes. So a worker begins as if all events were of the largest size that any tier has, and
halves that with each batch that shows other sizes. How large events may be in this hub is not known: Event Hubs tells
it to publishers alone.

It goes by the mean size of a batch, so what is bounded is what a stream of such batches holds. Not bounded are large
events that come close together after many small ones: so many of them may be on their way as the small ones were
granted, until the first batch with them is seen.
https://learn.microsoft.com/azure/service-bus-messaging/service-bus-amqp-protocol-guide#flow-control
"""

HELD_BYTES = 4 * 1024 * 1024
# https://learn.microsoft.com/azure/event-hubs/event-hubs-quotas
LARGEST_EVENT_BYTES = 20 * 1024 * 1024  # Dedicated; Standard and Premium: 1 MB
REMEMBERED = 0.9  # of the largest mean, from one batch to the next: small events make large ones forgotten slowly


class Credit:
    """The credit of a partition. Knows no SDK: a batch is a number of events and their bytes."""

    def __init__(self, most_events: int) -> None:
        self._most_events = most_events
        self._assumed_bytes, self._seen_bytes = float(LARGEST_EVENT_BYTES), 0.0

    def see(self, events: int, size_bytes: int) -> None:
        """A batch came."""
        self._assumed_bytes /= 2
        self._seen_bytes = max(size_bytes / events, self._seen_bytes * REMEMBERED)

    @property
    def events(self) -> int:
        """How many may be on their way now."""
        return max(1, min(self._most_events, int(HELD_BYTES / max(self._assumed_bytes, self._seen_bytes))))
