"""The values that the control store gives and takes.

Their bounds are asked of rows that come from a database (`shared.store.stored`).
"""

from dataclasses import dataclass
from typing import Annotated, TypeAlias

from msgspec import Meta

Count: TypeAlias = Annotated[int, Meta(ge=0, le=2**62)]  # room above, for databases count in 64 bits
# Seconds since an epoch or an event, by the database's clock; one that was set back makes young rows seem not written
# yet, but not by more than a day.
Seconds: TypeAlias = Annotated[float, Meta(ge=-86_400, le=1e11)]


@dataclass(frozen=True, slots=True)
class ConsumerGroup:
    """What a set of partitions is owned for: with the partition id, the key of every control table."""

    fully_qualified_namespace: str
    eventhub_name: str
    consumer_group: str


@dataclass(frozen=True, slots=True)
class Ownership:
    """A row of `evsup_ownership`, as the database's clock sees it."""

    partition_id: str
    owner_id: str
    """Empty when the partition was released."""
    etag: str
    epoch: Count
    """Grows by one at every change of owner, never shrinks: the receiver's owner level and the checkpoint's fence."""
    last_modified_s: Seconds
    """Unix time of the last claim or renewal."""
    age_s: Seconds
    """Seconds since then, counted by the database when the row was read."""


@dataclass(frozen=True, slots=True)
class Term:
    """A partition held: what a successful claim gives. Trust in it ends at the owner's own `trusted_until`."""

    partition_id: str
    owner_id: str
    epoch: Count


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A row of `evsup_checkpoint`: everything up to `sequence_number` is durable in Snowflake."""

    partition_id: str
    sequence_number: Count | None
    """None: the partition has been claimed, but nothing was ever checkpointed."""
    offset: str | None
    """Opaque, never parsed: with geo-replication it is not a number
    (https://learn.microsoft.com/azure/event-hubs/geo-replication)."""
    epoch: Count
    """The writer's; a row with a newer one refuses the write."""
    rows_error_count: Count = 0
    """The channel's cumulative count of rejected rows when this checkpoint was written."""
    hub_created_at_s: Seconds | None = None
    """Unix time the hub was created: another one means another hub behind the same name."""
    updated_at_s: Seconds | None = None
    """Unix time of the write by the database's clock; None in a checkpoint that is still to be written."""
    channel_generation: Count = 0
    """Which of the partition's channels is written to; a person who moves the checkpoint begins the next one."""
    opened_generation: Count = 0
    """The one that a worker opened last: behind `channel_generation` until a worker has begun that."""
    begins_after: Count | None = None
    """Sequence number after which the channel's rows begin; None: at the oldest event there was."""
    enqueued_at_s: Seconds | None = None
    """Unix time at which the hub took the event of `sequence_number`, by its own clock; None: not known."""

    @property
    def begins_channel(self) -> bool:
        """Whether no worker has begun the channel: it has no token yet, and that contradicts nothing."""
        return self.opened_generation < self.channel_generation


@dataclass(frozen=True, slots=True)
class SupervisorRow:
    """A row of `evsup_supervisor`: the heartbeat of one running supervisor."""

    owner_id: str
    host: str
    pid: Count
    capacity: Count | None
    """Most partitions it takes; None: no limit."""
    version: str
    age_s: Seconds = 0.0
    """Seconds since its last heartbeat, counted by the database."""
