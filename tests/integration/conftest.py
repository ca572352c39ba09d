"""The databases of the control store behind one interface, and services for the real evsup."""

import itertools
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from snowflake.connector import SnowflakeConnection

from scripts.localcloud.pgbouncer import PgBouncer
from scripts.localcloud.postgres import Postgres
from scripts.localcloud.service import ServiceError
from shared.config.settings import ControlSettings, SnowflakeSettings
from shared.control import schema
from shared.control.database import Database
from shared.control.open import open_database, open_store
from shared.control.store import ControlStore
from shared.log.secret import Secret
from shared.model import ConsumerGroup
from shared.snowflake.session import SqlSession
from tests.harness.azure_sdk import sockets
from tests.harness.pipeline import UNCHECKED, Pipeline, pipeline_of
from tests.harness.snow.sql import ACCOUNT, CLAIM, ROLE, USER, WAREHOUSE, SnowSql, ask

EXPIRATION_S = 60.0
_names = itertools.count()


def a_group() -> ConsumerGroup:
    """A consumer group that no other test has seen."""
    return ConsumerGroup("ns.servicebus.windows.net", f"hub{next(_names)}", "$Default")


def snowflake_settings_of(snow: SnowSql) -> SnowflakeSettings:
    """Settings with which evsup's SQL goes to this service."""
    return SnowflakeSettings(
        account=ACCOUNT,
        user=USER,
        role=ROLE,
        database="DB",
        schema=snow.schema,
        table="EVENTS",
        warehouse=WAREHOUSE,
        private_key_file=str(snow.key_file),
        url=f"https://127.0.0.1:{snow.service.ready['port']}",
        ca_file=snow.service.ready["ca_file"],
    )


@dataclass
class Site:
    """A database with the control tables, for one test: its own consumer group, any number of store objects."""

    settings: ControlSettings
    group: ConsumerGroup = field(default_factory=a_group)
    stores: list[ControlStore] = field(default_factory=list)
    snowflake: SnowflakeSettings | None = None

    def open(self) -> ControlStore:
        """A further store object, as another process would have it."""
        self.stores.append(open_store(self.settings, self.group, EXPIRATION_S, self.snowflake))
        return self.stores[-1]

    def database(self) -> Database:
        """The database alone, as a store object would have it."""
        return open_database(self.settings, self.snowflake)

    def beside(self) -> "Site":
        """The same database for another consumer group."""
        return replace(self, group=a_group(), stores=[])

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement without the store, in autocommit."""
        if self.snowflake is not None:
            return self._snow_sql(statement)
        if self.settings.postgres_dsn is None:
            with closing(sqlite3.connect(self.settings.sqlite_path, isolation_level=None)) as connection:
                return connection.execute(statement).fetchall()
        with psycopg.connect(self.settings.postgres_dsn.reveal(), autocommit=True) as session:
            cursor = session.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def age(self, seconds: float, partition_id: str = "0") -> None:
        """Make a lease older by so many seconds."""
        past = {
            "sqlite": f"{seconds}",
            "postgres": f"make_interval(secs => {seconds})",
            "snowflake": f"INTERVAL '{seconds} seconds'",
        }[self.settings.store]
        row = f"eventhub_name = '{self.group.eventhub_name}' AND partition_id = '{partition_id}'"
        self.sql(f"UPDATE evsup_ownership SET last_modified_time = last_modified_time - {past} WHERE {row}")  # noqa: S608

    def _snow_sql(self, statement: str) -> list[tuple[Any, ...]]:
        assert self.snowflake is not None
        with closing(SqlSession(self.snowflake)) as session:
            if statement.startswith("SELECT"):
                return [tuple(row.values()) for row in session.query(statement)]
            session.change(statement)
            return []


@pytest.fixture(scope="module", autouse=True)
def sockets_let_go() -> Iterator[None]:
    yield
    sockets.let_go()


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


@pytest.fixture(scope="session")
def snow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SnowSql]:
    server = SnowSql.start(tmp_path_factory.mktemp("snow"))
    yield server
    assert server.service.stop() == 0


@pytest.fixture(scope="session")
def snowflake(snow_server: SnowSql) -> SnowflakeSettings:
    """An account, and a schema that has the control tables."""
    account = snowflake_settings_of(snow_server.elsewhere())
    with closing(open_database(ControlSettings(store="snowflake"), account)) as database:
        schema.create(database)
    return account


@pytest.fixture
def snowflake_settings() -> ControlSettings:
    return ControlSettings(store="snowflake")


@contextmanager
def opened(settings: ControlSettings, account: SnowflakeSettings | None = None) -> Iterator[Site]:
    """A site with one store object; all of its stores are closed after the block."""
    made = Site(settings, snowflake=account)
    made.open()
    yield made
    for store in made.stores:
        store.close()


@contextmanager
def initialised(settings: ControlSettings, account: SnowflakeSettings | None = None) -> Iterator[Site]:
    """The same, which has its tables."""
    with opened(settings, account) as made:
        made.stores[0].initialise()
        yield made


@pytest.fixture(params=["sqlite", "postgres", "pgbouncer", "snowflake"])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    settings = request.getfixturevalue(f"{request.param}_settings")
    if request.param == "snowflake":  # where each statement takes its time, all tests have the same tables
        with opened(settings, request.getfixturevalue("snowflake")) as made:
            yield made
    else:
        with initialised(settings) as made:
            yield made


@pytest.fixture
def store(site: Site) -> ControlStore:
    return site.stores[0]


@pytest.fixture
def snow_sql(snow_server: SnowSql, monkeypatch: pytest.MonkeyPatch) -> Iterator[SnowSql]:
    """A local Snowflake in a schema of the test's own, which the connector trusts."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", snow_server.service.ready["ca_file"])
    yield snow_server.elsewhere()
    snow_server.admin.clear_faults()


@pytest.fixture
def session(snow_sql: SnowSql) -> Iterator[SnowflakeConnection]:
    """A connection of the official connector."""
    with snow_sql.connect() as connection:
        yield connection


@pytest.fixture
def claims(session: SnowflakeConnection) -> SnowflakeConnection:
    """A connection whose schema has the Hybrid Table CLAIM, with the partitions 0 and 1 in it."""
    ask(session, f"CREATE HYBRID TABLE CLAIM {CLAIM}")
    ask(session, "INSERT INTO CLAIM (P, OWNER, EPOCH) VALUES ('0', 'a', 1), ('1', 'a', 1)")
    return session


# --- the real evsup ---------------------------------------------------------------------------------------------------


@pytest.fixture
def pipeline() -> Iterator[Pipeline]:
    """Services of one partition, for this test alone."""
    with pipeline_of(1, **UNCHECKED) as made:
        yield made


@pytest.fixture
def pipeline2() -> Iterator[Pipeline]:
    """Services of two partitions, for this test alone."""
    with pipeline_of(2, **UNCHECKED) as made:
        yield made
