"""The publisher: a steady stream of events into every partition, numbered so that each can be told from the others."""

from scripts.localcloud.hub.admin import HubAdmin

EVERY_S = 0.2  # between two handfuls


class Load:
    """Publishes `per_s` events a second in turns; `published` is what the hub has of each partition."""

    def __init__(self, hub: HubAdmin, per_s: float, now_s: float) -> None:
        self._hub, self._per_s, self._began_s = hub, per_s, now_s
        self.published = dict.fromkeys(hub.facts().partitions, 0)
        self._due_s = now_s

    @property
    def total(self) -> int:
        """Events of all partitions."""
        return sum(self.published.values())

    def turn(self, now_s: float) -> None:
        """Publish what is due; the body's `n` is the sequence number that the event will get."""
        if now_s < self._due_s:
            return
        self._due_s = now_s + EVERY_S
        each = int((now_s - self._began_s) * self._per_s / len(self.published))
        for partition, count in self.published.items():
            if each > count:
                self._hub.seed(partition, each - count, first_n=count)
                self.published[partition] = each
