"""Tables of an older evsup are migrated with all their rows, or not at all."""

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner, Result
from msgspec import structs

from scripts.localcloud.postgres import Postgres
from shared.config.settings import ControlSettings
from shared.control import schema
from shared.control.database import Database
from shared.control.open import open_database
from shared.control.queries import query
from shared.control.store import ControlStore
from shared.errors import ConfigurationError
from shared.log.secret import Secret
from shared.model import Checkpoint, ConsumerGroup, Ownership, Term
from shared.snowflake.session import SqlSession
from supervisor.commands.init import init
from tests.harness.snow.sql import SnowSql
from tests.integration.conftest import snowflake_settings_of
from tests.unit.plain_settings import plain

GROUP = ConsumerGroup("ns.servicebus.windows.net", "flights", "readers")

# As older versions made them; never to be changed with the code.
VERSION_1 = """
CREATE TABLE evsup_schema (name TEXT NOT NULL PRIMARY KEY, version BIGINT NOT NULL);
CREATE TABLE evsup_ownership (
    fully_qualified_namespace TEXT NOT NULL,
    eventhub_name TEXT NOT NULL,
    consumer_group TEXT NOT NULL,
    partition_id TEXT NOT NULL,
    owner_id TEXT NOT NULL,
    etag TEXT NOT NULL,
    epoch BIGINT NOT NULL,
    last_modified_time TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (fully_qualified_namespace, eventhub_name, consumer_group, partition_id)
);
CREATE TABLE evsup_checkpoint (
    fully_qualified_namespace TEXT NOT NULL,
    eventhub_name TEXT NOT NULL,
    consumer_group TEXT NOT NULL,
    partition_id TEXT NOT NULL,
    sequence_number BIGINT,
    "offset" TEXT,
    epoch BIGINT NOT NULL,
    rows_error_count BIGINT NOT NULL,
    hub_created_at TIMESTAMPTZ,
    updated_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (fully_qualified_namespace, eventhub_name, consumer_group, partition_id)
);
CREATE TABLE evsup_supervisor (
    fully_qualified_namespace TEXT NOT NULL,
    eventhub_name TEXT NOT NULL,
    consumer_group TEXT NOT NULL,
    owner_id TEXT NOT NULL,
    host TEXT NOT NULL,
    pid BIGINT NOT NULL,
    capacity BIGINT,
    version TEXT NOT NULL,
    last_seen TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (fully_qualified_namespace, eventhub_name, consumer_group, owner_id)
);
INSERT INTO evsup_schema (name, version) VALUES ('control', 1);
INSERT INTO evsup_ownership
    VALUES ('ns.servicebus.windows.net', 'flights', 'readers', '0', 'owner', 'etag', 7, NOW);
INSERT INTO evsup_checkpoint
    VALUES ('ns.servicebus.windows.net', 'flights', 'readers', '0', 4611686018427387904, 'geo:1', 7, 3, NULL, NOW);
"""

TO_VERSION_2 = """
ALTER TABLE evsup_checkpoint ADD COLUMN channel_generation BIGINT NOT NULL DEFAULT 0;
ALTER TABLE evsup_checkpoint ADD COLUMN opened_generation BIGINT NOT NULL DEFAULT 0;
ALTER TABLE evsup_checkpoint ADD COLUMN begins_after BIGINT;
CREATE TABLE evsup_audit (
    fully_qualified_namespace TEXT NOT NULL,
    eventhub_name TEXT NOT NULL,
    consumer_group TEXT NOT NULL,
    partition_id TEXT NOT NULL,
    audit_id TEXT NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    before TEXT NOT NULL,
    after TEXT NOT NULL,
    PRIMARY KEY (fully_qualified_namespace, eventhub_name, consumer_group, partition_id, audit_id)
);
UPDATE evsup_schema SET version = 2;
"""
TO_VERSION_3 = """
ALTER TABLE evsup_checkpoint ADD COLUMN enqueued_at TIMESTAMPTZ;
UPDATE evsup_schema SET version = 3;
"""
TO_VERSION_4 = """
ALTER TABLE evsup_ownership ADD COLUMN expiration_s DOUBLE PRECISION;
ALTER TABLE evsup_supervisor ADD COLUMN expiration_s DOUBLE PRECISION;
ALTER TABLE evsup_checkpoint ADD COLUMN unsettled_from BIGINT;
ALTER TABLE evsup_checkpoint ADD COLUMN repeats_up_to BIGINT;
UPDATE evsup_schema SET version = 4;
"""
STEPS = (VERSION_1, TO_VERSION_2, TO_VERSION_3, TO_VERSION_4)
TABLES = {version: "".join(STEPS[:version]) for version in range(1, len(STEPS) + 1)}

