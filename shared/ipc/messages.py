"""What supervisor and worker say to each other: one tagged union per direction.

A union is decoded in one place with `match`; a message that is not in it is a `ProtocolError`. Times are moments on
the clock that both ends share (shared.clock).
"""

from typing import Literal, TypeAlias

from msgspec import Struct


class Message(Struct, frozen=True, kw_only=True, tag=True, forbid_unknown_fields=True):
    """Base of all messages: frozen, tagged by the class's name, no unknown fields."""


# --- supervisor to worker ---------------------------------------------------------------------------------------------


class Lease(Message, frozen=True):
    """The term was renewed: the worker may trust its ownership until then, and must stop itself after."""

    trusted_until_s: float


class Drain(Message, frozen=True):
    """Stop receiving, flush, wait for the commit, checkpoint, leave; what is not durable by then is given up."""

    deadline_s: float


class Abort(Message, frozen=True):
    """Leave at once, without a flush: the term is lost, or nobody waits any longer."""

    reason: str


Command: TypeAlias = Lease | Drain | Abort

# --- worker to supervisor ---------------------------------------------------------------------------------------------

WorkerState = Literal["opening", "running", "draining"]


class Opened(Message, frozen=True):
    """Channel and receiver are open; the worker resumes after `resumed_after` for the reason given."""

    channel: str
    resumed_after: int | None
    reason: str


class Status(Message, frozen=True):
    """The worker's counters; also its heartbeat.

    Sequence numbers, by where an event stands: `received` ≥ `appended` (in SDK memory) ≥ `durable` (Snowflake's
    committed token) ≥ `checkpointed`; None: none yet.
    """

    state: WorkerState
    received: int | None = None
    appended: int | None = None
    durable: int | None = None
    checkpointed: int | None = None
    last_enqueued: int | None = None
    """Last sequence number in the partition, as Event Hubs told with the latest event."""
    rows_total: int = 0
    """Rows appended since the start."""
    bytes_total: int = 0
    duplicates_total: int = 0
    """Redelivered events dropped."""
    quarantined_total: int = 0
    """Rejected rows set aside since the start."""
    rows_inflight: int = 0
    bytes_inflight: int = 0
    time_to_loss_s: float | None = None
    """Seconds until the oldest event received and not durable may leave the hub; None: there is none, or not known."""
    rss_bytes: int = 0
    sent_at_s: float = 0.0

    @property
    def lag(self) -> int | None:
        """Events in the partition that are not durable yet, as of the last event received; None before the first."""
        if self.last_enqueued is None:
            return None
        return max(0, self.last_enqueued - (-1 if self.durable is None else self.durable))


class Drained(Message, frozen=True):
    """The last word of a worker that drained: everything appended is durable and checkpointed."""

    checkpointed: int | None


class Failed(Message, frozen=True):
    """The last word of a worker that failed."""

    error: str
    """Class name in shared.errors."""
    what: str
    why: str
    fix: str
    traceback: str = ""


Report: TypeAlias = Opened | Status | Drained | Failed

# --- a process with one errand, to who sent it ------------------------------------------------------------------------


class Standing(Struct, frozen=True, kw_only=True):
    """How far one channel is, as Snowflake says without it being opened."""

    token: int | None
    """Committed offset token; None: no row yet, or there is no such channel."""
    rows_error_count: int
    """Rows that Snowflake did not take, since the channel was created."""
    status_code: str
    last_error: str | None = None


class Standings(Message, frozen=True):
    """By channel, each of those that were asked for."""

    channels: dict[str, Standing]


class Replayed(Message, frozen=True):
    """Everything up to the last event of the range is durable in the side table."""

    rows: int
    """Appended in this run; an earlier one may have come some of the way."""


class Quarantined(Message, frozen=True):
    """Every rejected row of the range is in the quarantine, and every other one in the target table."""

    rows: int


class Ready(Message, frozen=True):
    """What was asked about can be used."""


Answer: TypeAlias = Standings | Replayed | Quarantined | Ready | Failed

# --- the process that looks at the target table, and its supervisor ---------------------------------------------------


class Look(Message, frozen=True):
    """Look at the table's columns and at the pipe, now."""


class Looked(Message, frozen=True):
    """Rows fit. `doubts` are what may go well and is not known to, a sentence each."""

    doubts: tuple[str, ...]


Sight: TypeAlias = Looked | Failed
