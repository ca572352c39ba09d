"""Every setting of evsup: its name, type, default and meaning, in one place.

A variable's name is its struct's prefix plus the field in capitals (`EVENTHUB_` + `NAME`). `shared.config.environment`
reads the environment into these structs; `.env.example`, the README's table and `evsup config` are made from them, so
that none of the four can differ from the others.
"""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta, Struct

from shared.config.formats.identifier import stored_name
from shared.log.secret import Secret

DEFAULT_PIPE = "-STREAMING"  # behind a table's name: the pipe that Snowflake makes for it

# Every number has a largest value as well: one far beyond it is a mistake, and would hold up what it is to limit.
BackOff = Annotated[float, Meta(gt=0, le=600)]
Count = Annotated[int, Meta(ge=1, le=10_000)]


class EventHubSettings(Struct, frozen=True, kw_only=True):
    """Where events come from, and how the Azure SDK reads them."""

    prefix: ClassVar[str] = "EVENTHUB_"
    title: ClassVar[str] = "Event Hubs"

    connection_string: Annotated[
        Secret | None,
        Meta(
            description="Overrides identity. `UseDevelopmentEmulator=true` works (plain AMQP, any port).",
            examples=["Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=listen;SharedAccessKey=…"],
        ),
    ] = None
    namespace: Annotated[
        str | None, Meta(description="Used with identity.", examples=["name.servicebus.windows.net"])
    ] = None
    name: Annotated[
        str | None,
        Meta(description="Event hub (or `EntityPath` in the connection string).", examples=["flights"]),
    ] = None
    consumer_group: Annotated[str, Meta(description="Consumer group.", examples=["$Default"])] = "$Default"
    identity: Annotated[
        Literal["default", "azure_cli"],
        Meta(
            description="`default` = DefaultAzureCredential; `azure_cli` = AzureCliCredential, local development only."
        ),
    ] = "default"
    managed_identity_client_id: Annotated[
        str | None,
        Meta(description="User-assigned managed identity.", examples=["00000000-0000-0000-0000-000000000000"]),
    ] = None
    starting_position: Annotated[
        str,
        Meta(
            description="Where a new consumer group begins: `-1` oldest event, `@latest`, or an ISO 8601 time;"
            " partitions added later are read from their oldest event. `0` is refused.",
            examples=["-1", "@latest", "2026-01-31T00:00:00Z"],
        ),
    ] = "-1"
    prefetch: Annotated[
        int,
        Meta(
            ge=1,
            le=100_000,
            description="Most link credit: events sent ahead. Large ones get less, so that they hold 4 MB.",
            examples=["1000"],
        ),
    ] = 1000
    max_batch_size: Annotated[
        int, Meta(ge=1, le=100_000, description="Most events in one batch from the SDK.", examples=["1000"])
    ] = 1000
    max_wait_time: Annotated[
        float,
        Meta(
            ge=0,
            le=60,
            description="Seconds the SDK may wait to fill a batch. `0` is allowed (no empty callbacks).",
            examples=["0.5"],
        ),
    ] = 0.5
    track_last_enqueued: Annotated[bool, Meta(description="Lag without extra calls.", examples=["true"])] = True
    retry_total: Annotated[
        int,
        Meta(
            ge=0,
            le=100,
            description="Retries of the SDK's management calls; evsup reopens the receiver itself.",
            examples=["3"],
        ),
    ] = 3
    retry_mode: Annotated[
        Literal["exponential", "fixed"], Meta(description="Back-off of the SDK.", examples=["exponential"])
    ] = "exponential"
    retry_backoff_factor: Annotated[
        BackOff, Meta(description="Seconds of the SDK's first back-off.", examples=["0.8"])
    ] = 0.8
    retry_backoff_max: Annotated[BackOff, Meta(description="Seconds of its longest.", examples=["120"])] = 120.0
    transport: Annotated[
        Literal["amqp", "amqp_websocket"], Meta(description="`amqp_websocket` goes over port 443.")
    ] = "amqp"
    proxy: Annotated[
        Secret | None,
        Meta(description="HTTP proxy; implies websockets.", examples=["http://proxy.example:3128"]),
    ] = None
    custom_endpoint: Annotated[
        str | None,
        Meta(description="Address to connect to instead (private link).", examples=["10.0.0.4:5671"]),
    ] = None
    ca_file: Annotated[
        str | None,
        Meta(
            description="CA bundle instead of the system's. The sign-in of an identity trusts it beside them.",
            examples=["/etc/ssl/private-ca.pem"],
        ),
    ] = None
    load_balancing_interval: Annotated[
        float, Meta(ge=0.1, le=1100, description="Seconds between balancing rounds.", examples=["10"])
    ] = 10.0
    # With 5 s a worker may trust its lease for 3 (`supervisor.ownership.lease.trust_window_s`), about what its start
    # takes.
    ownership_expiration: Annotated[
        float,
        Meta(ge=5, le=3600, description="Seconds a lease lasts; must exceed 3 × the interval.", examples=["60"]),
    ] = 60.0
    load_balancing_strategy: Annotated[
        Literal["greedy", "balanced"], Meta(description="Claim everything free at once, or one a round.")
    ] = "greedy"
    on_gap: Annotated[
        Literal["fail", "warn"],
        Meta(description="Sequence numbers missing between two events (retention passed us)."),
    ] = "fail"
    retention_hours: Annotated[
        Annotated[int, Meta(ge=1, le=2160)] | None,
        Meta(
            description="The hub's retention: `status` and metrics then show the time to loss. Empty: not known.",
            examples=["24"],
        ),
    ] = None


