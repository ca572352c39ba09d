"""The messages between supervisor and worker, and between evsup and its tasks: one tagged union for each direction.

A union is decoded in one place with `match`. A message that is not in it is a `ProtocolError`. Times are in seconds on
the monotonic clock that both ends share (shared.clock).
"""

from typing import Literal, TypeAlias

from msgspec import Struct

# Of a channel that was dropped, or deleted after 30 idle days. Which of them the service sends then is not known:
# https://github.com/snowflakedb/snowflake-ingest-java and …/snowflake-openflow-components have the second.
CHANNEL_GONE = ("ERR_CHANNEL_DOES_NOT_EXIST", "ERR_CHANNEL_NO_LONGER_EXISTS")


class Message(Struct, frozen=True, kw_only=True, tag=True, forbid_unknown_fields=True):
    """Base of all messages: frozen, tagged by the class's name, no unknown fields."""


# --- supervisor to worker ---------------------------------------------------------------------------------------------


class Lease(Message, frozen=True):
    """The term was renewed: the worker may act on its ownership until then, and stops itself after that."""

    trusted_until_s: float


class Drain(Message, frozen=True):
    """Stop receiving, wait until all rows are durable, checkpoint, exit. What is not durable by then is given up."""

    deadline_s: float


class Abort(Message, frozen=True):
    """Exit at once, without a flush: the term is lost, the drain took too long, or an operator will not wait for it."""

    reason: str
    is_asked_for: bool = False
    """Whether an operator wants it."""


class TableColumns(Message, frozen=True):
    """The columns of the target table that a row can fill: evsup's own, or those that keys of a body go to."""

    names: tuple[str, ...]
    are_case_sensitive: bool = False
    """Whether the pipe compares a key with a name by its case, too."""
    order: tuple[tuple[str, str], ...] = ()
    """All columns of the table in order, each with its type (without a length)."""
    created: str = ""
    """When the table was created, which tells it from another one of its name; empty: not known."""


class TableChecked(Message, frozen=True):
    """The table had its columns after the event `up_to` was durable: no value of a row up to there was dropped."""

    up_to: int


Command: TypeAlias = Lease | Drain | Abort | TableColumns | TableChecked

# --- worker to supervisor ---------------------------------------------------------------------------------------------

WorkerState = Literal["opening", "running", "draining"]


class Opened(Message, frozen=True):
    """Channel and receiver are open. The worker resumes after `resumed_after` (None: from the oldest event)."""

    channel: str
    resumed_after: int | None
    reason: str
    checked_up_to: int | None = None
    """The last event whose row lacks nothing for certain if the table loses a column; None: that of `resumed_after`."""


BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)


class Histogram(Struct, frozen=True, kw_only=True):
    """How many rows took how long."""

    counts: tuple[int, ...] = (0,) * (len(BOUNDS_S) + 1)
    """Rows that took longer than the bound before and not longer than this one; the last count is of those that took
    longer than all bounds."""
    sum_s: float = 0.0
    """Seconds of all rows together."""


class Latencies(Struct, frozen=True, kw_only=True):
    """How long rows took since the worker's start. Each row counts as the oldest of its append does."""

    enqueued_received: Histogram = Histogram()
    """From the hub's enqueued time to the hand-over by the receiver; 0 where the hub's clock is ahead of ours."""
    received_appended: Histogram = Histogram()
    """From there to the append."""
    appended_durable: Histogram = Histogram()
    """From the append until Snowflake was seen to have committed it."""
    enqueued_durable: Histogram = Histogram()
    """From the hub's enqueued time until then."""
    checkpoint_written: Histogram = Histogram()
    """Not of rows: from the beginning of each write of the checkpoint until the control store had it."""


class Counters(Struct, frozen=True, kw_only=True):
    """What a worker counts: one struct from the pipeline to `evsup status` and `/metrics`.

    A counter is added with two edits: a field here, and its row in supervisor.status.metrics.counters. The sequence
    numbers say where an event stands: `received` ≥ `appended` (in SDK memory) ≥ `durable` (Snowflake's committed token)
    ≥ `checkpointed`; None before the first.
    """

    received: int | None = None
    """Sequence number of the last event received."""
    appended: int | None = None
    """That of the last one appended to the channel."""
    durable: int | None = None
    """That of the last one that Snowflake has committed."""
    checkpointed: int | None = None
    """That of the last one in the checkpoint row."""
    rows_total: int = 0
    """Rows appended since the worker's start."""
    bytes_total: int = 0
    """Bytes of the JSON of these rows."""
    rows_inflight: int = 0
    """Rows appended and not durable yet."""
    bytes_inflight: int = 0
    """Bytes of the JSON of these rows."""
    duplicates_total: int = 0
    """Redelivered events that were dropped, since the worker's start."""
    quarantined_total: int = 0
    """Rejected rows that were quarantined, since the worker's start."""
    decode_errors_total: int = 0
    """Rows appended with a body as it came, because it could not be decoded, since the worker's start."""
    unknown_keys_total: int = 0
    """Values of keys without a column that were kept in `_EVSUP:unknown`, since the worker's start."""
    unusual_total: int = 0
    """Events read section by section, because their encoding is not the usual one, since the worker's start."""
    decoded_by_sdk_total: int = 0
    """Sections of events that only the Azure SDK's functions could decode, since the worker's start."""
    gap_events_total: int = 0
    """Sequence numbers that never came and were passed, since the worker's start."""
    receiver_reopened_total: int = 0
    """Links of the receiver that broke and were opened again, since the worker's start."""
    hub_throttled_total: int = 0
    """Those of them that Event Hubs broke or refused because it throttles (server-busy)."""
    snowflake_throttled_total: int = 0
    """Requests that Snowflake refused because it throttles (429), since the worker's start. They are sent again."""
    append_retries_total: int = 0
    """Appends that the streaming SDK did not take for now, since the worker's start: it holds as many rows as it may,
    or its memory is full. The same rows are appended again."""
    status_retries_total: int = 0
    """Readings of the channel's status that failed and were tried again, since the worker's start (429, 5xx)."""
    checkpoint_retries_total: int = 0
    """Writes of the checkpoint that failed and were tried again, since the worker's start."""
    billable_bytes_total: int = 0
    """Estimated bytes of the values in the rows appended since the worker's start: Snowflake bills these, not keys."""
    latencies: Latencies = Latencies()
    """How long rows took."""


