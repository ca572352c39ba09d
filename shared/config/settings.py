"""Every setting of evsup: its name, type, default and meaning, in one place.

A variable's name is its struct's prefix plus the field in capitals (`EVENTHUB_` + `NAME`). `shared.config.environment`
reads the environment into these structs; `.env.example`, docs/settings.md and `evsup config` are made from them, so
that none of the four can differ from the others.
"""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta, Struct, structs

from shared.config.formats.identifier import stored_name
from shared.log.secret import Secret

DEFAULT_PIPE = "-STREAMING"  # after a table's name: the pipe that Snowflake makes for it

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
            description="Used instead of an identity. `UseDevelopmentEmulator=true` works (plain AMQP, any port).",
            examples=["Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=listen;SharedAccessKey=…"],
        ),
    ] = None
    namespace: Annotated[
        str | None, Meta(description="Namespace, with an identity.", examples=["name.servicebus.windows.net"])
    ] = None
    name: Annotated[
        str | None,
        Meta(description="Event hub, unless the connection string has an `EntityPath`.", examples=["flights"]),
    ] = None
    consumer_group: Annotated[
        str, Meta(description="Consumer group; nobody else should use it.", examples=["$Default"])
    ] = "$Default"
    identity: Annotated[
        Literal["default", "azure_cli"],
        Meta(
            description="`default`: DefaultAzureCredential. `azure_cli`: AzureCliCredential, for your own machine only."
        ),
    ] = "default"
    managed_identity_client_id: Annotated[
        str | None,
        Meta(
            description="Client id of a user-assigned managed identity.",
            examples=["00000000-0000-0000-0000-000000000000"],
        ),
    ] = None
    starting_position: Annotated[
        str,
        Meta(
            description="Where a new consumer group begins: `-1` (oldest event), `@latest`, or an ISO 8601 time."
            " Partitions added later are read from their oldest event. `0` is refused.",
            examples=["-1", "@latest", "2026-01-31T00:00:00Z"],
        ),
    ] = "-1"
    prefetch: Annotated[
        int,
        Meta(
            ge=1,
            le=100_000,
            description="How many events the hub may send ahead. Large events get less, so that they hold 4 MB.",
            examples=["1000"],
        ),
    ] = 1000
    max_batch_size: Annotated[
        int,
        Meta(ge=1, le=100_000, description="How many events one batch may have.", examples=["1000"]),
    ] = 1000
    max_wait_time: Annotated[
        float,
        Meta(
            ge=0,
            le=60,
            description="Seconds that a batch may wait to be full. With `0` it is handed over at once.",
            examples=["0.5"],
        ),
    ] = 0.5
    track_last_enqueued: Annotated[
        bool,
        Meta(
            description="Event Hubs sends the last sequence number with each event: the lag needs no extra call.",
            examples=["true"],
        ),
    ] = True
    retry_total: Annotated[
        int,
        Meta(
            ge=0,
            le=100,
            description="Retries of the SDK's management calls. evsup reopens the receiver itself.",
            examples=["3"],
        ),
    ] = 3
    retry_mode: Annotated[
        Literal["exponential", "fixed"],
        Meta(description="How the delays between the SDK's retries grow.", examples=["exponential"]),
    ] = "exponential"
    retry_backoff_factor: Annotated[
        BackOff, Meta(description="Seconds of the SDK's first delay.", examples=["0.8"])
    ] = 0.8
    retry_backoff_max: Annotated[BackOff, Meta(description="Seconds of the SDK's longest delay.", examples=["120"])] = (
        120.0
    )
    transport: Annotated[
        Literal["amqp", "amqp_websocket"], Meta(description="`amqp` uses port 5671, `amqp_websocket` port 443.")
    ] = "amqp"
    proxy: Annotated[
        Secret | None,
        Meta(
            description="HTTP proxy, also of the schema registry. Implies `amqp_websocket`. An identity signs in"
            " through `HTTPS_PROXY`.",
            examples=["http://proxy.example:3128"],
        ),
    ] = None
    custom_endpoint: Annotated[
        str | None,
        Meta(
            description="Address to connect to instead of the namespace's (private link).", examples=["10.0.0.4:5671"]
        ),
    ] = None
    ca_file: Annotated[
        str | None,
        Meta(
            description="CA bundle instead of the system's. The sign-in of an identity trusts it beside the system's.",
            examples=["/etc/ssl/private-ca.pem"],
        ),
    ] = None
    load_balancing_interval: Annotated[
        float, Meta(ge=0.1, le=1100, description="Seconds between two balancing rounds.", examples=["10"])
    ] = 10.0
    # With 5 s a worker may trust its lease for 3 (`supervisor.ownership.trust.trust_window_s`), about what its start
    # takes.
    ownership_expiration: Annotated[
        float,
        Meta(ge=5, le=3600, description="Seconds that a lease lasts. More than 3 × the interval.", examples=["60"]),
    ] = 60.0
    load_balancing_strategy: Annotated[
        Literal["greedy", "balanced"],
        Meta(description="`greedy` claims all free partitions at once, `balanced` one in each round."),
    ] = "greedy"
    on_gap: Annotated[
        Literal["fail", "warn"],
        Meta(description="If sequence numbers are missing (retention removed events): stop, or warn and go on."),
    ] = "fail"
    body: Annotated[
        Literal["auto", "raw"],
        Meta(
            description="`auto` decodes bodies by content encoding and content type (docs/bodies.md). `raw` takes them"
            " as JSON or as bytes."
        ),
    ] = "auto"
    schema_registry: Annotated[
        str | None,
        Meta(
            description="Namespace of the Azure Schema Registry, for `avro/binary+ID` bodies.",
            examples=["name.servicebus.windows.net"],
        ),
    ] = None
    avro_schema_file: Annotated[
        str | None,
        Meta(
            description="Avro schema of bodies whose messages name none (docs/bodies.md).",
            examples=["/etc/evsup/flight.avsc"],
        ),
    ] = None
    retention_hours: Annotated[
        Annotated[int, Meta(ge=1, le=2160)] | None,
        Meta(
            description="The hub's retention. `status` and metrics then show the time to loss. Empty: not known.",
            examples=["24"],
        ),
    ] = None


