"""Settings of Snowflake."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta, Struct, structs

from shared.config.formats.identifier import stored_name
from shared.log.secret import Secret

DEFAULT_PIPE = "-STREAMING"  # after a table's name: the pipe that Snowflake makes for it


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
            examples=["3000000"],
        ),
    ] = 3_000_000
    max_inflight_bytes: Annotated[
        int,
        Meta(
            ge=1_000_000,
            le=64 * 1024**3,
            description="How many bytes of row JSON may be appended and not yet committed. Memory holds at"
            " most 256 MiB of them, and only while Snowflake takes none.",
            examples=["805306368"],
        ),
    ] = 768 * 1024 * 1024
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