class SnowflakeSettings(Struct, frozen=True, kw_only=True):
    """Where rows go, and how Snowpipe Streaming writes them."""

    prefix: ClassVar[str] = "SNOWFLAKE_"
    title: ClassVar[str] = "Snowflake"

    account: Annotated[
        str, Meta(description="Account identifier, or the address of the account.", examples=["myorg-myaccount"])
    ]
    user: Annotated[str, Meta(description="User that evsup signs in as.", examples=["EVSUP"])]
    role: Annotated[
        str | None, Meta(description="Role; empty means the user's default.", examples=["EVSUP_LOADER"])
    ] = None
    database: Annotated[str, Meta(description="Target database.", examples=["EVENTS"])]
    schema: Annotated[str, Meta(description="Target schema.", examples=["PUBLIC"])]
    table: Annotated[str, Meta(description="Target table.", examples=["FLIGHTS"])]
    pipe: Annotated[
        str | None,
        Meta(
            description="A named pipe instead of the default pipe `<TABLE>-STREAMING`.",
            examples=["FLIGHTS_PIPE"],
        ),
    ] = None
    private_key_file: Annotated[
        str | None, Meta(description="Key pair: an RSA key as PEM or DER.", examples=["/etc/evsup/rsa_key.p8"])
    ] = None
    private_key: Annotated[
        Secret | None,
        Meta(description="The key itself instead of a file.", examples=["-----BEGIN PRIVATE KEY-----…"]),
    ] = None
    private_key_passphrase: Annotated[
        Secret | None, Meta(description="Passphrase of an encrypted key.", examples=["…"])
    ] = None
    oauth_client_id: Annotated[
        str | None,
        Meta(description="OAuth client credentials instead of a key pair.", examples=["0oa1b2c3d4"]),
    ] = None
    oauth_client_secret_file: Annotated[
        str | None, Meta(description="The client's secret.", examples=["/etc/evsup/client_secret"])
    ] = None
    oauth_client_secret: Annotated[
        Secret | None, Meta(description="The secret itself instead of a file.", examples=["…"])
    ] = None
    oauth_token_endpoint: Annotated[
        str | None,
        Meta(
            description="Where the authorization server gives tokens.",
            examples=["https://login.microsoftonline.com/TENANT/oauth2/v2.0/token"],
        ),
    ] = None
    oauth_scope: Annotated[
        str | None,
        Meta(
            description="What the token is asked for; default: `session:role:` and the role.",
            examples=["api://evsup/.default"],
        ),
    ] = None
    url: Annotated[
        str | None,
        Meta(
            description="Override of the account's address, with port.",
            examples=["https://myorg-myaccount.snowflakecomputing.com:443"],
        ),
    ] = None
    ca_file: Annotated[
        str | None,
        Meta(
            description="Extra CA bundle for the streaming SDK and SQL (private link, TLS-inspecting proxy).",
            examples=["/etc/ssl/private-ca.pem"],
        ),
    ] = None
    warehouse: Annotated[
        str | None,
        Meta(
            description="Only for SQL (Snowflake control store, quarantine, `verify`, `replay`, `set --table-end`).",
            examples=["EVSUP_WH"],
        ),
    ] = None
    channel_prefix: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9_]{1,64}$",
            description="Channel = prefix, hub, consumer group, partition: never a host, a pid or an owner.",
            examples=["evsup"],
        ),
    ] = "evsup"
    commit_timeout: Annotated[
        float,
        Meta(
            ge=1,
            le=3600,
            description="Seconds an append may stay uncommitted before the worker fails.",
            examples=["120"],
        ),
    ] = 120.0
    max_inflight_rows: Annotated[
        int,
        Meta(ge=1, le=100_000_000, description="Window of rows appended, not yet committed.", examples=["200000"]),
    ] = 200_000
    max_inflight_bytes: Annotated[
        int,
        Meta(
            ge=1_000_000,
            le=64 * 1024**3,
            description="The same window in bytes of row JSON.",
            examples=["67108864"],
        ),
    ] = 64 * 1024 * 1024
    row_format: Annotated[
        Literal["envelope", "columns"],
        Meta(description="`envelope`: one VARIANT and metadata columns; `columns`: top-level keys are the columns."),
    ] = "envelope"
    on_decode_error: Annotated[
        Literal["keep", "fail"], Meta(description="A body that is not JSON: keep it in `RAW_BODY`, or stop.")
    ] = "keep"
    on_reject: Annotated[
        Literal["fail", "quarantine"],
        Meta(description="Rows that Snowflake rejected: stop, or set aside in `<TABLE>_QUARANTINE` and go on."),
    ] = "fail"
    check_columns: Annotated[
        bool,
        Meta(
            description="`false` starts although columns and pipe cannot be seen (no grant, no SQL), and says so.",
            examples=["true"],
        ),
    ] = True
    channels_per_partition: Annotated[
        Count, Meta(description="More than one for a partition beyond 20 MB/s.", examples=["1"])
    ] = 1
    streaming_properties: Annotated[
        dict[str, str],
        Meta(
            description="JSON object passed to the SDK client as it is.",
            examples=['{"application": "my_pipeline"}'],
        ),
    ] = {}

    @property
    def quarantines(self) -> bool:
        """Whether rejected rows are quarantined; otherwise they stop the tree."""
        return self.on_reject == "quarantine"

    @property
    def pipe_name(self) -> str:
        """The pipe that rows go through: the named one, or the table's default pipe.

        The SDK sends it as it is, without quotes, and Snowflake makes the default pipe's name from the table's stored
        name: https://docs.snowflake.com/en/user-guide/snowpipe-streaming/snowpipe-streaming-pipe-object
        """
        return self.pipe or f"{stored_name(self.table)}{DEFAULT_PIPE}"


