"""The publisher: a steady stream of events into every partition, each with a number of its own."""

from scripts.localcloud.hub.admin import HubAdmin

EVERY_S = 0.2  # between two batches
BODY_BYTES = 250
# The streaming SDK uploads rows as files from about 1 MB in a second on (measured with 1.9.1).
BURST_EVENTS, BURST_BODY_BYTES = 2_000, 1_000


class Load:
    """Publishes `per_s` events a second in turns; `published` is what the hub has of each partition."""

    def __init__(self, hub: HubAdmin, per_s: float) -> None:
        self._hub, self._per_s = hub, per_s
        self.published = dict.fromkeys(hub.facts().partitions, 0)
        self._began_s = self._due_s = 0.0
        self._steady = 0
        """Events of the stream in each partition, without bursts."""

    @property
    def total(self) -> int:
        """Events of all partitions."""
        return sum(self.published.values())

    def begin(self, now_s: float) -> None:
        """The stream begins."""
        self._began_s = self._due_s = now_s

    def turn(self, now_s: float) -> None:
        """Publish what is due."""
        if now_s < self._due_s:
            return
        self._due_s = now_s + EVERY_S
        due = int((now_s - self._began_s) * self._per_s / len(self.published)) - self._steady
        self._steady += due
        for partition in self.published:
            self._publish(partition, due)

    def burst(self, partition: str) -> None:
        """Publish so much at once that the rows of it go to Snowflake as files."""
        self._publish(partition, BURST_EVENTS, BURST_BODY_BYTES)

    def _publish(self, partition: str, count: int, body_bytes: int = BODY_BYTES) -> None:
        """The body's `n` is the sequence number that the event will get."""
        self._hub.seed(partition, count, body_bytes=body_bytes, first_n=self.published[partition])
        self.published[partition] += count
