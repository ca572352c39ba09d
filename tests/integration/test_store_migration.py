"""Tables of an older evsup are moved forward with the rows they hold, or nothing happens."""

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

from scripts.localcloud.postgres import Postgres
from shared.errors import ConfigurationError
from shared.secret import Secret
from shared.settings import ControlSettings
from shared.store import schema
from shared.store.database import Database
from shared.store.open import open_database
from shared.store.relational import RelationalStore
from shared.store.types import Checkpoint, ConsumerGroup, Ownership, Term
from supervisor.commands.init import init

GROUP = ConsumerGroup("ns.servicebus.windows.net", "flights", "$Default")

# As evsup 0.1.0 made them; never to be changed with the code.
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
    VALUES ('ns.servicebus.windows.net', 'flights', '$Default', '0', 'owner', 'etag', 7, NOW);
INSERT INTO evsup_checkpoint
    VALUES ('ns.servicebus.windows.net', 'flights', '$Default', '0', 4611686018427387904, 'geo:1', 7, 3, NULL, NOW);
"""


@pytest.fixture
def older_sqlite(tmp_path: Path) -> ControlSettings:
    path = tmp_path / "control.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(VERSION_1.replace("NOW", "1700000000.0"))
    return ControlSettings(sqlite_path=str(path))


@pytest.fixture
def older_postgres(postgres: Postgres, tmp_path: Path) -> ControlSettings:
    name = re.sub(r"\W", "_", tmp_path.name)
    with psycopg.connect(postgres.dsn, autocommit=True) as session:
        session.execute(f"CREATE SCHEMA {name}".encode())
        session.execute(f"SET search_path = {name}; {VERSION_1.replace('NOW', 'now()')}".encode())
    dsn = psycopg.conninfo.make_conninfo(postgres.dsn, options=f"-csearch_path={name}")
    return ControlSettings(store="postgres", postgres_dsn=Secret(dsn))


@pytest.fixture(params=["sqlite", "postgres"])
def older(request: pytest.FixtureRequest) -> ControlSettings:
    """A control store of version 1 with an owner and a checkpoint."""
    found: ControlSettings = request.getfixturevalue(f"older_{request.param}")
    return found


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, older: ControlSettings) -> Callable[..., Result]:
    """Run `evsup init` on it."""
    loaded = SimpleNamespace(settings=SimpleNamespace(control=older, snowflake=None))
    monkeypatch.setattr("supervisor.commands.init.load", lambda _: loaded)
    return lambda *arguments: CliRunner().invoke(init, arguments)


def rows(database: Database) -> tuple[list[Ownership], list[Checkpoint]]:
    store = RelationalStore(database, GROUP, 60.0)
    return store.ownerships(), [replace(row, updated_at_s=None) for row in store.checkpoints()]


def test_a_start_on_older_tables_names_the_command_that_moves_them(older: ControlSettings) -> None:
    refused = pytest.raises(ConfigurationError, match=r"version 1, this evsup needs version 2.*evsup init")
    with closing(open_database(older)) as database, refused:
        schema.check(database)


def test_init_moves_older_tables_forward_and_keeps_their_rows(older: ControlSettings, run: Callable[..., Any]) -> None:
    told = run()
    assert "moved from version 1 to 2" in told.stderr
    with closing(open_database(older)) as database:
        schema.check(database)
        owners, checkpoints = rows(database)
        assert [(owner.owner_id, owner.epoch) for owner in owners] == [("owner", 7)]
        assert checkpoints == [Checkpoint("0", 2**62, "geo:1", 7, 3)]
        store = RelationalStore(database, GROUP, 60.0)
        assert store.claim("0", "next", 0.0) == Term("0", "next", 8)
        store.move_checkpoint(Checkpoint("0", 5, None, 8), "me@host", "set")
        assert rows(database)[1] == [Checkpoint("0", 5, None, 8, channel_generation=1, begins_after=5)]
    assert "are ready" in run().stderr


def test_a_migration_that_fails_changes_nothing(older: ControlSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(schema._MIGRATIONS, 2, ("add_channel_generation", "add_channel_generation"))
    with closing(open_database(older)) as database:
        with pytest.raises(Exception, match="channel_generation"):
            schema.create(database)
        monkeypatch.undo()
        assert schema.version(database) == 1
        assert schema.create(database) == 1


def test_init_print_shows_what_would_run_on_these_tables(older: ControlSettings, run: Callable[..., Any]) -> None:
    printed = run("--print").stdout
    assert "ADD COLUMN channel_generation" in printed
    with closing(open_database(older)) as database:
        assert schema.version(database) == 1
    run()
    assert "ADD COLUMN" not in run("--print").stdout
