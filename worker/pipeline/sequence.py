"""Every event once and in order: which events of a batch are new.

Event Hubs numbers the events of a partition without gaps. After a reconnect the SDK delivers what it had buffered a
second time, out of order within one batch (`[5, 6, 5, 6]`): it never clears its buffer.
https://github.com/Azure/azure-sdk-for-python/blob/main/sdk/eventhub/azure-eventhub/azure/eventhub/_consumer.py
"""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.errors import MissingSequenceNumber


@dataclass(frozen=True, slots=True)
class Gap:
    """Sequence numbers `first` to `last` never came."""

    first: int
    last: int

    @property
    def count(self) -> int:
        """How many events are missing."""
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class Admission:
    """Which events of a batch are new."""

    fresh: Sequence[int]
    """Their indexes in the batch, in order."""
    high: int | None
    """The highest sequence number received so far, this batch included."""
    gaps: tuple[Gap, ...] = ()


def admit(high: int | None, numbers: Sequence[int | None]) -> Admission:
    """Tell the new sequence numbers of a batch from the redelivered ones (at or below `high`), and find the gaps.

    `high` is None before the first event of a fresh partition, which may have any number. Raises
    `MissingSequenceNumber` when an event has none: without it there is no token, and no proof that nothing is missing.
    """
    # Nearly every batch is this one, and it needs no pass over its events.
    if high is not None and numbers and numbers[0] == high + 1 and _is_run(numbers):
        return Admission(range(len(numbers)), numbers[-1])
    fresh: list[int] = []
    gaps: list[Gap] = []
    for index, number in enumerate(numbers):
        if number is None:
            raise MissingSequenceNumber(
                f"An event after sequence number {high} has no sequence number",
                "the annotation x-opt-sequence-number is missing",
                "The source is not Event Hubs, or a proxy removes annotations. Without the number evsup cannot prove"
                " that no event is missing or repeated.",
            )
        if high is not None and number <= high:
            continue
        if high is not None and number > high + 1:
            gaps.append(Gap(high + 1, number - 1))
        fresh.append(index)
        high = number
    return Admission(fresh, high, tuple(gaps))


def _is_run(numbers: Sequence[int | None]) -> bool:
    first = numbers[0]
    return first is not None and list(numbers) == list(range(first, first + len(numbers)))
