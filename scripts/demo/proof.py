"""The proof: what was published against what the table holds, event by event."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from scripts.demo.flights import Flight
from scripts.harness.table import PartitionCount, count, relation
from scripts.localcloud.snow.admin import SnowAdmin
from shared.model import by_number


@dataclass(frozen=True)
class PartitionProof:
    """One partition: how many events Event Hubs took, and the rows of them."""

    partition: str
    published: int
    held: PartitionCount

    @property
    def missing(self) -> int:
        """Published events without a row, at either end or between."""
        return self.published - self.held.distinct

    @property
    def holds(self) -> bool:
        """Whether each event is there once."""
        return self.held.is_whole(self.published)


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
        return sum(one.held.rows for one in self.partitions)

    @property
    def missing(self) -> int:
        """Events without a row, by number or by content, whichever is more."""
        return max(sum(one.missing for one in self.partitions), self.contents.missing)

    @property
    def duplicates(self) -> int:
        """Rows too many, by number or by content, whichever is more."""
        return max(sum(one.held.duplicates for one in self.partitions), self.contents.repeated)

    @property
    def holds(self) -> bool:
        """Whether every event that was sent is in the table once, and nothing else is."""
        counted = self.sent == sum(one.published for one in self.partitions) == self.rows
        return counted and self.contents.holds and all(one.holds for one in self.partitions)


def prove(snow: SnowAdmin, sent: Sequence[Flight], published: Mapping[str, int], columns: Sequence[str] = ()) -> Proof:
    """Read the table, where keys may have columns, and compare; `published` is per partition, as Event Hubs says."""
    table = relation(columns)
    held, bodies = count(snow, table=table), snow.query(f"SELECT PAYLOAD, PARTITION_KEY FROM {table}")  # noqa: S608
    partitions = tuple(
        PartitionProof(partition, published.get(partition, 0), held.get(partition, PartitionCount()))
        for partition in sorted({*published, *held}, key=by_number)
    )
    return Proof(len(sent), partitions, compare(sent, bodies))


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
