"""Rules of `CONTROL_*`."""

import os
from collections.abc import Iterator

from shared.fault import Fault
from shared.settings import Settings


def postgres_has_a_dsn(settings: Settings) -> Iterator[Fault]:
    """Nothing is guessed: libpq would take an absent DSN for the local server."""
    control = settings.control
    if control.store == "postgres" and control.postgres_dsn is None:
        yield Fault("CONTROL_POSTGRES_DSN", "is required with CONTROL_STORE=postgres")


def postgres_dsn_parses(settings: Settings) -> Iterator[Fault]:
    """By libpq itself. Its message is not shown: it quotes the DSN, password and all."""
    control = settings.control
    if control.store != "postgres" or control.postgres_dsn is None:
        return
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    try:
        conninfo_to_dict(control.postgres_dsn.reveal())
    except psycopg.Error:
        yield Fault(
            "CONTROL_POSTGRES_DSN",
            "is not a libpq connection string: a URL (special characters in the password as %XX), or key=value pairs"
            " (values with spaces in single quotes)",
        )


def sqlite_path_is_a_file(settings: Settings) -> Iterator[Fault]:
    """The file is made when it is not there."""
    control = settings.control
    if control.store == "sqlite" and os.path.isdir(control.sqlite_path):  # noqa: PTH112 (pathlib raises for a name too long)
        yield Fault("CONTROL_SQLITE_PATH", "is a directory; the path of a file in it is needed")


def dsn_is_used(settings: Settings) -> Iterator[str]:
    """A DSN without the store: two hosts would each keep their own ownership and never know."""
    control = settings.control
    if control.store != "postgres" and control.postgres_dsn is not None:
        yield f"CONTROL_POSTGRES_DSN is not used: CONTROL_STORE={control.store}"


RULES = (
    (postgres_has_a_dsn, ("CONTROL_STORE",)),
    (postgres_dsn_parses, ("CONTROL_STORE", "CONTROL_POSTGRES_DSN")),
    (sqlite_path_is_a_file, ("CONTROL_STORE", "CONTROL_SQLITE_PATH")),
)
CAUTIONS = (dsn_is_used,)
