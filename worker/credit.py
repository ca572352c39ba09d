"""How many events a link may send ahead, so that what waits in the SDK is bounded in bytes.

AMQP counts a receiver's credit in events, and an event may be anything from 1 byte to 1 MB: a thousand of them are
half a megabyte or a gigabyte. So a link begins as if all events were of the largest size, and is given up for one with
more or less credit when a batch has shown what they are. The SDK takes credit for a link's whole life.
https://learn.microsoft.com/azure/event-hubs/event-hubs-amqp-protocol-guide#amqp-transfers-and-link-credit
"""

HELD_BYTES = 4 * 1024 * 1024
# https://learn.microsoft.com/azure/event-hubs/event-hubs-quotas
LARGEST_EVENT_BYTES = 1024 * 1024
# A new link costs a round of handshakes: it has to be worth it, and large events are not forgotten at the first small
# ones after them.
LESS, MORE = 2, 4
REMEMBERED = 0.95  # of the largest mean, from one batch to the next


class Credit:
    """The credit of one link after another. Knows no SDK: a batch is a number of events and their bytes."""

    def __init__(self, most_events: int) -> None:
        self._most_events = most_events
        self._event_bytes = float(LARGEST_EVENT_BYTES)
        self._is_guess = True
        self.events = self._fitting
        """Of the present link."""

    def see(self, events: int, size_bytes: int) -> None:
        """A batch came. It says something when it used up the credit, or is larger than it should be."""
        if events < self.events and size_bytes <= HELD_BYTES:
            return
        before = 0.0 if self._is_guess else self._event_bytes * REMEMBERED
        self._event_bytes, self._is_guess = max(size_bytes / events, before), False

    @property
    def is_wrong(self) -> bool:
        """Whether a link with another credit is worth its opening."""
        return self._fitting * LESS <= self.events or self._fitting >= self.events * MORE

    def renew(self) -> int:
        """The credit of the next link."""
        self.events = self._fitting
        return self.events

    @property
    def _fitting(self) -> int:
        return max(1, min(self._most_events, int(HELD_BYTES / self._event_bytes)))
