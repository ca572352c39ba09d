"""The proof: what was published against what the table holds, event by event."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from scripts.demo.flights import Flight
from scripts.demo.table import FULL_NAME, Table

PER_PARTITION = f"""
    SELECT PARTITION_ID, count(*), count(DISTINCT SEQUENCE_NUMBER), min(SEQUENCE_NUMBER), max(SEQUENCE_NUMBER)
    FROM {FULL_NAME} GROUP BY PARTITION_ID
"""  # noqa: S608 (a constant)
BODIES = f"SELECT PAYLOAD, PARTITION_KEY FROM {FULL_NAME}"  # noqa: S608


@dataclass(frozen=True)
class PartitionProof:
    """One partition: events that Event Hubs took, and the rows of it. `first` and `last` are sequence numbers."""

    partition: str
    published: int
    rows: int = 0
    distinct: int = 0
    first: int | None = None
    last: int | None = None

    @property
    def gaps(self) -> int:
        """Sequence numbers missing between the first and the last."""
        return 0 if self.first is None or self.last is None else self.last - self.first + 1 - self.distinct

    @property
    def missing(self) -> int:
        """Published events without a row, at either end or between."""
        return self.published - self.distinct

    @property
    def duplicates(self) -> int:
        """Rows too many."""
        return self.rows - self.distinct

    @property
    def holds(self) -> bool:
        """Whether each event is there once: sequence numbers 0 to `published` - 1."""
        whole = (self.first, self.last) == (0, self.published - 1) if self.published else self.rows == 0
        return whole and not (self.gaps or self.missing or self.duplicates)


@dataclass(frozen=True)
class ContentProof:
    """The bodies: how many flights have no row, more than one, or a row that says something else."""

    missing: int
    repeated: int
    altered: int

    @property
    def holds(self) -> bool:
        """Whether each body is there once, as it was sent."""
        return not (self.missing or self.repeated or self.altered)


@dataclass(frozen=True)
class Proof:
    """Numbers and contents together; `sent` is what the publisher saw confirmed."""

    sent: int
    partitions: tuple[PartitionProof, ...]
    contents: ContentProof

    @property
    def rows(self) -> int:
        """Rows of all partitions."""
        return sum(one.rows for one in self.partitions)

    @property
    def missing(self) -> int:
        """Events without a row, by number or by content, whichever tells more."""
        return max(sum(one.missing for one in self.partitions), self.contents.missing)

    @property
    def duplicates(self) -> int:
        """Rows too many, by number or by content, whichever tells more."""
        return max(sum(one.duplicates for one in self.partitions), self.contents.repeated)

    @property
    def holds(self) -> bool:
        """Whether every event that was sent is in the table once, and nothing else is."""
        counted = self.sent == sum(one.published for one in self.partitions) == self.rows
        return counted and self.contents.holds and all(one.holds for one in self.partitions)


def prove(table: Table, sent: Sequence[Flight], published: Mapping[str, int]) -> Proof:
    """Read the table and compare; `published` is per partition, as Event Hubs says."""
    found = {partition: facts for partition, *facts in table.query(PER_PARTITION)}
    partitions = tuple(
        PartitionProof(partition, published.get(partition, 0), *found.get(partition, ()))
        for partition in sorted({*published, *found}, key=lambda name: (len(name), name))
    )
    return Proof(len(sent), partitions, compare(sent, table.query(BODIES)))


def compare(sent: Sequence[Flight], rows: Sequence[tuple[str | None, str | None]]) -> ContentProof:
    """Compare the flights with (payload, partition key) of the rows, value for value."""
    expected = {flight.n: (msgspec.to_builtins(flight), flight.route) for flight in sent}
    found = [(_object(payload), key) for payload, key in rows]
    numbers = Counter(body.get("n") for body, _ in found)
    return ContentProof(
        missing=len(expected.keys() - numbers.keys()),
        repeated=sum(count - 1 for count in numbers.values()),
        altered=sum(expected.get(body.get("n", 0)) != (body, key) for body, key in found),
    )


def _object(payload: str | None) -> dict[str, Any]:
    """The payload; anything but a JSON object counts as an empty one."""
    try:
        return msgspec.json.decode(payload or "", type=dict[str, Any])
    except msgspec.MsgspecError:
        return {}
