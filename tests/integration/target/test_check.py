"""The check of the target table by real SQL, in a schema of many tables."""

from contextlib import closing

import pytest
from msgspec import structs

from shared.config.formats.identifier import quoted
from shared.errors import EvsupError
from shared.snowflake.session import SqlSession
from supervisor.target.table_kind import find_table
from tests.harness.snow.sql import SnowSql
from tests.integration.conftest import snowflake_settings_of


@pytest.mark.parametrize("table", ["EVENTS", "E_ENTS", "it's", "back\\slash", "a%b", "MiXed"])
def test_a_table_is_found_in_a_schema_of_more_tables_than_snowflake_lists(snow_server: SnowSql, table: str) -> None:
    settings = structs.replace(snowflake_settings_of(snow_server.elsewhere()), table=quoted(table))
    with closing(SqlSession(settings)) as session:
        for name in ("EVENTS", "ENTIRELY_OTHER", "THIRD", table):
            session.change(f"CREATE TABLE IF NOT EXISTS {quoted(name)} (N NUMBER)")
        snow_server.admin.limit_shown(2)
        try:
            with pytest.raises(EvsupError, match="exceeded the max number of rows"):
                session.query("SHOW TABLES")
            found = find_table(session, settings)
        finally:
            snow_server.admin.limit_shown(10_000)
    assert found
    assert found["name"] == table
