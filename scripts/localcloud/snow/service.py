"""The state of the service: users, tables, channels, rows, and injected faults."""

import asyncio
import functools
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING

import duckdb

from scripts.localcloud.snow.channels.channel import Channel
from scripts.localcloud.snow.channels.counts import Lateness
from scripts.localcloud.snow.channels.limits import Limits
from scripts.localcloud.snow.channels.pace import Pace
from scripts.localcloud.snow.http.calls import Calls
from scripts.localcloud.snow.http.faults import Faults
from scripts.localcloud.snow.http.refusal import (
    CHANNEL_UNKNOWN,
    DATABASE_UNKNOWN,
    PIPE_UNKNOWN,
    SCHEMA_UNKNOWN,
    TABLE_UNKNOWN,
    Refusal,
    not_found,
)
from scripts.localcloud.snow.identity.identity import Identities
from scripts.localcloud.snow.identity.privileges import Privileges
from scripts.localcloud.snow.stage.fragments import Fragments
from scripts.localcloud.snow.stage.pipe_info import FileKeys
from scripts.localcloud.snow.stage.stage import Stage
from scripts.localcloud.snow.tables.catalog import Catalog, Name, Pipe, stored
from scripts.localcloud.snow.tables.column import LoadOptions
from scripts.localcloud.snow.tables.evolution import Evolution
from scripts.localcloud.snow.tables.warehouse import Loaded, Table, Warehouse

if TYPE_CHECKING:
    from scripts.localcloud.snow.sql.database import Database

# The stricter of two values that copies of the vendor's REST page give (4 and 16 MB); `set_payload_limit` changes it.
MAX_WIRE_BYTES = 4 * 1024 * 1024
REJECTED = "A fault of the local service rejected the row"

ChannelKey = tuple[Name, str]


