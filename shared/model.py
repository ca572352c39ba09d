"""The values that the control store gives and takes.

Rows that come from a database are checked against these bounds (`shared.control.rows`).
"""

import re
from dataclasses import dataclass, field
from typing import Annotated, TypeAlias

from msgspec import Meta

MOST = 2**62  # room above, for databases count in 64 bits
Count: TypeAlias = Annotated[int, Meta(ge=0, le=MOST)]
Seconds: TypeAlias = Annotated[float, Meta(ge=-86_400, le=1e11)]  # since the Unix epoch
# Since the row was written, by the database's clock. A clock that was set back makes the row seem not written yet.
Age: TypeAlias = Annotated[float, Meta(ge=-1e11, le=1e11)]
Expiration: TypeAlias = Annotated[float, Meta(gt=0, le=1e11)]

OLDEST, LATEST = "-1", "@latest"  # Event Hubs' names for the positions before its oldest and after its last event

OBSOLETE_AFTER = 10  # expirations without a heartbeat

DEFAULT_GROUP = "$Default"  # as Azure and everybody else spells it
# Hosts of Azure listen on this port, so an endpoint that names it is the one that does not.
_AZURE_PORT = re.compile(r"(\.servicebus\.[a-z.]+):5671$")


@dataclass(frozen=True, slots=True)
class ConsumerGroup:
    """What a set of partitions is owned for: with the partition id, the key of every control table."""

    fully_qualified_namespace: str
    eventhub_name: str
    consumer_group: str

    @property
    def hub(self) -> str:
        """The event hub: its namespace and name."""
        return f"{self.fully_qualified_namespace}/{self.eventhub_name}"

    def __str__(self) -> str:
        return f"{self.hub}/{self.consumer_group}"

    @property
    def key(self) -> "ConsumerGroup":
        """The one spelling under which rows are kept, for Azure ignores the case of all three names.

        Without it, two spellings would be two owners of every partition. The SDKs fold the names in the same way:
        https://github.com/Azure/azure-sdk-for-net/issues/8289. The default group keeps its usual capital.
        """
        namespace, group = self.fully_qualified_namespace.lower(), self.consumer_group.lower()
        is_default = group == DEFAULT_GROUP.lower()
        return ConsumerGroup(
            _AZURE_PORT.sub(r"\1", namespace), self.eventhub_name.lower(), DEFAULT_GROUP if is_default else group
        )


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
    age_s: Age
    """Seconds since then, counted by the database when the row was read."""
    expiration_s: Expiration
    """Seconds that the owner was promised: how long the lease lasts without a renewal."""

    @property
    def is_live(self) -> bool:
        """Whether somebody holds the partition."""
        return bool(self.owner_id) and self.ends_in_s > 0

    @property
    def ends_in_s(self) -> float:
        """Seconds until the lease ends unless it is renewed; 0 or less when it has ended.

        A row from the future was written before the clock was set back. When it is ahead by more than its expiration,
        the lease has ended too: whoever claims it gets a higher epoch, which fences an owner that lives.
        """
        return self.expiration_s - abs(self.age_s)

    @property
    def is_from_the_future(self) -> bool:
        """Whether it ended because the clock was set back."""
        return self.age_s <= -self.expiration_s


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
    """None: nothing was ever checkpointed."""
    offset: str | None
    """Opaque, never parsed: with geo-replication it is not a number
    (https://learn.microsoft.com/azure/event-hubs/geo-replication). `OLDEST` without a sequence number: the partition is
    read from its oldest event, whatever EVENTHUB_STARTING_POSITION says."""
    epoch: Count
    """The writer's; a row with a newer one refuses the write."""
    rows_error_count: Count = 0
    """The channel's cumulative count of rejected rows when this checkpoint was written."""
    hub_created_at_s: Seconds | None = None
    """Unix time the hub was created: another one means another hub of the same name."""
    updated_at_s: Seconds | None = None
    """Unix time of the write by the database's clock; None in a checkpoint that is still to be written."""
    channel_generation: Count = 0
    """Which of the partition's channels is written to; the next one is begun by a person who moves the checkpoint, or a
    worker whose channel is lost."""
    opened_generation: Count = 0
    """The one that a worker opened last: lower than `channel_generation` until a worker has begun that."""
    begins_after: Count | None = None
    """Sequence number after which the channel's rows begin; None: at the oldest event there was."""
    enqueued_at_s: Seconds | None = None
    """Unix time at which the hub took the event of `sequence_number`, by its own clock; None: not known."""
    unsettled_from: Count | None = None
    """The first event whose row may have been rejected without being in `rows_error_count` yet: Snowflake's counts may
    be seen later than its tokens. None: not known."""
    repeats_up_to: Count | None = None
    """The last event that an earlier channel of the partition may have written: up to there an event may have a row
    from before. None: none of them was written before."""
    last_enqueued: Count | None = None
    """The last event of the partition, as the hub reported it when the checkpoint was made; None: not known."""
    checked_up_to: Count | None = None
    """The last event that was durable before somebody saw that the target table still had its columns: no value up to
    there was dropped. None: not known."""
    target_columns: str | None = None
    """The columns that later rows were made for, as `shared.snowflake.made_for` writes them. A save leaves them as they
    are. None: not known."""
    age_s: Age | None = field(default=None, compare=False)  # two readings of one row are equal
    """Seconds since the row was written, counted by the database when it was read; None in one still to be written."""

    @classmethod
    def empty(cls, partition_id: str) -> "Checkpoint":
        """That of a partition without a row."""
        return cls(partition_id, None, None, 0)

    @property
    def durable_up_to(self) -> int | None:
        """Everything up to this number is durable, or came before the channel's first row; None: nothing did."""
        return self.begins_after if self.sequence_number is None else self.sequence_number

    @property
    def begins_with_oldest(self) -> bool:
        """Whether, as long as nothing is committed, the partition is read from its oldest event, whatever
        EVENTHUB_STARTING_POSITION says: a person moved it, or it was added after the group began.
        """
        return self.channel_generation > 0 or self.offset == OLDEST

    @property
    def lag_events(self) -> int | None:
        """Events that were not durable when the checkpoint was made; None: not known. An autoscaler adds them up."""
        return None if self.last_enqueued is None else lag(self.last_enqueued, self.durable_up_to)

    @property
    def begins_channel(self) -> bool:
        """Whether no worker has begun the channel: it has no token yet, and that contradicts nothing."""
        return self.opened_generation < self.channel_generation

    @property
    def may_miss_rows(self) -> bool:
        """Whether the channel may have committed rows that this checkpoint does not know: a worker opened the channel
        to write to it, and no checkpoint was written since.
        """
        is_at_beginning = self.sequence_number in (None, self.begins_after)
        is_opened = self.unsettled_from is not None or self.rows_error_count > 0
        return is_at_beginning and is_opened and not self.begins_channel