VERSION_2_IN_SNOWFLAKE = """
CREATE HYBRID TABLE evsup_checkpoint (
    fully_qualified_namespace VARCHAR(256) NOT NULL,
    eventhub_name VARCHAR(256) NOT NULL,
    consumer_group VARCHAR(256) NOT NULL,
    partition_id VARCHAR(64) NOT NULL,
    sequence_number NUMBER(38, 0),
    "OFFSET" VARCHAR,
    epoch NUMBER(38, 0) NOT NULL,
    rows_error_count NUMBER(38, 0) NOT NULL,
    hub_created_at TIMESTAMP_NTZ,
    updated_at TIMESTAMP_NTZ NOT NULL,
    channel_generation NUMBER(38, 0) DEFAULT 0 NOT NULL,
    opened_generation NUMBER(38, 0) DEFAULT 0 NOT NULL,
    begins_after NUMBER(38, 0),
    PRIMARY KEY (fully_qualified_namespace, eventhub_name, consumer_group, partition_id)
);
INSERT INTO evsup_checkpoint SELECT
    'ns.servicebus.windows.net', 'flights', 'readers', '0', 4611686018427387904, 'geo:1', 7, 3, NULL, SYSDATE(), 0, 0,
    NULL;
UPDATE evsup_schema SET version = 2
"""


def older_in_snowflake(version: int) -> list[str]:
    """What makes tables of today older ones."""
    added = {"evsup_ownership": ["expiration_s"], "evsup_supervisor": ["expiration_s"]}
    if version == 1:
        added["evsup_checkpoint"] = ["channel_generation", "opened_generation", "begins_after"]
    return [
        "DROP TABLE evsup_checkpoint",
        *VERSION_2_IN_SNOWFLAKE.split(";"),
        *(f"ALTER TABLE {table} DROP COLUMN {column}" for table, columns in added.items() for column in columns),
        f"UPDATE evsup_schema SET version = {version}",  # noqa: S608
    ]


def older_sqlite(tables: str, tmp_path: Path) -> ControlSettings:
    path = tmp_path / "control.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(tables.replace("NOW", "1700000000.0"))
    return ControlSettings(sqlite_path=str(path))


def older_postgres(tables: str, tmp_path: Path, postgres: Postgres) -> ControlSettings:
    name = re.sub(r"\W", "_", tmp_path.name)
    with psycopg.connect(postgres.dsn, autocommit=True) as session:
        session.execute(f"CREATE SCHEMA {name}".encode())
        session.execute(f"SET search_path = {name}; {tables.replace('NOW', 'now()')}".encode())
    dsn = psycopg.conninfo.make_conninfo(postgres.dsn, options=f"-csearch_path={name}")
    return ControlSettings(store="postgres", postgres_dsn=Secret(dsn))


@pytest.fixture(params=TABLES)
def version(request: pytest.FixtureRequest) -> int:
    """Of the tables that are found."""
    found: int = request.param
    return found


@pytest.fixture(params=["sqlite", "postgres"])
def older(request: pytest.FixtureRequest, version: int, tmp_path: Path) -> ControlSettings:
    """A control store of an older version with an owner and a checkpoint."""
    if request.param == "sqlite":
        return older_sqlite(TABLES[version], tmp_path)
    return older_postgres(TABLES[version], tmp_path, request.getfixturevalue("postgres"))


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, older: ControlSettings) -> Callable[..., Result]:
    """Run `evsup init` on it."""
    loaded = SimpleNamespace(settings=structs.replace(plain(), control=older))
    monkeypatch.setattr("supervisor.commands.init.load", lambda _: loaded)
    return lambda *arguments: CliRunner().invoke(init, arguments)


