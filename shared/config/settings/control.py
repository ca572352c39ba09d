"""Settings of the control store."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta, Struct

from shared.log.secret import Secret


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
