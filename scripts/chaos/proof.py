"""What the table holds against what was published: one statement, one row a partition."""

from collections.abc import Mapping
from dataclasses import dataclass

from scripts.chaos.broken import InvariantBroken
from scripts.chaos.scene import Scene
from scripts.localcloud.cloud import DATABASE, SCHEMA, TABLE

# `n` is counted by the publisher: a row whose body is another event's shows.
HELD = f"""
    SELECT PARTITION_ID, count(*), count(DISTINCT SEQUENCE_NUMBER), min(SEQUENCE_NUMBER), max(SEQUENCE_NUMBER),
        count(*) FILTER (PAYLOAD->>'n' <> SEQUENCE_NUMBER OR PAYLOAD->>'partition' <> PARTITION_ID)
    FROM {DATABASE}.{SCHEMA}.{TABLE} GROUP BY PARTITION_ID ORDER BY PARTITION_ID
"""  # noqa: S608 (constants)


@dataclass(frozen=True)
class PartitionProof:
    """One partition: events published, and the rows of it."""

    partition: str
    published: int
    rows: int = 0
    distinct: int = 0
    first: int | None = None
    last: int | None = None
    strange: int = 0
    """Rows with the body of another event."""

    def require(self) -> None:
        """I1 and I2: min = 0, max − min + 1 = count = distinct = published."""
        if self.rows != self.distinct or self.strange:
            raise InvariantBroken("I2", str(self))
        whole = (self.published, 0, self.published - 1)
        if (self.distinct, self.first, self.last) != whole:
            raise InvariantBroken("I1", str(self))


def prove(scene: Scene, published: Mapping[str, int]) -> list[PartitionProof]:
    """Ask the table once and judge every partition."""
    held = {partition: facts for partition, *facts in scene.snow.query(HELD)}
    proofs = [PartitionProof(partition, count, *held.get(partition, ())) for partition, count in published.items()]
    for proof in proofs:
        proof.require()
    return proofs
