"""One channel: its opener's sequencer, the rows accepted and not yet committed, its token and counters.

https://docs.snowflake.com/en/user-guide/snowpipe-streaming/snowpipe-streaming-channels
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from scripts.localcloud.snow.channels.counts import Counters, History, Lateness, now_ms
from scripts.localcloud.snow.channels.pace import Pace
from scripts.localcloud.snow.http.refusal import (
    OPEN_IN_PROGRESS,
    ROW_SEQUENCER,
    STALE_SEQUENCER,
    UNCOMMITTED_DATA,
    Refusal,
    conflict,
)
from scripts.localcloud.snow.tables.catalog import Pipe
from scripts.localcloud.snow.tables.warehouse import Loaded

SUCCESS = "SUCCESS"

Loader = Callable[["Channel", bytes], Awaitable[Loaded]]


@dataclass(frozen=True)
class Append:
    """Rows of one request: NDJSON, the last offset token they stand for, and a digest by which a retry is known."""

    body: bytes
    end_token: str | None
    digest: bytes
    accepted_at: float = field(default_factory=time.monotonic)


@dataclass(frozen=True)
class Accepted:
    """The last accepted request, by which a retry after a lost answer is known."""

    continuation: str
    digest: bytes
    answer: str


class Channel:
    """Commits in order what its present opener appended. Not thread-safe: it lives on one event loop."""

    def __init__(self, pipe: Pipe, name: str, pace: Pace, load: Loader, lateness: Lateness) -> None:
        self.pipe = pipe
        self.name = name
        self.token: str | None = None
        self.status_code = SUCCESS
        self.sequencer = 0
        self.opened_by = self.role = ""
        self.opened_at_ms = 0
        self.counters = Counters()
        self._history = History(lateness)
        self._created_at_ms = now_ms()
        self._row_sequencer = 0
        self._discards = False
        self._opening = False
        self._accepted: Accepted | None = None
        self._pending: deque[Append] = deque()
        self._arrived = asyncio.Event()
        self._committing = asyncio.Lock()
        self._pace = pace
        self._load = load
        self._committer = asyncio.create_task(self._run(), name=f"commit {name}")

    @property
    def continuation(self) -> str:
        """The token that the next append must carry."""
        return f"{self.sequencer}_{self._row_sequencer}"

    async def open(
        self,
        opener: str,
        role: str = "",
        token: str | None = None,
        *,
        fail_on_uncommitted: bool = False,
        duration_s: float = 0.0,
    ) -> None:
        """Give the channel to a new opener. Rows in flight are thrown away, or the open is refused because of them.

        Waits for a commit that is being written, since its rows will be there. Who opens the channel meanwhile is
        refused, as clients of the live service have seen.
        """
        if self._opening:
            raise conflict(OPEN_IN_PROGRESS, f"Channel {self.name} is being opened.", "error_code")
        self._opening = True
        try:
            await asyncio.sleep(duration_s)
            await self._open(opener, role, token, fail_on_uncommitted=fail_on_uncommitted)
        finally:
            self._opening = False

    async def _open(self, opener: str, role: str, token: str | None, *, fail_on_uncommitted: bool) -> None:
        async with self._committing:
            if fail_on_uncommitted:
                self.require_committed()
            self._discard()
            self.sequencer += 1
            self._row_sequencer = 0
            self._accepted = None
            self.status_code, self._discards = SUCCESS, False
            self.opened_by, self.role, self.opened_at_ms = opener, role, now_ms()
            if token is not None:
                self.token = token

    def append(self, continuation: str, append: Append) -> str:
        """Accept rows in memory; give the next continuation token. A stale opener and a gap are refused."""
        if (answer := self.admit(continuation, append.digest)) is not None:
            return answer
        self._row_sequencer += 1
        if not self._discards:
            self._pending.append(append)
            self._arrived.set()
        self._accepted = Accepted(continuation, append.digest, self.continuation)
        return self.continuation

    def admit(self, continuation: str, digest: bytes) -> str | None:
        """Refuse an append that cannot be the next; give the answer once more when it is the last one again."""
        if self.status_code != SUCCESS and not self._discards:
            raise conflict(self.status_code, f"Channel {self.name} is invalid. Please reopen the channel.")
        if self._accepted and (continuation, digest) == (self._accepted.continuation, self._accepted.digest):
            return self._accepted.answer
        if continuation != self.continuation:
            raise self._stale(continuation)
        return None

    def require_committed(self) -> None:
        """Refuse what would throw rows away that wait for their commit."""
        if self._pending:
            raise conflict(UNCOMMITTED_DATA, f"Channel {self.name} has uncommitted data.")

    def open_invalid(self, code: str) -> None:
        """Make the channel that was just opened one whose appends are taken and thrown away."""
        self.status_code, self._discards = code, True

    def invalidate(self, code: str) -> None:
        """Make the channel useless until it is opened again; rows in flight are lost."""
        self.status_code = code
        self._discard()

    @property
    def has_late_counts(self) -> bool:
        """Say whether a status shows other error counters than the true ones."""
        return self._history.shown(self.counters) != self.counters

    def stale_status(self) -> dict[str, Any] | None:
        """Give the status as it was before the last commit, as a cache does; None when there was none."""
        past = self._history.one_commit_ago()
        return self._status(*past) if past else None

    def status(self, token: str | None) -> dict[str, Any]:
        """Give the fields of a channel status, with the token it is to show."""
        return self._status(token, self._history.shown(self.counters))

    def _status(self, token: str | None, counters: Counters) -> dict[str, Any]:
        database, schema, pipe = self.pipe.name
        latency_s = counters.latency_s / counters.commits if counters.commits else 0.0
        return {
            "database_name": database,
            "schema_name": schema,
            "pipe_name": pipe,
            "channel_name": self.name,
            "channel_status_code": self.status_code,
            "last_committed_offset_token": token,
            "created_on_ms": self._created_at_ms,
            "rows_inserted": counters.rows_inserted,
            "rows_parsed": counters.rows_parsed,
            "rows_error_count": counters.rows_error_count,
            "last_error_offset_upper_bound": counters.last_error_offset_upper_bound,
            "last_error_message": counters.last_error_message,
            "last_error_timestamp_ms": counters.last_error_timestamp_ms,
            "snowflake_avg_processing_latency_ms": int(latency_s * 1000),
        }

    def facts(self) -> dict[str, Any]:
        """Give what the admin client shows of the channel."""
        return {
            "name": self.name,
            "pipe": ".".join(self.pipe.name),
            "token": self.token,
            "status_code": self.status_code,
            "sequencer": self.sequencer,
            "requests_waiting": len(self._pending),
            "created_at_ms": self._created_at_ms,
            "opened_at_ms": self.opened_at_ms,
            "opened_by": self.opened_by,
            **asdict(self.counters),
        }

    async def close(self) -> None:
        """End the channel; a commit that is being written ends first."""
        async with self._committing:
            self._discard()
            self._committer.cancel()

    async def _run(self) -> None:
        while True:
            await self._arrived.wait()
            await self._commit_next()

    async def _commit_next(self) -> None:
        append = self._pending[0]
        await self._pace.due(self.name, append.accepted_at)
        async with self._committing:
            if not self._pending or self._pending[0] is not append:
                return  # a new opener threw it away
            try:
                loaded = await self._load(self, append.body)
            except Refusal as refusal:
                self.invalidate(refusal.code)
                return
            self.counters.add(loaded, append.end_token, append.accepted_at)
            self.token = append.end_token
            self._history.note(self.token, self.counters)
            self._pending.popleft()
            self._rest()

    def _discard(self) -> None:
        self._pending.clear()
        self._rest()

    def _rest(self) -> None:
        if not self._pending:
            self._arrived.clear()

    def _stale(self, continuation: str) -> Refusal:
        sequencer, _, _ = continuation.partition("_")
        if sequencer != str(self.sequencer):
            message = "Channel sequencer in the continuation token is stale. Please reopen the channel."
            return conflict(STALE_SEQUENCER, message)
        message = f"Continuation token {continuation} is not the expected {self.continuation}. Please reopen."
        return conflict(ROW_SEQUENCER, message)
