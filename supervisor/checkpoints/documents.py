"""Checkpoints as JSON: the rows of `evsup checkpoints list`, and the document of `export` and `import`."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import msgspec

from shared.errors import DataRefused
from shared.model import Checkpoint, ConsumerGroup, Seconds, lag
from supervisor.checkpoints.move import Destination

VERSION = 2  # version 1 had no enqueued times

_SequenceNumber = Annotated[int, msgspec.Meta(ge=0)]


class ListedCheckpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One partition of `evsup checkpoints list`."""

    partition: str
    sequence_number: int | None
    """All events up to it are in the table; None: nothing was checkpointed."""
    offset: str | None
    epoch: int
    generation: int
    owner_id: str | None
    """The owner with a live lease."""
    age_s: float | None
    """Seconds since it was written, by the clock of the control store."""
    lag: int
    """Events in the partition after the checkpoint."""


@dataclass(frozen=True, slots=True)
class ImportedCheckpoints:
    """Checkpoints by partition, and the format in which they were stored."""

    layout: str
    destinations: Mapping[str, Destination]


def list_row(checkpoint: Checkpoint, owner_id: str | None, last: int) -> ListedCheckpoint:
    """A row of the list. `last` is the partition's last sequence number."""
    age_s = checkpoint.age_s
    return ListedCheckpoint(
        partition=checkpoint.partition_id,
        sequence_number=checkpoint.sequence_number,
        offset=checkpoint.offset,
        epoch=checkpoint.epoch,
        generation=checkpoint.channel_generation,
        owner_id=owner_id,
        age_s=None if age_s is None else round(max(0.0, age_s), 1),
        lag=lag(last, checkpoint.durable_up_to),
    )


def encode(group: ConsumerGroup, checkpoints: Sequence[Checkpoint]) -> str:
    """The JSON document. Partitions that begin with their oldest event are left out."""
    positions = {
        row.partition_id: {
            "sequence_number": row.durable_up_to,
            "offset": row.offset,
            "enqueued_at_s": row.enqueued_at_s,
        }
        for row in checkpoints
        if row.durable_up_to is not None
    }
    document = {"version": VERSION, **asdict(group), "checkpoints": positions}
    return msgspec.json.format(msgspec.json.encode(document)).decode()


def decode(text: bytes, group: ConsumerGroup, name: str) -> ImportedCheckpoints:
    """The checkpoints of a file: an exported document, or a legacy object of sequence numbers by partition.

    Raises `DataRefused` when it is neither, or belongs to another hub.
    """
    try:
        document = msgspec.json.decode(text)
        if not isinstance(document, dict):
            raise msgspec.ValidationError("it is not a JSON object")
        return _exported(document, group, name) if "checkpoints" in document else _legacy(document)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        fix = 'Give a file that `evsup checkpoints export` wrote, or {"partition": sequence number, …}.'
        raise DataRefused(f"{name} holds no checkpoints", str(error), fix) from error


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sequence_number: _SequenceNumber
    offset: str | None = None
    enqueued_at_s: Seconds | None = None


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    fully_qualified_namespace: str
    eventhub_name: str
    consumer_group: str
    checkpoints: dict[str, _Entry]


def _exported(document: dict[str, Any], group: ConsumerGroup, name: str) -> ImportedCheckpoints:
    read = msgspec.convert(document, _Document)
    if read.version not in range(1, VERSION + 1):
        why = f"it has version {read.version}, this evsup reads versions 1 to {VERSION}"
        raise DataRefused(f"{name} cannot be read", why, "Import it with the evsup that wrote it, or upgrade this one.")
    theirs = ConsumerGroup(read.fully_qualified_namespace, read.eventhub_name, read.consumer_group)
    # By their keys, because Azure ignores case. The group may be another one: its numbers mean the same.
    if theirs.key.hub != group.key.hub:
        fix = "Sequence numbers of one hub mean nothing in another."
        raise DataRefused(
            f"{name} belongs to another hub", f"it is of {theirs.hub}, the settings name {group.hub}", fix
        )
    destinations = {each: Destination(*msgspec.structs.astuple(entry)) for each, entry in read.checkpoints.items()}
    return ImportedCheckpoints(f"evsup export, version {read.version}", destinations)


def _legacy(document: dict[str, Any]) -> ImportedCheckpoints:
    numbers = msgspec.convert(document, dict[str, _SequenceNumber])
    destinations = {partition: Destination(number) for partition, number in numbers.items()}
    return ImportedCheckpoints("legacy: bare sequence numbers", destinations)
