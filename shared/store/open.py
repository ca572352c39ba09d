"""The control store that the settings name."""

from shared.errors import ConfigurationError
from shared.settings import ControlSettings
from shared.store.base import ControlStore
from shared.store.database import Database
from shared.store.relational import RelationalStore
from shared.store.sqlite import SqliteDatabase
from shared.store.types import ConsumerGroup


def open_store(settings: ControlSettings, group: ConsumerGroup, ownership_expiration_s: float) -> ControlStore:
    """The store of a consumer group. Connects at the first call; open it in the process that uses it."""
    return RelationalStore(open_database(settings), group, ownership_expiration_s)


def open_database(settings: ControlSettings) -> Database:
    """The database behind the store. Connects at the first transaction."""
    if settings.store == "snowflake" or settings.ownership_mode != "durable":
        raise ConfigurationError(
            "This evsup keeps no control store in Snowflake",
            f"CONTROL_STORE={settings.store}, CONTROL_OWNERSHIP_MODE={settings.ownership_mode}",
            "Set CONTROL_STORE=postgres (several hosts) or sqlite (one host), and leave the mode at durable.",
        )
    if settings.store == "sqlite":
        return SqliteDatabase(settings.sqlite_path)
    if settings.postgres_dsn is None:
        what = "CONTROL_STORE=postgres needs CONTROL_POSTGRES_DSN"
        raise ConfigurationError(what, fix="Set it to postgresql://user:password@host:5432/database.")
    from shared.store.postgres import PostgresDatabase  # half a second of imports that SQLite has no use for

    return PostgresDatabase(settings.postgres_dsn)