class SnowflakeSettings(Struct, frozen=True, kw_only=True):
    """Where rows go, and how Snowpipe Streaming writes them."""

    prefix: ClassVar[str] = "SNOWFLAKE_"
    title: ClassVar[str] = "Snowflake"

    account: Annotated[
        str, Meta(description="Account identifier, or the account's address.", examples=["myorg-myaccount"])
    ]
    user: Annotated[str, Meta(description="User that evsup signs in as.", examples=["EVSUP"])]
    role: Annotated[
        str | None, Meta(description="Role. Empty: the user's default role.", examples=["EVSUP_LOADER"])
    ] = None
    database: Annotated[str, Meta(description="Target database.", examples=["EVENTS"])]
    schema: Annotated[str, Meta(description="Target schema.", examples=["PUBLIC"])]
    table: Annotated[str, Meta(description="Target table.", examples=["FLIGHTS"])]
    pipe: Annotated[
        str | None,
        Meta(
            description="Named pipe. Empty: the default pipe `<TABLE>-STREAMING`.",
            examples=["FLIGHTS_PIPE"],
        ),
    ] = None
    private_key_file: Annotated[
        str | None,
        Meta(description="Private key of the key pair: RSA, as PEM or DER.", examples=["/etc/evsup/rsa_key.p8"]),
    ] = None
    private_key: Annotated[
        Secret | None,
        Meta(description="The private key itself instead of a file.", examples=["-----BEGIN PRIVATE KEY-----…"]),
    ] = None
    private_key_passphrase: Annotated[
        Secret | None, Meta(description="Passphrase of an encrypted key.", examples=["…"])
    ] = None
    oauth_client_id: Annotated[
        str | None,
        Meta(description="OAuth client credentials instead of a key pair.", examples=["0oa1b2c3d4"]),
    ] = None
    oauth_client_secret_file: Annotated[
        str | None, Meta(description="File with the client's secret.", examples=["/etc/evsup/client_secret"])
    ] = None
    oauth_client_secret: Annotated[
        Secret | None, Meta(description="The secret itself instead of a file.", examples=["…"])
    ] = None
    oauth_token_endpoint: Annotated[
        str | None,
        Meta(
            description="Address at which the authorization server gives tokens.",
            examples=["https://login.microsoftonline.com/TENANT/oauth2/v2.0/token"],
        ),
    ] = None
    oauth_scope: Annotated[
        str | None,
        Meta(
            description="Scope of the token. Empty: `session:role:` and the role.",
            examples=["api://evsup/.default"],
        ),
    ] = None
    url: Annotated[
        str | None,
        Meta(
            description="Address with port, instead of the account's.",
            examples=["https://myorg-myaccount.snowflakecomputing.com:443"],
        ),
    ] = None
    ca_file: Annotated[
        str | None,
        Meta(
            description="CA bundle that is trusted beside the public ones (private link, TLS-inspecting proxy).",
            examples=["/etc/ssl/private-ca.pem"],
        ),
    ] = None
    warehouse: Annotated[
        str | None,
        Meta(
            description="Warehouse for SQL (Snowflake store, quarantine, `verify`, `replay`, `set --table-end`).",
            examples=["EVSUP_WH"],
        ),
    ] = None
    channel_prefix: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9_]{1,64}$",
            description="First part of every channel's name. Hub, consumer group and partition follow.",
            examples=["evsup"],
        ),
    ] = "evsup"
    commit_timeout: Annotated[
        float,
        Meta(
            ge=1,
            le=3600,
            description="Seconds that an append may stay uncommitted before the worker fails.",
            examples=["120"],
        ),
    ] = 120.0
    max_inflight_rows: Annotated[
        int,
        Meta(
            ge=1,
            le=100_000_000,
            description="How many rows may be appended and not yet committed.",
            examples=["1000000"],
        ),
    ] = 1_000_000
    max_inflight_bytes: Annotated[
        int,
        Meta(
            ge=1_000_000,
            le=64 * 1024**3,
            description="How many bytes of row JSON may be appended and not yet committed. A worker holds them in"
            " memory only while Snowflake takes none.",
            examples=["268435456"],
        ),
    ] = 256 * 1024 * 1024
    row_format: Annotated[
        Literal["envelope", "columns"],
        Meta(description="`envelope`: one VARIANT and metadata columns. `columns`: top-level keys are the columns."),
    ] = "envelope"
    on_unknown_key: Annotated[
        Literal["keep", "fail", "evolve"],
        Meta(description="With `columns`, a key without a column: keep it in `_EVSUP`, stop, or let Snowflake add it."),
    ] = "keep"
    on_decode_error: Annotated[
        Literal["keep", "fail"],
        Meta(description="If a body is not JSON: keep it in `RAW_BODY` (`columns`: `_EVSUP`), or stop."),
    ] = "keep"
    on_reject: Annotated[
        Literal["fail", "quarantine"],
        Meta(description="If Snowflake rejects rows: stop, or write them to `<TABLE>_QUARANTINE` and go on."),
    ] = "fail"
    check_columns: Annotated[
        bool,
        Meta(
            description="`false` starts without checking columns and pipe (no grant, no SQL), and says so in the log.",
            examples=["true"],
        ),
    ] = True
    streaming_properties: Annotated[
        dict[str, str],
        Meta(
            description="JSON object that is passed to the streaming SDK's client as it is.",
            examples=['{"application": "my_pipeline"}'],
        ),
    ] = {}

    @property
    def evolves(self) -> bool:
        """Whether Snowflake is to add a column for each new key."""
        return self.row_format == "columns" and self.on_unknown_key == "evolve"

    def beside(self, table: str) -> "SnowflakeSettings":
        """The same for a table beside the target, which gets no column for a new key."""
        on_unknown_key = "keep" if self.evolves else self.on_unknown_key
        return structs.replace(self, table=table, pipe=None, on_unknown_key=on_unknown_key)

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

    store: Annotated[
        Literal["sqlite", "postgres", "snowflake"],
        Meta(description="Where control tables are kept. `sqlite` serves one host only."),
    ] = "sqlite"
    sqlite_path: Annotated[
        str, Meta(description="File of the SQLite control store.", examples=["/var/lib/evsup/control.db"])
    ] = "~/.local/state/evsup/control.db"
    postgres_dsn: Annotated[
        Secret | None,
        Meta(
            description="Any libpq connection string, with its TLS settings.",
            examples=["postgresql://evsup@db.example/evsup?sslmode=verify-full"],
        ),
    ] = None
    snowflake_database: Annotated[
        str | None, Meta(description="Database of the Hybrid Tables. Empty: the target's.", examples=["EVENTS"])
    ] = None
    snowflake_schema: Annotated[
        str | None, Meta(description="Schema of the Hybrid Tables. Empty: the target's.", examples=["EVSUP"])
    ] = None
    ownership_mode: Annotated[
        Literal["durable", "local_single_consumer_smoke"],
        Meta(
            description="`local_single_consumer_smoke` keeps ownership in memory: a diagnostic for one consumer only."
        ),
    ] = "durable"