def rows(database: Database) -> tuple[list[Ownership], list[Checkpoint]]:
    store = ControlStore(database, GROUP, 60.0)
    return store.ownerships(), [replace(row, updated_at_s=None) for row in store.checkpoints()]


def test_a_start_on_older_tables_names_the_command_that_moves_them(older: ControlSettings, version: int) -> None:
    refused = pytest.raises(ConfigurationError, match=rf"version {version}, this evsup needs version 6.*evsup init")
    with closing(open_database(older)) as database, refused:
        schema.check(database)


def test_init_moves_older_tables_forward_and_keeps_their_rows(
    older: ControlSettings, version: int, run: Callable[..., Any]
) -> None:
    told = run()
    assert f"moved from version {version} to 6" in told.stderr
    with closing(open_database(older)) as database:
        schema.check(database)
        owners, checkpoints = rows(database)
        assert [(owner.owner_id, owner.epoch) for owner in owners] == [("owner", 7)]
        assert checkpoints == [Checkpoint("0", 2**62, "geo:1", 7, 3)]
        store = ControlStore(database, GROUP, 60.0)
        assert store.claim("0", "next", 60.0 if older.store == "sqlite" else 0.001) == Term("0", "next", 8)
        store.move_checkpoint(Checkpoint("0", 5, None, 8), "me@host", "set")
        moved = Checkpoint("0", 5, None, 8, channel_generation=1, begins_after=5, checked_up_to=5)
        assert rows(database)[1] == [moved]
        saved = replace(moved, enqueued_at_s=1700000001.456, unsettled_from=3, repeats_up_to=2, last_enqueued=9)
        saved = replace(saved, checked_up_to=4)
        store.save_checkpoint(saved)
        assert rows(database)[1] == [saved]
    assert "are ready" in run().stderr


@pytest.mark.parametrize(("version", "cut"), [*((1, cut) for cut in range(12)), *((2, cut) for cut in (0, 4, 8))])
def test_init_moves_tables_in_snowflake_forward_also_when_it_was_ended_in_the_middle(
    snow_sql: SnowSql, version: int, cut: int
) -> None:
    """Definitions commit one by one in Snowflake. The first try ends after `cut` of them."""
    account = snowflake_settings_of(snow_sql)
    tables = open_database(ControlSettings(store="snowflake"), account)
    with closing(tables) as database, closing(SqlSession(account)) as session:
        schema.create(database)
        for statement in older_in_snowflake(version):
            session.change(statement)
        with pytest.raises(ConfigurationError, match=rf"version {version}, this evsup needs version 6.*evsup init"):
            schema.check(database)
        added = [name for name in schema.statements(version) if name.startswith("add_")]
        for name in added[:cut]:
            session.change(query(name, "snowflake"))
        assert schema.create(database) == version
        assert schema.create(database) == 6
        schema.check(database)
        assert rows(database)[1] == [Checkpoint("0", 2**62, "geo:1", 7, 3)]


def test_a_migration_that_fails_changes_nothing(
    older: ControlSettings, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(schema.MIGRATIONS, 6, ("add_checked_up_to", "add_checked_up_to"))
    with closing(open_database(older)) as database:
        with pytest.raises(Exception, match="checked_up_to"):
            schema.create(database)
        monkeypatch.undo()
        assert schema.version(database) == version
        assert schema.create(database) == version


def test_init_print_shows_what_would_run_on_these_tables(
    older: ControlSettings, version: int, run: Callable[..., Any]
) -> None:
    printed = run("--print").stdout
    assert "ADD COLUMN target_columns" in printed
    with closing(open_database(older)) as database:
        assert schema.version(database) == version
    run()
    assert "ADD COLUMN" not in run("--print").stdout
