"""EvSnow's control table, read by the real connector and by psycopg from real services."""

from collections.abc import Iterator

import psycopg
import pytest
from snowflake.connector import SnowflakeConnection

from scripts.localcloud.postgres import Postgres
from shared.config.settings import SnowflakeSettings
from shared.errors import ConfigurationError, DataRefused, NotPermitted, ServiceUnavailable
from shared.model import ConsumerGroup
from supervisor.checkpoints.documents import ImportedCheckpoints
from supervisor.checkpoints.importers import evsnow
from supervisor.checkpoints.move import Destination
from tests.harness.evsnow import InPostgres, InSnowflake, metadata_of
from tests.harness.snow.sql import ROLE, SnowSql, ask
from tests.integration.conftest import snowflake_settings_of

GROUP = ConsumerGroup("ns.servicebus.windows.net", "Flights", "evsup")
THEIRS = (GROUP.fully_qualified_namespace.upper(), "flights")  # names of Azure ignore case

Table = InSnowflake | InPostgres


@pytest.fixture
def account(snow_sql: SnowSql) -> SnowflakeSettings:
    return snowflake_settings_of(snow_sql)


@pytest.fixture
def theirs(snow_sql: SnowSql) -> Iterator[SnowflakeConnection]:
    """A session as EvSnow opens it."""
    with snow_sql.connect(paramstyle="qmark") as session:
        yield session


@pytest.fixture(params=["hybrid", "standard", "postgres"])
def table(request: pytest.FixtureRequest, snow_sql: SnowSql, monkeypatch: pytest.MonkeyPatch) -> Table:
    if request.param == "postgres":
        server: Postgres = request.getfixturevalue("postgres")
        monkeypatch.setenv("PGPASSWORD", server.password)
        return InPostgres(server.dsn, snow_sql.schema.lower())
    return in_snowflake(request.getfixturevalue("theirs"), snow_sql.schema, hybrid=request.param == "hybrid")


def in_snowflake(session: SnowflakeConnection, schema: str, *, hybrid: bool = True) -> InSnowflake:
    def change(statement: str, *values: object) -> None:
        ask(session, statement, values)

    return InSnowflake(change, f"DB.{schema}.INGESTION_STATUS", hybrid=hybrid)


def read(table: Table, account: SnowflakeSettings) -> ImportedCheckpoints:
    return evsnow.read(table.address, account, GROUP)


def test_the_hubs_partitions_are_found_and_no_others(table: Table, account: SnowflakeSettings) -> None:
    table.put(*THEIRS, "0", metadata_of(99, "4711"))
    table.put(*THEIRS, "1", metadata_of(2**53 + 1, "geo:7"))
    table.put(THEIRS[0], "trains", "2", metadata_of(5, "5"))
    table.put("other.servicebus.windows.net", "flights", "3", metadata_of(6, "6"))
    found = read(table, account)
    assert found.destinations == {"0": Destination(99, "4711"), "1": Destination(2**53 + 1, "geo:7")}
    assert found.layout.startswith("EvSnow checkpoints in ")
    assert found.layout.endswith(" of INGESTION.PUBLIC.EVENTS")


def test_only_the_newest_row_of_a_partition_counts(theirs: SnowflakeConnection, account: SnowflakeSettings) -> None:
    table = in_snowflake(theirs, account.schema, hybrid=False)
    for age_s, number in ((20, 7), (0, 99), (10, 50)):
        table.put(*THEIRS, "0", metadata_of(number, "4711"), age_s=age_s)
    table.put(*THEIRS, "0", None, age_s=30)
    assert read(table, account).destinations == {"0": Destination(99, "4711")}
    table.put(*THEIRS, "0", None, age_s=-10)
    with pytest.raises(DataRefused, match="partition 0 has no sequence number"):
        read(table, account)


def test_a_bare_waterlevel_is_refused(table: Table, account: SnowflakeSettings) -> None:
    table.put(*THEIRS, "0", metadata_of(99, "4711"))
    table.put(*THEIRS, "1", None)
    with pytest.raises(DataRefused, match="partition 1 has no sequence number"):
        read(table, account)


def test_a_hub_that_is_loaded_into_two_tables_is_refused(table: Table, account: SnowflakeSettings) -> None:
    for target, number in (("EVENTS", 99), ("OTHER", 98)):
        table.put(*THEIRS, "0", metadata_of(number, "4711"), target=target)
    with pytest.raises(DataRefused, match="more than one checkpoint of partition 0"):
        read(table, account)


def test_snowflake_says_what_is_missing(
    snow_sql: SnowSql, theirs: SnowflakeConnection, account: SnowflakeSettings
) -> None:
    for other in ("NOTHING", "EVENTS"):
        with pytest.raises(ConfigurationError, match=f"EvSnow's table DB.{account.schema}.{other} cannot be read"):
            evsnow.read(f"DB.{account.schema}.{other}", account, GROUP)
    table = in_snowflake(theirs, account.schema)
    snow_sql.admin.revoke("SELECT", tuple(table.address.split(".")), ROLE)
    with pytest.raises(NotPermitted, match="GRANT SELECT ON TABLE"):
        read(table, account)


def test_postgres_says_what_is_missing_and_keeps_the_password(postgres: Postgres, account: SnowflakeSettings) -> None:
    wrong = postgres.dsn.replace(postgres.password, "hunter2")
    with psycopg.connect(postgres.dsn, autocommit=True) as session:
        session.execute("CREATE TABLE IF NOT EXISTS not_evsnows (partition_id INTEGER)")
    refusals = (
        (f"{postgres.dsn}#public.nothing", ConfigurationError),
        (f"{postgres.dsn}#public.not_evsnows", ConfigurationError),
        (f"{postgres.dsn}none#public.nothing", ConfigurationError),
        ("postgresql://user:hunter2@host:port/control#public.t", ConfigurationError),
        (f"{wrong}#public.nothing", NotPermitted),
        ("postgresql://user:hunter2@127.0.0.1:1/control#public.t", ServiceUnavailable),
    )
    for address, kind in refusals:
        with pytest.raises(kind, match=r"EvSnow's table public\.\w+ cannot be read") as refused:
            evsnow.read(address, account, GROUP)
        assert "PGPASSWORD" in refused.value.fix
        assert "hunter2" not in str(refused.value)
        assert postgres.password not in str(refused.value)