class ProcessSettings(Struct, frozen=True, kw_only=True):
    """How the process tree runs on this host."""

    prefix: ClassVar[str] = "EVSUP_"
    title: ClassVar[str] = "Process"

    max_partitions: Annotated[
        Count | None,
        Meta(description="How many partitions this supervisor may claim. Empty: all.", examples=["4"]),
    ] = None
    drain_timeout: Annotated[
        float,
        Meta(
            gt=0, le=3600, description="Seconds that a drain may take before the tree stops at once.", examples=["30"]
        ),
    ] = 30.0
    state_dir: Annotated[
        str | None,
        Meta(
            description="Lock, socket, crash reports. Empty: `$XDG_RUNTIME_DIR/evsup`, `/run/evsup` or a temp dir.",
            examples=["/run/evsup"],
        ),
    ] = None
    http_address: Annotated[
        str | None,
        Meta(
            description="IP:PORT of a page, `/metrics`, `/healthz`, `/readyz`, `/status`; no password. Empty: off.",
            examples=["127.0.0.1:9464"],
        ),
    ] = None
    mapper: Annotated[
        str | None,
        Meta(
            description="`package.module:function` that makes a row of an event (docs/mapper.md). Empty: evsup does.",
            examples=["flights.mapper:mask"],
        ),
    ] = None
    log_format: Annotated[
        Literal["text", "json"] | None, Meta(description="Empty: `text` on a terminal, else `json`.")
    ] = None
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="Lowest level that is logged.")
    ] = "info"


class Settings(Struct, frozen=True, kw_only=True):
    """The effective settings of one process."""

    eventhub: EventHubSettings
    snowflake: SnowflakeSettings
    control: ControlSettings
    process: ProcessSettings
