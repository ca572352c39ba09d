"""The control store that the settings name."""

from shared.config.settings import ControlSettings, Settings, SnowflakeSettings
from shared.control.database import Database
from shared.control.store import ControlStore
from shared.errors import Bug, ConfigurationError
from shared.eventhubs.client import consumer_group
from shared.model import ConsumerGroup


def store_of(settings: Settings) -> ControlStore:
    """The store of the consumer group that the settings name, as `open_store` opens it."""
    expiration_s = settings.eventhub.ownership_expiration
    return open_store(settings.control, consumer_group(settings.eventhub), expiration_s, settings.snowflake)


def open_store(
    settings: ControlSettings,
    group: ConsumerGroup,
    ownership_expiration_s: float,
    snowflake: SnowflakeSettings | None = None,
) -> ControlStore:
    """The store of a consumer group. Connects at the first call; open it in the process that uses it.

    `snowflake` is the account, for CONTROL_STORE=snowflake.
    """
    return ControlStore(open_database(settings, snowflake), group, ownership_expiration_s)


def open_database(settings: ControlSettings, snowflake: SnowflakeSettings | None = None) -> Database:
    """The database under the store. Connects at the first transaction.

    Each kind is imported where it is used: Postgres alone takes 40 ms and 6 MB in every worker.
    """
    if settings.store == "snowflake":
        if snowflake is None:
            raise Bug("The control store was opened without its account", "CONTROL_STORE=snowflake")
        return _snowflake(snowflake, settings)
    if settings.store == "sqlite":
        from shared.control.sqlite import SqliteDatabase

        return SqliteDatabase(settings.sqlite_path)
    if settings.postgres_dsn is None:
        what = "CONTROL_STORE=postgres needs CONTROL_POSTGRES_DSN"
        raise ConfigurationError(what, fix="Set it to postgresql://user:password@host:5432/database.")
    from shared.control.postgres.database import PostgresDatabase

    return PostgresDatabase(settings.postgres_dsn)


def _snowflake(snowflake: SnowflakeSettings, settings: ControlSettings) -> Database:
    if settings.ownership_mode == "durable":
        from shared.control.snowflake import SnowflakeDatabase

        return SnowflakeDatabase(snowflake, settings)
    from shared.control.smoke import SmokeDatabase

    return SmokeDatabase(snowflake, settings)