class ControlSettings(Struct, frozen=True, kw_only=True):
    """Where ownership and checkpoints are kept."""

    prefix: ClassVar[str] = "CONTROL_"
    title: ClassVar[str] = "Control store"

    store: Annotated[Literal["sqlite", "postgres", "snowflake"], Meta(description="`sqlite` serves one host only.")] = (
        "sqlite"
    )
    sqlite_path: Annotated[
        str, Meta(description="File of the SQLite store.", examples=["/var/lib/evsup/control.db"])
    ] = "~/.local/state/evsup/control.db"
    postgres_dsn: Annotated[
        Secret | None,
        Meta(
            description="Any libpq DSN; TLS settings belong in it.",
            examples=["postgresql://evsup@db.example/evsup?sslmode=verify-full"],
        ),
    ] = None
    snowflake_database: Annotated[
        str | None, Meta(description="Hybrid Tables; default: the target's database.", examples=["EVENTS"])
    ] = None
    snowflake_schema: Annotated[
        str | None, Meta(description="Hybrid Tables; default: the target's schema.", examples=["EVSUP"])
    ] = None
    ownership_mode: Annotated[
        Literal["durable", "local_single_consumer_smoke"],
        Meta(description="The second keeps ownership in memory: a diagnostic for one consumer only."),
    ] = "durable"


class ProcessSettings(Struct, frozen=True, kw_only=True):
    """How the process tree runs on this host."""

    prefix: ClassVar[str] = "EVSUP_"
    title: ClassVar[str] = "Process"

    max_partitions: Annotated[
        Count | None,
        Meta(description="Most partitions claimed by this supervisor; empty: all.", examples=["4"]),
    ] = None
    drain_timeout: Annotated[
        float,
        Meta(gt=0, le=3600, description="Seconds a drain may take before the tree stops at once.", examples=["30"]),
    ] = 30.0
    state_dir: Annotated[
        str | None,
        Meta(
            description="Status socket (0600). Default: `$XDG_RUNTIME_DIR/evsup`, `/run/evsup` or a private temp dir.",
            examples=["/run/evsup"],
        ),
    ] = None
    http_address: Annotated[
        str | None,
        Meta(
            description="IP:PORT of `/metrics`, `/healthz`, `/readyz`, `/status`; open to who reaches it. Empty: off.",
            examples=["127.0.0.1:9464"],
        ),
    ] = None
    log_format: Annotated[
        Literal["text", "json"] | None, Meta(description="Default: `text` on a terminal, else `json`.")
    ] = None
    log_level: Annotated[Literal["debug", "info", "warning", "error"], Meta(description="On stderr only.")] = "info"


class Settings(Struct, frozen=True, kw_only=True):
    """The effective settings of one process."""

    eventhub: EventHubSettings
    snowflake: SnowflakeSettings
    control: ControlSettings
    process: ProcessSettings
