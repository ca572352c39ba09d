"""Rules of `CONTROL_*`."""

import os
from collections.abc import Iterator

from shared.config.faults import Fault
from shared.config.settings import Settings
from shared.errors import ConfigurationError


def postgres_has_a_dsn(settings: Settings) -> Iterator[Fault]:
    """CONTROL_POSTGRES_DSN is set: without one, libpq would connect to a local server."""
    control = settings.control
    if control.store == "postgres" and control.postgres_dsn is None:
        yield Fault("CONTROL_POSTGRES_DSN", "is required with CONTROL_STORE=postgres")


def postgres_dsn_parses(settings: Settings) -> Iterator[Fault]:
    """The DSN can be parsed, as the store itself parses it. It is not shown, because it holds a password."""
    control = settings.control
    if control.store != "postgres" or control.postgres_dsn is None:
        return
    from shared.config.formats import dsn  # loads libpq, which the other stores do without

    try:
        dsn.parse(control.postgres_dsn)
    except ConfigurationError:
        yield Fault(
            "CONTROL_POSTGRES_DSN",
            "is not a libpq connection string: a URL (special characters in the password as %XX), or key=value pairs"
            " (values with spaces in single quotes)",
        )


def sqlite_path_is_a_file(settings: Settings) -> Iterator[Fault]:
    """The path names a file, or nothing yet: `evsup init` creates it."""
    control = settings.control
    path = control.sqlite_path  # `os.path`, for pathlib raises for a name that is too long
    if control.store == "sqlite" and os.path.exists(path) and not os.path.isfile(path):  # noqa: PTH110, PTH113
        what = "a directory" if os.path.isdir(path) else "a pipe or a device"  # noqa: PTH112
        yield Fault("CONTROL_SQLITE_PATH", f"is {what}; the path of a file is needed")


def snowflake_has_a_warehouse(settings: Settings) -> Iterator[Fault]:
    """There is a warehouse: Hybrid Tables need one (https://docs.snowflake.com/en/user-guide/tables-hybrid-create)."""
    if settings.control.store == "snowflake" and settings.snowflake.warehouse is None:
        yield Fault("SNOWFLAKE_WAREHOUSE", "is required with CONTROL_STORE=snowflake")


def smoke_is_of_snowflake(settings: Settings) -> Iterator[Fault]:
    """The diagnostic mode goes with Snowflake only: in the other stores ownership is always durable."""
    if settings.control.ownership_mode != "durable" and settings.control.store != "snowflake":
        yield Fault("CONTROL_OWNERSHIP_MODE", "is a diagnostic of CONTROL_STORE=snowflake alone", "durable")


def dsn_is_used(settings: Settings) -> Iterator[str]:
    """Warn of a DSN that another store ignores: two hosts would each keep an ownership of their own."""
    control = settings.control
    if control.store != "postgres" and control.postgres_dsn is not None:
        yield f"CONTROL_POSTGRES_DSN is not used: CONTROL_STORE={control.store}"


def ownership_is_durable(settings: Settings) -> Iterator[str]:
    """Warn of the diagnostic mode at every start, so that nobody keeps it running."""
    if settings.control.ownership_mode != "durable":
        yield (
            "CONTROL_OWNERSHIP_MODE=local_single_consumer_smoke is a diagnostic: ownership is in memory, so run one"
            " consumer only, and never in production"
        )


RULES = (
    (smoke_is_of_snowflake, ("CONTROL_STORE", "CONTROL_OWNERSHIP_MODE")),
    (snowflake_has_a_warehouse, ("CONTROL_STORE", "SNOWFLAKE_WAREHOUSE")),
    (postgres_has_a_dsn, ("CONTROL_STORE",)),
    (postgres_dsn_parses, ("CONTROL_STORE", "CONTROL_POSTGRES_DSN")),
    (sqlite_path_is_a_file, ("CONTROL_STORE", "CONTROL_SQLITE_PATH")),
)
CAUTIONS = (dsn_is_used, ownership_is_durable)
