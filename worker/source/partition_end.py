"""Where a partition ends, asked of the hub when a link has been silent: a link may live and deliver nothing, for ever.

Heartbeats come on such a link, and nothing looks wrong; the SDKs of other languages have had it, too. But no event may
be there: log compaction deletes a tombstone in the end, also where it was the last event of its partition.
https://github.com/Azure/azure-sdk-for-python/issues/42332
https://github.com/Azure/azure-sdk-for-python/issues/35948
https://learn.microsoft.com/azure/event-hubs/log-compaction
"""

import threading
from collections.abc import Callable

from shared.errors import SourceUnavailable
from shared.log.logger import get_logger
from shared.model import LastEnqueued, PartitionFacts

QUIET_S = 60.0
PATIENCE_S = 5.0  # for what was enqueued just before the hub answered

log = get_logger()


class PartitionEnd:
    """Asks once a minute for as long as nothing comes. `ask` may block; it runs on a thread of its own.

    `missing` is the last number of the partition if a link before has waited for it in vain: that is done once.
    """

    def __init__(self, partition_id: str, ask: Callable[[], PartitionFacts], missing: int | None = None) -> None:
        self._partition_id, self._ask, self._missing = partition_id, ask, missing
        self.awaited: int | None = None
        """The last number of the partition, while there is more than was received."""
        self._quiet_s: float | None = None
        self._asked_s: float | None = None
        self._ahead_s: float | None = None
        """Since when it is known that there is more than was received."""
        self._answer: PartitionFacts | None = None

    def restart(self, now_s: float) -> None:
        """Begin to wait anew: events came, or none could come."""
        self._quiet_s = self._asked_s = now_s
        self._ahead_s = self._answer = self.awaited = None

    def look(self, now_s: float, received: int | None) -> LastEnqueued | None:
        """The last event of the partition, when the hub has just said which it is.

        `received` is the last one that came; None: what comes next cannot be known. Raises `SourceUnavailable` when the
        partition goes on after it and still nothing comes.
        """
        if self._quiet_s is None or self._asked_s is None:
            self.restart(now_s)
            return None
        if self._ahead_s is not None and now_s - self._ahead_s > PATIENCE_S:
            raise SourceUnavailable(
                f"The link of partition {self._partition_id} delivers nothing",
                f"no event came for {now_s - self._quiet_s:.0f} s, although the partition has more events",
                "Nothing is lost; it is opened again.",
            )
        if now_s - self._asked_s > QUIET_S:
            self._asked_s = now_s
            threading.Thread(target=self._find, name=f"end-of-{self._partition_id}", daemon=True).start()
        answer, self._answer = self._answer, None
        if answer is None:
            return None
        has_more = received is not None and answer.last > received and answer.last != self._missing
        # From an empty partition nothing can come, however far its numbers go: its events have left retention.
        if answer.is_empty:
            return None if has_more or received is None else answer.last_enqueued
        if has_more and self._ahead_s is None:
            self._ahead_s, self.awaited = now_s, answer.last
        return answer.last_enqueued

    def _find(self) -> None:
        try:
            self._answer = self._ask()
        except Exception as error:  # noqa: BLE001 (it is asked again in a minute, and a hub that is away ends the link)
            log.debug("partition_end_unknown", reason=str(error))
