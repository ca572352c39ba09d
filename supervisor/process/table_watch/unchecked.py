"""The events whose rows may lack a value: those loaded since the target table was last seen to have its columns."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from shared.errors import RowsDoNotFit
from shared.log.logger import get_logger
from shared.model import Checkpoint, Term, by_number
from supervisor.process.child import Child

NAMED = 3  # ranges of events that a message names; the log has all of them

EventRange: TypeAlias = tuple[str, int, int]
"""Partition, first and last sequence number."""

log = get_logger()


@dataclass(slots=True)
class _Loaded:
    """How far the events of one term are loaded, and how far a check of the table has covered that."""

    term: Term
    checked: int
    """The last event that was durable before a check that found the table right."""
    durable: int
    appended: int

    @property
    def is_covered(self) -> bool:
        """Whether a check has covered all that was appended."""
        return self.appended <= self.checked


class UncheckedEvents:
    """Of all partitions of a tree, the events that no check has covered yet."""

    def __init__(self) -> None:
        self._loaded: dict[str, _Loaded] = {}
        """By the present term of each partition."""
        self._earlier: list[tuple[str, _Loaded]] = []
        """By earlier terms, with their partition, until a check covers them."""
        self._durable_when_asked: Sequence[tuple[_Loaded, int]] = ()

    def follow(self, children: Mapping[str, Child]) -> None:
        """Note how far each partition is."""
        for partition, child in children.items():
            if (seen := _loaded_by(child)) is not None:
                known = self._loaded.get(partition)
                if known is None or known.term is not seen.term:
                    self._begin(partition, seen)
                else:
                    known.durable = max(known.durable, seen.durable)
                    known.appended = max(known.appended, seen.appended)

    def _begin(self, partition: str, first: _Loaded) -> None:
        """Keep the former term apart: `evsup checkpoints` may have moved the partition, and its epochs, back."""
        if (before := self._loaded.get(partition)) and not before.is_covered:
            # What the former term appended is committed or lost for good once the next one has opened the channel. So a
            # check that is requested from now on covers it.
            before.durable = before.appended
            self._earlier.append((partition, before))
        self._loaded[partition] = first

    def begin_check(self) -> None:
        """A check is about to be requested. Rows that become durable later may be loaded after the table was read."""
        self._durable_when_asked = [(one, one.durable) for _, one in self._all()]

    def pass_check(self) -> dict[str, int]:
        """The table was right: rows that were durable when the check was requested lack nothing.

        Returns by partition up to which event that is so.
        """
        for one, durable in self._durable_when_asked:
            one.checked = max(one.checked, durable)
        self._earlier = [(partition, one) for partition, one in self._earlier if not one.is_covered]
        return {partition: one.checked for partition, one in self._loaded.items()}

    def ranges(self) -> list[EventRange]:
        """The events that were loaded since the last check that passed."""
        return [(partition, one.checked + 1, one.appended) for partition, one in self._all() if not one.is_covered]

    def _all(self) -> list[tuple[str, _Loaded]]:
        return [*self._earlier, *self._loaded.items()]


def unchecked(checkpoints: Iterable[Checkpoint]) -> Iterator[EventRange]:
    """The events that were loaded since the last check that passed, as the control store knows them."""
    for one in checkpoints:
        checked, last = one.checked_up_to, one.sequence_number
        if checked is not None and last is not None and checked < last:
            yield one.partition_id, checked + 1, last


def with_ranges(error: RowsDoNotFit, ranges: Sequence[EventRange]) -> RowsDoNotFit:
    """The error with the events whose rows may lack a value."""
    log.error("rows_do_not_fit", reason=error.why, fix=error.fix, ranges=ranges)
    if not ranges:
        return RowsDoNotFit(error.what, f"{error.why}; no event was loaded since the last check that passed", error.fix)
    since = "; ".join(f"events {first} to {last} of partition {name}" for name, first, last in _few(ranges))
    again = ", ".join(f"`evsup replay --partition {name} --from {a} --to {b}`" for name, a, b in _few(ranges))
    more = f", and more ranges ({len(ranges)} in all; the log has them)" if len(ranges) > NAMED else ""
    return RowsDoNotFit(
        error.what,
        f"{error.why}; this concerns what was loaded since the last check: {since}{more}",
        f"{error.fix} Then {again}{more}: docs/target-table.md#rows-that-lack-a-column says how to go on.",
    )


def _loaded_by(child: Child) -> _Loaded | None:
    """How far a worker is; None before it has appended anything, or is known to resume anywhere."""
    counters, opened = child.status.counters, child.opened
    if opened is None or counters.appended is None:
        return None
    begun = counters.appended - counters.rows_total if opened.resumed_after is None else opened.resumed_after
    # An earlier owner may have ended before anybody saw whether the table still had what its last rows need.
    checked = begun if opened.checked_up_to is None else min(begun, opened.checked_up_to)
    # A worker that has drained says where it ended in `Drained` only: its last status may be a second older.
    drained = -1 if child.drained is None or child.drained.checkpointed is None else child.drained.checkpointed
    durable = max(begun if counters.durable is None else counters.durable, drained)
    return _Loaded(child.term, checked, durable, max(counters.appended, drained))


def _few(ranges: Sequence[EventRange]) -> Sequence[EventRange]:
    return sorted(ranges, key=lambda one: (by_number(one[0]), one))[:NAMED]