@dataclass(frozen=True, slots=True)
class Sessions:
    """How many clients the database takes."""

    most: int
    others: int
    """How many of them serve others than evsup just now."""


@dataclass(frozen=True, slots=True)
class SupervisorRow:
    """A row of `evsup_supervisor`: the heartbeat of one running supervisor."""

    owner_id: str
    host: str
    pid: Count
    capacity: Count | None
    """Most partitions it takes; None: no limit."""
    version: str
    age_s: Age = 0.0
    """Seconds since its last heartbeat, counted by the database."""
    expiration_s: Expiration = 60.0
    """Seconds that its leases last, and that it counts as alive after a heartbeat; the store writes its own."""
    last_seen_s: Seconds | None = None
    """Unix time of its last heartbeat by the database's clock; None in a row that is still to be written."""

    @property
    def is_live(self) -> bool:
        """Whether its last heartbeat is young enough, by its own measure."""
        return abs(self.age_s) < self.expiration_s

    @property
    def is_obsolete(self) -> bool:
        """Whether the row can go: nobody waits for this supervisor any more."""
        return abs(self.age_s) > OBSOLETE_AFTER * self.expiration_s


@dataclass(frozen=True, slots=True)
class HubFacts:
    """What Event Hubs says of the hub."""

    partition_ids: tuple[str, ...]
    created_at_s: float


@dataclass(frozen=True, slots=True)
class LastEnqueued:
    """The last event of a partition, as Event Hubs reported it."""

    number: int
    """Its sequence number."""
    at_s: float | None
    """Unix time at which the hub took it, by the hub's clock; None: the hub did not say."""


@dataclass(frozen=True, slots=True)
class PartitionFacts:
    """What Event Hubs says of one partition."""

    first: int
    """Sequence number of the oldest retained event; `last + 1` or less when the partition is empty."""
    last: int
    """Sequence number last enqueued, -1 when there never was one."""
    is_empty: bool
    hub_created_at_s: float
    last_offset: str | None = None
    """Offset of the event `last`."""
    last_enqueued_at_s: float | None = None
    """Unix time at which the hub took the event `last`."""
    read_s: float | None = field(default=None, compare=False)
    """When the hub was asked for its creation time, on the host's monotonic clock; None: nobody looked at a clock."""

    @property
    def oldest(self) -> int:
        """Sequence number of the oldest event that can be read; of the next one to come when the partition is empty."""
        return self.last + 1 if self.is_empty else self.first

    @property
    def last_enqueued(self) -> LastEnqueued:
        """The event `last`."""
        return LastEnqueued(self.last, self.last_enqueued_at_s)


def by_number(partition_id: str) -> tuple[int, str]:
    """The order of partitions for people: 2 before 10, although ids are texts."""
    return len(partition_id), partition_id


def lag(last: int, reached: int | None) -> int:
    """Events of a partition after the one reached; `reached` None: all up to `last`, its last sequence number."""
    return max(0, last - (-1 if reached is None else reached))


def lag_s(
    events: int | None, last_at_s: float | None, durable_at_s: float | None, oldest_age_s: float | None
) -> float | None:
    """How far the table is behind the partition, in seconds; 0 when it has all `events`. None: not known.

    It is the time between the newest durable row and the last event of the partition, both by the hub's clock. It is
    never more than `oldest_age_s`, the age of the oldest event that was received and is not durable: the first event
    after an idle night is not a night late.
    """
    if events is None:
        return None
    behind_s = None if last_at_s is None or durable_at_s is None else max(0.0, last_at_s - durable_at_s)
    known_s = [seconds for seconds in (behind_s, oldest_age_s) if seconds is not None]
    return min(known_s, default=None) if events else 0.0
