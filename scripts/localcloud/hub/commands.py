"""What the admin port understands and answers: one tagged union of commands, one answer. JSON, bytes as base64."""

from typing import Annotated

import msgspec
from msgspec import Meta


class Command(msgspec.Struct, frozen=True, tag=True):
    """A request to the hub."""


class Look(Command, frozen=True):
    """Change nothing."""


class Append(Command, frozen=True):
    """Append events with these bodies; not numbered, receivers get them without x-opt-sequence-number."""

    partition: str
    bodies: list[bytes]
    content_type: str = ""
    partition_key: str | None = None
    numbered: bool = True


class Seed(Command, frozen=True):
    """Append `count` JSON objects of `body_bytes` each: `partition`, `n` (rising from `first_n`) and padding.

    All of them with this partition key and these application properties.
    """

    partition: str
    count: int
    body_bytes: int
    first_n: int
    partition_key: str | None = None
    properties: dict[str, str] = {}


class Drop(Command, frozen=True):
    """Reset all connections."""


class Close(Command, frozen=True):
    """Close all connections, and say why."""

    condition: str
    description: str


class Detach(Command, frozen=True):
    """Detach the receivers of a partition, of one consumer group or of all."""

    partition: str
    condition: str
    description: str
    group: str | None = None


class Rewind(Command, frozen=True):
    """Go back `events`: now, in the links that are attached, or when the next receiver attaches."""

    partition: str
    events: int
    on_attach: bool


class Skip(Command, frozen=True):
    """Leave a gap of sequence numbers."""

    partition: str
    events: int


class Trim(Command, frozen=True):
    """Drop the oldest events."""

    partition: str
    events: int


class Recreate(Command, frozen=True):
    """Delete the hub and create it again, with as many partitions as before or with another number of them."""

    partitions: int | None = None


class Grow(Command, frozen=True):
    """Add partitions to the hub."""

    partitions: int


class FailOver(Command, frozen=True):
    """Go on with a replica that lacks the newest events of a partition: their numbers are given again."""

    partition: str
    lost: int


class Delay(Command, frozen=True):
    """Hold back every write of events by a time; 0 ends it."""

    seconds: float


class Throttle(Command, frozen=True):
    """Refuse the next attaches as busy."""

    attaches: int


class Hang(Command, frozen=True):
    """Read and write nothing while on."""

    on: bool


class Outage(Command, frozen=True):
    """Drop all connections and refuse new ones while on."""

    on: bool


class ExpireTokens(Command, frozen=True):
    """Expire all tokens now."""


class RefuseTokens(Command, frozen=True):
    """Answer the next tokens with 401."""

    count: int


class Latency(Command, frozen=True):
    """Send everything later by a time; 0 ends it."""

    seconds: float


class SmallFrames(Command, frozen=True):
    """Send no larger frames than these; None ends it. AMQP 1.0, 2.7.1: every peer must take frames of up to 512."""

    bytes: Annotated[int, Meta(ge=512)] | None


class Abort(Command, frozen=True):
    """Abort the next deliveries of a partition half-way, and deliver their events again."""

    partition: str
    deliveries: int


class Mute(Command, frozen=True):
    """Send nothing any more to the receivers of a partition, of one consumer group or of all."""

    partition: str
    group: str | None = None


class Silence(Command, frozen=True):
    """Do not answer who asks for the runtime information of a partition."""

    partition: str


class TakeMessagesOf(Command, frozen=True):
    """Say how large a message may be, on the links that attach from now on."""

    bytes: int


class SetGate(Command, frozen=True):
    """Say who is let in from now on, and for what; a hub that is not active detaches its links."""

    claims: list[str]
    firewall: bool
    keys: bool
    active: bool


class Heal(Command, frozen=True):
    """End every fault that is armed; the counts stay."""


AnyCommand = (
    Look
    | Append
    | Seed
    | Drop
    | Close
    | Detach
    | Rewind
    | Skip
    | Trim
    | Recreate
    | Grow
    | FailOver
    | Delay
    | Throttle
    | Hang
    | Outage
    | ExpireTokens
    | RefuseTokens
    | Latency
    | SmallFrames
    | Abort
    | Mute
    | Silence
    | TakeMessagesOf
    | SetGate
    | Heal
)


class ConnectionFacts(msgspec.Struct, frozen=True):
    """What a client said when it opened its connection; `idle_timeout_ms` 0 is none."""

    hostname: str
    idle_timeout_ms: int
    properties: dict[str, str]


class ReceiverFacts(msgspec.Struct, frozen=True):
    """An attached receiver. `next_cursor` counts the events ever appended before the one it gets next."""

    name: str
    group: str
    epoch: int | None
    sent: int
    credit: int
    next_cursor: int
    wants_metrics: bool


class PartitionFacts(msgspec.Struct, frozen=True):
    """A partition: sequence numbers of the oldest retained and the newest event, and who reads it."""

    id: str
    begin_sequence_number: int
    last_sequence_number: int
    last_offset: str
    count: int
    receivers: list[ReceiverFacts]


class HubFacts(msgspec.Struct, frozen=True):
    """The hub. `created_ms` is in milliseconds since 1970; `fired` counts how often each fault acted; `asked_s` are the
    last times, on the host's clock, at which runtime information was asked for.
    """

    name: str
    created_ms: int
    connections: int
    opened: list[ConnectionFacts]
    partitions: dict[str, PartitionFacts]
    fired: dict[str, int]
    asked_s: list[float]


class Refused(msgspec.Struct, frozen=True):
    """A command that could not be carried out, and why."""

    error: str
