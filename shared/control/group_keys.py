"""Rows that an older evsup wrote under the names of a group as somebody had typed them.

Azure ignores the case of these names, so two spellings would be two owners of each partition. Rows are kept under
`ConsumerGroup.key`; nothing starts beside rows of the group in another spelling, and `evsup init` moves them.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field

from shared.control.database import Database, Row, Run
from shared.errors import ConfigurationError, PartitionHeld
from shared.model import ConsumerGroup

OLDER_EXPIRATION_S = 60.0  # the default; rows of an older evsup do not say how long a lease lasts


@dataclass(frozen=True, slots=True)
class StoredPartition:
    """All rows of one partition, under whatever spelling of its group."""

    checkpoints: list[Row] = field(default_factory=list)
    ownerships: list[Row] = field(default_factory=list)

    def is_folded(self) -> bool:
        """Whether every row has the key of its group already."""
        return not any(map(_is_under_other_names, (*self.checkpoints, *self.ownerships)))

    def epoch(self) -> int:
        """The newest, which the next claim has to exceed."""
        return max(int(row["epoch"]) for row in (*self.checkpoints, *self.ownerships))

    def furthest(self) -> Row | None:
        """The checkpoint row to keep. Two spellings have written to one channel, and neither passed its token: of both
        positions the higher is true. Raises ConfigurationError when a person moved one of them to another channel.
        """
        if len({(row["channel_generation"], row["opened_generation"]) for row in self.checkpoints}) > 1:
            raise _two_channels(self.checkpoints)
        return max(self.checkpoints, key=_position, default=None)


def check(database: Database, group: ConsumerGroup) -> None:
    """Raise ConfigurationError when there are rows of the group in another spelling: they may have an owner."""
    with database.transaction("read") as run:
        rows = (*_rows(run, "all_ownerships", group), *_rows(run, "all_checkpoints", group))
    odd = {_shown(row) for row in rows if _is_under_other_names(row)}
    if odd:
        raise ConfigurationError(
            "The control tables hold this consumer group in another spelling",
            f"Azure takes {' and '.join(sorted(odd))} for the same as {group.key}, so a partition could have two"
            " owners",
            "Stop all supervisors and Azure SDK clients of the group, then run `evsup init`: it moves the rows.",
        )


def fold(run: Run, group: ConsumerGroup) -> None:
    """Move every row of the group to its key, within the transaction of `run`; nothing happens when all are there.

    Rows of other groups stay: whoever runs evsup for them may be at work, and has an `evsup init` of his own.

    Raises, before anything is changed, PartitionHeld while somebody works under another spelling, and
    ConfigurationError when two spellings contradict each other. May be repeated after it was cut off at any statement.
    """
    ownerships, supervisors = _rows(run, "all_ownerships", group), _rows(run, "all_supervisors", group)
    _refuse_live((*ownerships, *supervisors))
    partitions: dict[str, StoredPartition] = defaultdict(StoredPartition)
    for row in _rows(run, "all_checkpoints", group):
        partitions[row["partition_id"]].checkpoints.append(row)
    for row in ownerships:
        partitions[row["partition_id"]].ownerships.append(row)
    kept = {partition_id: rows.furthest() for partition_id, rows in partitions.items() if not rows.is_folded()}
    for partition_id, checkpoint in kept.items():
        _fold(run, group.key, partition_id, partitions[partition_id], checkpoint)
    for row in filter(_is_under_other_names, supervisors):
        run("retire", **asdict(_spelled(row)), owner_id=row["owner_id"])


def other_loads(database: Database, group: ConsumerGroup) -> list[tuple[str, str]]:
    """The names of the hub's other groups that have loaded events, with `target_columns` of their rows."""
    with database.transaction("read") as run:
        rows = [(_spelled(row), row["target_columns"]) for row in run("loads")]
    own = group.key
    return [(one.consumer_group, text) for one, text in rows if one.key.hub == own.hub and one.key != own]


def _rows(run: Run, query: str, group: ConsumerGroup) -> list[Row]:
    """The rows of the group in whatever spelling."""
    return [row for row in run(query) if _spelled(row).key == group.key]


def _fold(run: Run, key: ConsumerGroup, partition_id: str, rows: StoredPartition, kept: Row | None) -> None:
    """The ownership rows only go: the next claim makes one, with an epoch above the checkpoint's."""
    names = {"key_namespace": key.fully_qualified_namespace, "key_eventhub": key.eventhub_name}
    if kept is not None and _is_under_other_names(kept):
        run("drop_checkpoint", **asdict(key), partition_id=partition_id)
        run("copy_checkpoint", **_place(kept), **names, key_group=key.consumer_group)
    run("fence", **asdict(key), partition_id=partition_id, epoch=rows.epoch())
    for row in filter(_is_under_other_names, rows.checkpoints):
        run("drop_checkpoint", **_place(row))
    for row in filter(_is_under_other_names, rows.ownerships):
        run("drop_ownership", **_place(row))


def _refuse_live(rows: Iterable[Row]) -> None:
    for row in filter(_is_under_other_names, rows):
        if row["owner_id"] and abs(row["age_s"]) < (row["expiration_s"] or OLDER_EXPIRATION_S):
            raise PartitionHeld(
                f"The rows of {_shown(row)} cannot be moved to {_spelled(row).key}",
                f"{row['owner_id']} works with them, and was seen {row['age_s']:.0f} s ago",
                "Stop all supervisors and Azure SDK clients of the group, then run `evsup init` again.",
            )


def _two_channels(rows: Sequence[Row]) -> ConfigurationError:
    rows_shown = [
        f"{_shown(row)} is at {row['sequence_number']} in channel generation {row['channel_generation']}"
        for row in rows
    ]
    return ConfigurationError(
        f"The checkpoint of partition {rows[0]['partition_id']} is there in two spellings that contradict each other",
        "; ".join(rows_shown),
        "Delete the row in evsup_checkpoint that is not meant, then run `evsup init` again.",
    )


def _position(row: Row) -> tuple[int, int]:
    """How far a row is; without an event in the table, where its group began."""
    reached, begun = (-1 if row[name] is None else int(row[name]) for name in ("sequence_number", "begins_after"))
    return reached, begun


def _spelled(row: Row) -> ConsumerGroup:
    return ConsumerGroup(row["fully_qualified_namespace"], row["eventhub_name"], row["consumer_group"])


def _is_under_other_names(row: Row) -> bool:
    return _spelled(row) != _spelled(row).key


def _place(row: Row) -> dict[str, str]:
    return asdict(_spelled(row)) | {"partition_id": row["partition_id"]}


def _shown(row: Row) -> str:
    return str(_spelled(row))
