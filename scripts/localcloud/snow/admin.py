"""The admin client for tests and the demo: makes users and tables, counts rows, breaks things on request."""

import http.client
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from scripts.localcloud.place import LOOPBACK
from scripts.localcloud.snow.http.faults import Call, Kind
from scripts.localcloud.snow.http.refusal import Shape
from scripts.localcloud.snow.tables.column import BinaryFormat

TIMEOUT_S = 60.0  # a query over a large table is the slowest call
# https://docs.snowflake.com/en/user-guide/snowpipe-streaming/snowpipe-streaming-high-performance-limitations
CHANNEL_REQUESTS_PER_S = 10.0
CHANNEL_BYTES_PER_S = 20_000_000.0


class AdminError(Exception):
    """The server refused an admin call; the message is the server's."""


@dataclass(frozen=True)
class ChannelFacts:
    """A channel as the server sees it; times in Unix milliseconds, counters since the channel was created."""

    name: str
    pipe: str
    token: str | None
    status_code: str
    sequencer: int
    requests_waiting: int
    created_at_ms: int
    opened_at_ms: int
    opened_by: str
    rows_parsed: int
    rows_inserted: int
    rows_error_count: int
    last_error_message: str | None
    last_error_offset_upper_bound: str | None
    last_error_timestamp_ms: int | None
    commits: int
    latency_s: float


