"""Databases for the control store's tests: a file of SQLite, a real Postgres, and one behind a real PgBouncer."""

import itertools
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest

from scripts.localcloud.pgbouncer import PgBouncer
from scripts.localcloud.postgres import Postgres
from scripts.localcloud.service import ServiceError
from shared.secret import Secret
from shared.settings import ControlSettings
from shared.store.base import ControlStore
from shared.store.open import open_store
from shared.store.types import ConsumerGroup

EXPIRATION_S = 60.0
_names = itertools.count()


def a_group() -> ConsumerGroup:
    """A consumer group that no other test has seen."""
    return ConsumerGroup("ns.servicebus.windows.net", f"hub{next(_names)}", "$Default")


@dataclass
class Site:
    """A database with the control tables, for one test: its own consumer group, any number of store objects."""

    settings: ControlSettings
    group: ConsumerGroup = field(default_factory=a_group)
    stores: list[ControlStore] = field(default_factory=list)

    def open(self) -> ControlStore:
        """A further store object, as another process would have it."""
        self.stores.append(open_store(self.settings, self.group, EXPIRATION_S))
        return self.stores[-1]

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """Do behind the store's back, in autocommit."""
        if self.settings.postgres_dsn is None:
            with closing(sqlite3.connect(self.settings.sqlite_path, isolation_level=None)) as connection:
                return connection.execute(statement).fetchall()
        with psycopg.connect(self.settings.postgres_dsn.reveal(), autocommit=True) as session:
            cursor = session.execute(cast("Any", statement))
            return cursor.fetchall() if cursor.description else []

    def age(self, seconds: float, partition_id: str = "0") -> None:
        """Let a lease look as if it had been renewed that much earlier."""
        past = f"{seconds}" if self.settings.postgres_dsn is None else f"make_interval(secs => {seconds})"
        row = f"eventhub_name = '{self.group.eventhub_name}' AND partition_id = '{partition_id}'"
        self.sql(f"UPDATE evsup_ownership SET last_modified_time = last_modified_time - {past} WHERE {row}")  # noqa: S608


@pytest.fixture(scope="session")
def open_directory() -> Iterator[Path]:
    """For servers, which run as another user when the tests run as root."""
    with tempfile.TemporaryDirectory(prefix="evsup-postgres-") as parent:
        Path(parent).chmod(0o755)
        yield Path(parent)


@pytest.fixture(scope="session")
def postgres(open_directory: Path) -> Iterator[Postgres]:
    with Postgres(open_directory / "server") as server:
        yield server


@pytest.fixture(scope="session")
def pgbouncer(open_directory: Path, postgres: Postgres) -> Iterator[PgBouncer]:
    try:
        pool = PgBouncer(open_directory / "pool", postgres)
    except ServiceError as error:
        pytest.skip(f"no PgBouncer on PATH, and none from Debian: {error}")
    with pool:
        yield pool


@pytest.fixture
def postgres_settings(postgres: Postgres) -> ControlSettings:
    return ControlSettings(store="postgres", postgres_dsn=Secret(postgres.dsn))


@pytest.fixture
def pgbouncer_settings(pgbouncer: PgBouncer) -> ControlSettings:
    return ControlSettings(store="postgres", postgres_dsn=Secret(pgbouncer.dsn))


@pytest.fixture
def sqlite_settings(tmp_path: Path) -> ControlSettings:
    return ControlSettings(store="sqlite", sqlite_path=str(tmp_path / "state" / "control.db"))


@pytest.fixture(params=["sqlite", "postgres", "pgbouncer"])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    made = Site(request.getfixturevalue(f"{request.param}_settings"))
    made.open().initialise()
    yield made
    for store in made.stores:
        store.close()


@pytest.fixture
def store(site: Site) -> ControlStore:
    return site.stores[0]