class Service:
    """Everything the listeners share. Lives on one event loop; rows are written by one thread."""

    def __init__(self, commit_delay_s: float) -> None:
        self.identities = Identities()
        self.privileges = Privileges()
        self.catalog = Catalog()
        self.warehouse = Warehouse()
        self.endpoint = ""
        self.stage = Stage()
        self.file_keys = FileKeys()
        self.fragments = Fragments(self.stage, self.file_keys)
        self.pace = Pace(commit_delay_s)
        self.lateness = Lateness()
        self.faults = Faults()
        self.calls = Calls(self.faults)
        self.max_wire_bytes = MAX_WIRE_BYTES
        self.limits = Limits()
        self.load_options = LoadOptions()
        """How named pipes read values; a default pipe reads binary text in one way only."""
        self.evolution = Evolution()
        self.open_duration_s = 0.0
        self._channels: dict[ChannelKey, Channel] = {}
        self._frozen_tokens: dict[ChannelKey, str | None] = {}
        self._rejections: Counter[str | None] = Counter()
        self.opened_with: list[str] = []
        """Status codes other than SUCCESS that the next opens answer with."""
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="write")

    @functools.cached_property
    def database(self) -> "Database":
        """The SQL side, made when it is first called: the translator takes longer to import than all the rest."""
        from scripts.localcloud.snow.sql.database import Database

        return Database(self.warehouse, self.catalog, self.privileges, self.allowlist)

    def allowlist(self) -> str:
        """Give the hosts that clients have to reach: https://docs.snowflake.com/en/sql-reference/functions/system_allowlist."""
        hosts = {"SNOWFLAKE_DEPLOYMENT": self.endpoint, "STAGE": self.stage.endpoint}
        split = {kind: endpoint.rpartition(":") for kind, endpoint in hosts.items()}
        return json.dumps([{"type": kind, "host": host, "port": int(port)} for kind, (host, _, port) in split.items()])

    async def heal(self) -> None:
        """Take back every fault, of streaming and of SQL. What was invalidated or stolen stays so."""
        self.faults.clear()
        self.privileges.restore()
        self.pace.release()
        self.lateness.set(0.0, 0.0, in_steps=False)
        self._frozen_tokens.clear()
        self._rejections.clear()
        self.opened_with.clear()
        self.open_duration_s = self.evolution.delay_s = 0.0
        self.limits.set_channels(None, None)
        self.limits.set_control(None)
        if "database" in vars(self):
            await self.database.heal()

    def pipe(self, name: Name, role: str) -> Pipe:
        """Find a pipe, or refuse; a role without the privileges gets the same answer as for what does not exist.

        https://docs.snowflake.com/en/user-guide/snowpipe-streaming/snowpipe-streaming-access-control names them.
        Clients have reported the error of the pipe without OPERATE and that of the database without USAGE:
        https://github.com/redpanda-data/connect/blob/main/internal/impl/snowflake/streamingv2/token.go
        Those of the schema and the table are guesses, from their names, and so is that every call and every commit
        asks: a channel that is open might be left alone.
        """
        pipe = self.catalog.pipe(name)
        self._permit(pipe, role)
        return pipe

    def channel(self, pipe: Pipe, name: str) -> Channel:
        """Find a channel, or refuse."""
        channel = self._known(pipe, name)
        if channel is None:
            raise not_found(CHANNEL_UNKNOWN, f"Channel '{name}'")
        return channel

    async def opened(self, pipe: Pipe, name: str) -> Channel:
        """Find or create a channel; two spellings that differ in case are one channel."""
        if known := self._known(pipe, name):
            return known
        if former := self._channels.get(key := (pipe.name, stored(name))):
            await self.forget(former)
        if key not in self._channels:  # another open may have come first
            self._channels[key] = Channel(pipe, name, self.pace, self._load, self.lateness)
        return self._channels[key]

    def _known(self, pipe: Pipe, name: str) -> Channel | None:
        """A channel ends with its table, also when another one takes that one's name.

        https://github.com/snowflakedb/snowflake-kafka-connector/pull/1400
        """
        channel = self._channels.get((pipe.name, stored(name)))
        return channel if channel and channel.pipe.table.created_at == pipe.table.created_at else None

    def statuses(self, pipe: Pipe, names: list[str]) -> dict[str, dict[str, object]]:
        """Give the statuses of the channels that exist; the others are left out, as the service does.

        Unlike the names of a URI these have a case. That it is the one of the first open is a guess.
        """
        found = ((name, self._known(pipe, name)) for name in names)
        is_stale = self.faults.is_stale("status")
        return {name: self._status(one, is_stale=is_stale) for name, one in found if one and one.name == name}

    def _status(self, channel: Channel, *, is_stale: bool) -> dict[str, object]:
        if is_stale and (stale := channel.stale_status()):
            return stale
        if channel.has_late_counts:
            self.faults.fired["delay_counts"] += 1
        return channel.status(self.shown_token(channel))

    def options_of(self, pipe: Pipe) -> LoadOptions:
        """Give how a pipe reads values; a default pipe takes binary text for base64, whatever the account says.

        https://docs.snowflake.com/en/user-guide/snowpipe-streaming/snowpipe-streaming-pipe-object
        """
        if pipe.is_default:
            return replace(self.load_options, binary="BASE64")
        return replace(self.load_options, is_case_sensitive=self.catalog.regards_case(pipe))

    def shown_token(self, channel: Channel) -> str | None:
        """Give the token a status shows: the committed one, or an older one while it is frozen."""
        key = (channel.pipe.name, channel.name)
        if key not in self._frozen_tokens:
            return channel.token
        if self._frozen_tokens[key] != channel.token:
            self.faults.fired["freeze_token"] += 1
        return self._frozen_tokens[key]

    def freeze_tokens(self, name: str | None) -> None:
        """Keep showing the present token of a channel (or of all), whatever is committed."""
        for channel in self.named(name):
            self._frozen_tokens[channel.pipe.name, channel.name] = channel.token

    def thaw_tokens(self) -> None:
        """Show the true tokens again."""
        self._frozen_tokens.clear()

    def thaw_token(self, channel: Channel) -> None:
        """Show the true token of a channel that was opened: an open answers from the channel, not from a status."""
        self._frozen_tokens.pop((channel.pipe.name, channel.name), None)

    def reject_rows(self, rows: int, name: str | None) -> None:
        """Skip and count the next rows of a channel, or of whichever comes first."""
        self._rejections[name] += rows

    def named(self, name: str | None) -> list[Channel]:
        """Give the channels of that name in any pipe, or all; refuse a name nobody has opened."""
        found = [channel for channel in self._channels.values() if name is None or stored(name) == stored(channel.name)]
        if name is not None and not found:
            raise not_found(CHANNEL_UNKNOWN, f"Channel '{name}'")
        return found

    async def forget(self, channel: Channel) -> None:
        """Delete a channel with its token and counters."""
        await channel.close()
        self._channels.pop((channel.pipe.name, stored(channel.name)), None)
        self._frozen_tokens.pop((channel.pipe.name, channel.name), None)

    async def close(self) -> None:
        """Stop committing and close the database."""
        for channel in list(self._channels.values()):
            await self.forget(channel)
        if "database" in vars(self):
            self.database.close()
        self._writer.shutdown()
        self.warehouse.close()

    async def _load(self, channel: Channel, body: bytes) -> Loaded:
        rejected, rest = self._rejected(channel.name, body)
        loop = asyncio.get_running_loop()
        self._permit(channel.pipe, channel.role)
        try:
            table = await loop.run_in_executor(self._writer, self._current, channel, rest)
            options = self.options_of(channel.pipe)
            loaded = await loop.run_in_executor(self._writer, self.warehouse.load, table, rest, options)
        except duckdb.CatalogException as exc:
            raise not_found(TABLE_UNKNOWN, f"Table '{channel.pipe.table.name}'") from exc
        except duckdb.Error as exc:
            # A row that DuckDB chokes on is a bug of this service: the channel fails loudly instead of standing still.
            sys.stderr.write(f"commit of channel {channel.name} failed: {exc}\n")
            raise Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "INTERNAL_ERROR", str(exc)) from exc
        self.faults.fired["reject_rows"] += len(rejected)
        by_fault = tuple((line.decode(), REJECTED) for line in rejected)
        if table.logs_errors and (logged := by_fault + loaded.rejected):
            details = {"pipe_name": channel.pipe.name[2], "channel_name": channel.name}
            await loop.run_in_executor(self._writer, self.warehouse.log_errors, table, logged, details)
        if not rejected:
            return loaded
        return replace(loaded, parsed=loaded.parsed + len(rejected), complaint=loaded.complaint or REJECTED)

    def _permit(self, pipe: Pipe, role: str) -> None:
        database, schema, table = pipe.table.path
        needed = [
            ("USAGE", (database,), DATABASE_UNKNOWN, f"Database '{database}'"),
            ("USAGE", (database, schema), SCHEMA_UNKNOWN, f"Schema '{schema}'"),
            ("INSERT", pipe.table.path, TABLE_UNKNOWN, f"Table '{table}'"),
        ]
        if not pipe.is_default:
            needed.insert(2, ("OPERATE", pipe.name, PIPE_UNKNOWN, f"Pipe '{pipe.name[2]}'"))
        for privilege, name, code, what in needed:
            if not self.privileges.has(role, privilege, name):
                raise not_found(code, what)

    def _current(self, channel: Channel, body: bytes) -> Table:
        """The table of a channel as it is now; one that evolves gets a column for each new field.

        What Snowflake does to an open channel when a column goes is a guess. Here it goes on: a field that has no
        column any more is dropped like any other one. So is a new field for a role without EVOLVE SCHEMA, a guess, too.
        """
        # Looked up on the writer's only thread: the load before this one may have added the same column.
        table = self.catalog.table(channel.pipe.table.path)
        if table.created_at != channel.pipe.table.created_at:
            raise not_found(TABLE_UNKNOWN, f"Table '{table.name}' as it was")
        if not table.evolves or not self.privileges.has(channel.role, "EVOLVE SCHEMA", table.path):
            return table
        evolved, clauses = self.evolution.evolved(table, body, time.monotonic())
        self.warehouse.alter(table, clauses)
        self.catalog.alter(evolved)
        return evolved

    def _rejected(self, name: str, body: bytes) -> tuple[list[bytes], bytes]:
        """Take the rows off the front that a fault rejects, and give the rest of the text."""
        wanted = next((key for key in (name, None) if self._rejections[key] > 0), "")
        if wanted == "":
            return [], body
        lines = list(_lines(body))
        rejected = min(self._rejections[wanted], len(lines))
        self._rejections[wanted] -= rejected
        return lines[:rejected], b"\n".join(lines[rejected:])


def _lines(body: bytes) -> Iterator[bytes]:
    return (line for line in body.split(b"\n") if line)