class Times(Struct, frozen=True, kw_only=True):
    """How late a partition is, and when things last happened: on the monotonic clock, None where they have not yet."""

    lag: int | None = None
    """Events in the partition that are not durable yet, when the hub last said where it ends; None: not known."""
    lag_s: float | None = None
    """As `shared.model.lag_s`; None: not known."""
    commit_wait_s: float = 0.0
    """Seconds without a commit while rows are in flight; 0 when none are."""
    newest_row_s: float | None = None
    """When the hub took the event of the newest durable row; None: not known."""
    committed_s: float | None = None
    """When Snowflake was last seen to have committed something."""
    received_s: float | None = None
    """When an event was received."""
    heard_s: float | None = None
    """When anything came from Event Hubs, a heartbeat as well; before the first, when receiving began."""
    snowflake_latency_s: float | None = None
    """Mean seconds that Snowflake's servers took for rows of the channel, as they say; None: they did not say."""
    end_known_s: float | None = None
    """When Event Hubs last said where the partition ends: with an event, or because it was asked."""


class Status(Message, frozen=True):
    """The worker's regular report, which is also its heartbeat."""

    state: WorkerState
    counters: Counters = Counters()
    time_to_loss_s: float | None = None
    """Seconds until the oldest event received and not durable may leave the hub; None: there is none, or not known."""
    waits_for: str | None = None
    """Why no event can be read until a service beside Event Hubs answers; None: none is waited for."""
    times: Times = Times()
    rss_bytes: int = 0
    """Resident memory of the worker's process."""
    sent_at_s: float = 0.0


class Drained(Message, frozen=True):
    """The worker has drained and exits: everything appended is durable and checkpointed."""

    checkpointed: int | None
    took_s: float = 0.0
    """Since it was asked to."""


class Failed(Message, frozen=True):
    """Why the worker exits: the failure message."""

    error: str
    """Class name in shared.errors."""
    what: str
    why: str
    fix: str
    traceback: str = ""


Report: TypeAlias = Opened | Status | Drained | Failed

# --- a task, to the process that started it ------------------------------------------------------------------------


class ChannelStatus(Struct, frozen=True):
    """What Snowflake says of one channel."""

    token: int | None
    """Committed offset token: the sequence number up to which every row was taken or counted as rejected; None: no row
    was committed, or there is no such channel.
    """
    rows_error_count: int
    """Rows that Snowflake rejected since the channel was created; reopening does not reset it."""
    status_code: str = "SUCCESS"
    last_error: str | None = None
    last_error_up_to: str | None = None
    """Offset token at or before which the last rejected row is."""
    latency_s: float | None = None
    """Mean seconds that Snowflake's servers took for its rows; None: not known."""

    @property
    def exists(self) -> bool:
        """False when there is no such channel."""
        return not any(code in self.status_code for code in CHANNEL_GONE)


class ChannelStatuses(Message, frozen=True):
    """The status of each channel that was asked for, by its name."""

    channels: dict[str, ChannelStatus]


class Replayed(Message, frozen=True):
    """Everything up to the last event of the range is durable in the side table."""

    rows: int
    """Rows appended in this run; an earlier run may have appended a part of the range."""


class Quarantined(Message, frozen=True):
    """Every rejected row of the range is in the quarantine table, and every other row in the target table."""

    rows: int


class Ready(Message, frozen=True):
    """The quarantine table can be used."""


ValueKind = Literal[
    "null", "boolean", "0 or 1", "integer", "number", "text", "number as text", "date", "time", "time with an offset",
    "timestamp", "timestamp with an offset", "object", "array",
]  # fmt: skip


class KeyShape(Struct, frozen=True, kw_only=True):
    """What the values of a top-level key look like in some events. None of the values is in it."""

    key: str
    kinds: dict[ValueKind, int]
    """How many values of each kind."""
    most_characters: int = 0
    """Of a text."""
    most_digits: int = 0
    """Of a number, before the point."""
    most_scale: int = 0
    """Of a number, behind the point."""


class Sampled(Message, frozen=True):
    """What recent events look like."""

    events: int
    objects: int
    """How many of their bodies are JSON objects."""
    keys: tuple[KeyShape, ...]


TaskResult: TypeAlias = ChannelStatuses | Replayed | Quarantined | Ready | Sampled | Failed

# --- the process that checks the target table, and its supervisor ---------------------------------------------------


class CheckTable(Message, frozen=True):
    """Check the table's columns and the pipe's definition now."""


class TableFits(Message, frozen=True):
    """Rows fit. `doubts` name what cannot be known to be right, a sentence each."""

    doubts: tuple[str, ...]
    columns: TableColumns


TableReport: TypeAlias = TableFits | Failed