class SnowAdmin:
    """Talks to the admin port of `python -m scripts.localcloud.snow`. Every call blocks until it is answered."""

    def __init__(self, port: int, host: str = LOOPBACK) -> None:
        self._host = host
        self._port = port

    # -- what exists --

    def register_user(self, account: str, user: str, public_key_pem: str, roles: Sequence[str] = ()) -> str:
        """Register an RSA public key (PEM); no roles grants any. Gives the key's fingerprint."""
        fingerprint = self._call(
            "register_user", account=account, user=user, public_key=public_key_pem, roles=list(roles)
        )
        return cast("str", fingerprint)

    def register_client(
        self, client_id: str, client_secret: str, account: str, user: str, scopes: Sequence[str]
    ) -> None:
        """Let a program get access tokens of a user, each for one of the scopes (`session:role:ROLE`)."""
        self._call(
            "register_client",
            client_id=client_id,
            client_secret=client_secret,
            account=account,
            user=user,
            scopes=list(scopes),
        )

    def create_table(
        self, name: tuple[str, str, str], columns: Sequence[tuple[str, str] | tuple[str, str, bool]]
    ) -> bool:
        """Create a table of (name, Snowflake type[, nullable]) columns; False when it was there already."""
        full = [(*one, True) if len(one) == 2 else one for one in columns]
        return cast("bool", self._call("create_table", name=list(name), columns=full))

    def execute_create_table(self, statement: str) -> bool:
        """Create a table from Snowflake's own `CREATE TABLE` text with a three-part name."""
        return cast("bool", self._call("create_table", statement=statement))

    def drop_table(self, name: tuple[str, str, str]) -> None:
        """Drop a table with its rows and pipes; what is in flight makes its channel invalid."""
        self._call("drop_table", **dict(zip(("database", "schema", "table"), name, strict=True)))

    def create_pipe(self, name: tuple[str, str, str], table: str, definition: str = "") -> None:
        """Create a named pipe into a table of the same schema, or bring a dropped pipe back.

        `definition` is the COPY statement that SQL shows; it is not run: rows are matched to columns by name.
        """
        database, schema, pipe = name
        self._call("create_pipe", database=database, schema=schema, pipe=pipe, table=table, definition=definition)

    def drop_pipe(self, name: tuple[str, str, str]) -> None:
        """Make a pipe unknown, also the default one."""
        self._call("drop_pipe", **dict(zip(("database", "schema", "pipe"), name, strict=True)))

    def query(self, sql: str, database: str | None = None, schema: str | None = None) -> list[tuple[Any, ...]]:
        """Answer one SELECT in DuckDB's dialect, `PAYLOAD->>'key'` included.

        Values: a VARIANT is its JSON text, BINARY upper-case hex, a timestamp ISO 8601 text in UTC with microseconds,
        NUMBER an int of any size (text with a fraction).
        """
        result = self._call("query", sql=sql, database=database, schema=schema)
        return [tuple(row) for row in result["rows"]]

    def channels(self) -> dict[str, ChannelFacts]:
        """Give every channel by its name."""
        return {one["name"]: ChannelFacts(**one) for one in self._call("channels")}

    def answers(self) -> dict[str, int]:
        """Count the answers so far by call, HTTP status and code, such as `open 409 ERR_CHANNEL_HAS_…`."""
        return cast("dict[str, int]", self._call("counts")["answers"])

    def fired(self) -> dict[str, int]:
        """Count how often each fault altered an answer or a state: by kind, and by kind and call (`reset append`)."""
        return cast("dict[str, int]", self._call("counts")["fired"])

    def staged_files(self) -> int:
        """Count the uploaded files whose rows nobody has registered."""
        return cast("int", self._call("counts")["stored"]["stage"])

    # -- who may do what, by SQL and by streaming; a role may do everything until it is revoked --

    def revoke(self, privilege: str, on: tuple[str, ...], role: str) -> None:
        """Take a privilege such as INSERT, OPERATE or USAGE on a table, pipe, schema or database from a role."""
        self._call("revoke", privilege=privilege, on=".".join(on), role=role)

    def grant(self, privilege: str, on: tuple[str, ...], role: str) -> None:
        """Give a privilege back."""
        self._call("grant", privilege=privilege, on=".".join(on), role=role)

    def allow_hybrid_tables(self, *, allowed: bool) -> None:
        """Make the account one that has no Hybrid Tables, as a trial account, or one that has."""
        self._call("allow_hybrid_tables", allowed=allowed)

    # -- how it behaves --

    def delay_evolution(self, seconds: float) -> None:
        """Add a column only so long after its first field: until then the field is dropped."""
        self._call("delay_evolution", seconds=seconds)

    def set_commit_delay(self, seconds: float) -> None:
        """Set the time from append to commit, also for rows already waiting (the service's is near 6 s)."""
        self._call("set_commit_delay", seconds=seconds)

    def set_token_lifetime(self, seconds: float) -> None:
        """Set the life of scoped tokens given from now on."""
        self._call("set_token_lifetime", seconds=seconds)

    def set_access_token_lifetime(self, seconds: float) -> None:
        """Set the life of access tokens given from now on (ten minutes at start)."""
        self._call("set_access_token_lifetime", seconds=seconds)

    def set_payload_limit(self, size: int) -> None:
        """Set the largest append in bytes on the wire (4 MiB at start)."""
        self._call("set_payload_limit", size=size)

    def set_binary_format(self, binary: BinaryFormat) -> None:
        """Set how named pipes read the text of a BINARY column (base64 at start); a client asks when it is made."""
        self._call("set_binary_format", binary=binary)

    def set_stage_lifetime(self, seconds: float) -> None:
        """Set the life of credentials for the stage given from now on (an hour at start)."""
        self._call("set_stage_lifetime", seconds=seconds)

    def set_stage_endpoint(self, endpoint: str) -> None:
        """Name another address (host:port) as the stage to clients that ask from now on."""
        self._call("set_stage_endpoint", endpoint=endpoint)

    def use_defaults(self, *, used: bool) -> None:
        """Make the account one that puts a column's DEFAULT where a row has no value, as newer ones are said to do.

        At start it is an older one, which puts NULL there.
        """
        self._call("use_defaults", used=used)

    def regard_case(self, *, regarded: bool) -> None:
        """Have default pipes compare keys with the names of columns by their case, too, which no page says of them."""
        self._call("regard_case", regarded=regarded)

    def limit_shown(self, rows: int) -> None:
        """Refuse a SHOW with more rows than these (10,000 at start)."""
        self._call("limit_shown", rows=rows)

    def set_time_zone(self, name: str) -> None:
        """Set the account's time zone (America/Los_Angeles at start, as a new account's).

        It is the clock of an integer in a TIMESTAMP_NTZ column, and of text without an offset in a TIMESTAMP_TZ or
        TIMESTAMP_LTZ column.
        """
        self._call("set_time_zone", name=name)

    def limit_channels(
        self, requests_per_s: float | None = CHANNEL_REQUESTS_PER_S, bytes_per_s: float | None = CHANNEL_BYTES_PER_S
    ) -> None:
        """Enforce the service's limits on what each channel sends (none at start) until `clear_faults`."""
        self._call("limit_channels", requests_per_s=requests_per_s, bytes_per_s=bytes_per_s)

    def limit_control_calls(self, per_s: float) -> None:
        """Limit the calls of all clients that carry no rows (no limit at start) until `clear_faults`."""
        self._call("limit_control_calls", per_s=per_s)

    def set_session_lifetime(self, seconds: float) -> None:
        """Set the life of SQL session tokens given from now on (an hour at start)."""
        self._call("set_session_lifetime", seconds=seconds)

    def set_idle_transaction(self, seconds: float) -> None:
        """Set after how long an idle transaction that others wait for is rolled back (five minutes at start)."""
        self._call("set_idle_transaction", seconds=seconds)

    # -- what is broken --

    def fail(
        self,
        call: Call,
        status: int,
        times: int | None = 1,
        code: str = "SERVICE_UNAVAILABLE",
        shape: Shape = "code",
    ) -> None:
        """Answer the next calls of a kind with an HTTP status; `times=None` lasts until cleared."""
        self._arm("http", call, times, status=status, code=code, shape=shape)

    def delay(self, call: Call, seconds: float, times: int | None = 1) -> None:
        """Serve the next calls of a kind late."""
        self._arm("latency", call, times, seconds=seconds)

    def reset(self, call: Call, times: int | None = 1, *, served: bool = False) -> None:
        """Reset the connection of the next calls, before they are served or (`served`) after: the answer is lost."""
        self._arm("reset_after" if served else "reset", call, times)

    def hang(self, call: Call, times: int | None = 1) -> None:
        """Take the next calls and never answer; `clear_faults` resets their connections."""
        self._arm("hang", call, times)

    def cut_uploads(self, times: int | None = 1) -> None:
        """Lose the second half of the next uploads on the way."""
        self._arm("cut", "upload", times)

    def garble_uploads(self, times: int | None = 1) -> None:
        """Change a byte of the next uploads on the way, so that the checksum is wrong."""
        self._arm("garble", "upload", times)

    def open_invalid(self, code: str, times: int = 1) -> None:
        """Answer the next opens with 200 and a bad status; what is appended then is taken and thrown away."""
        self._call("open_invalid", code=code, times=times)

    def set_open_duration(self, seconds: float) -> None:
        """Make each open take so long; who opens the same channel meanwhile gets ERR_OPEN_CHANNEL_IN_PROGRESS."""
        self._call("set_open_duration", seconds=seconds)

    def clear_faults(self) -> None:
        """Disarm all, lift limits, release stalls, locks and hanging calls, thaw tokens, give privileges and Hybrid
        Tables back.

        What was invalidated or stolen stays so.
        """
        self._call("clear_faults")

    def expire_tokens(self) -> None:
        """Make every scoped token given out so far an expired one."""
        self._call("expire_tokens")

    def expire_stage_credentials(self) -> None:
        """Make every credential for the stage given out so far an expired one."""
        self._call("expire_stage_credentials")

    def expire_access_tokens(self) -> None:
        """Make every access token given out so far an expired one, whatever it says of its life."""
        self._call("expire_access_tokens")

    def refuse_logins(self, times: int | None = 1, code: str = "390422") -> None:
        """Refuse the next SQL logins with a number of the login service; 390422 is an address that is not allowed."""
        self._arm("http", "login", times, status=200, code=code)

    def expire_sessions(self, *, master: bool = False) -> None:
        """Make every SQL session token given out so far an expired one; with `master` also those that renew them."""
        self._call("expire_sessions", master=master)

    def hold_lock(self, table: tuple[str, str, str]) -> None:
        """Lock every row of a table against INSERT (Hybrid Tables), UPDATE, DELETE and MERGE until released."""
        self._call("hold_lock", **dict(zip(("database", "schema", "table"), table, strict=True)))

    def release_locks(self) -> None:
        """Release what `hold_lock` has locked; those who wait go on."""
        self._call("release_locks")

    def stall_commits(self, channel: str | None = None) -> None:
        """Accept rows and commit none, of one channel or of all, until released."""
        self._call("stall_commits", channel=channel)

    def release_commits(self) -> None:
        """End every stall; rows whose delay is over are committed at once."""
        self._call("release_commits")

    def freeze_token(self, channel: str | None = None) -> None:
        """Go on committing rows and show the present token until the channel is opened again."""
        self._call("freeze_token", channel=channel)

    def thaw_tokens(self) -> None:
        """Show true tokens again."""
        self._call("thaw_tokens")

    def set_token(self, channel: str, token: str | None) -> None:
        """Overwrite the committed token: an older number moves it back, words make it unparsable, None loses it."""
        self._call("set_token", channel=channel, token=token)

    def invalidate(self, channel: str, code: str = "ERR_CHANNEL_MUST_BE_REOPENED") -> None:
        """Give the channel a status code other than SUCCESS; appends get 409 until it is opened again."""
        self._call("invalidate", channel=channel, code=code)

    def reject_rows(self, rows: int, channel: str | None = None) -> None:
        """Reject the next rows, good as they are: they are counted as errors and the token passes them."""
        self._call("reject_rows", rows=rows, channel=channel)

    def delay_counts(self, seconds: float, message_seconds: float | None = None, *, in_steps: bool = False) -> None:
        """Show rejected rows so much later than the token that passed them, their message and bound later still.

        `in_steps` shows half of what a commit rejected first, and all of it after as many seconds again.
        """
        message_seconds = seconds if message_seconds is None else message_seconds
        self._call("delay_counts", seconds=seconds, message_seconds=message_seconds, in_steps=in_steps)

    def hold_counts(self) -> None:
        """Show no rejected row of the commits that come, until `delay_counts` or `clear_faults`."""
        self._call("hold_counts")

    def answer_stale(self, times: int | None = 1) -> None:
        """Answer the next questions for a status with token and counters as they were before the last commit."""
        self._arm("stale", "status", times)

    def delete_channel(self, channel: str) -> None:
        """Delete a channel with its token and counters, as 30 idle days do."""
        self._call("delete_channel", channel=channel)

    def steal(self, channel: str, opener: str = "thief") -> None:
        """Open the channel as another client: rows in flight are lost, the present opener's next append is stale."""
        self._call("steal", channel=channel, opener=opener)

    def _arm(self, kind: Kind, call: Call, times: int | None, **details: object) -> None:
        self._call("arm", kind=kind, call=call, times=times, **details)

    def _call(self, verb: str, **arguments: object) -> Any:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT_S)
        try:
            connection.request("POST", f"/{verb}", json.dumps(arguments), {"Connection": "close"})
            answer = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        if "result" not in answer:
            raise AdminError(f"{verb}: {answer.get('code')}: {answer.get('message')}")
        return answer["result"]
