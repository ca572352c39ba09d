"""Snowflake's checks name the grant or the statement that is missing."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from shared.errors import ConfigurationError, DoesNotExist, NotPermitted, StoreUnavailable
from shared.snowflake.session import Row
from supervisor.check.runner import Outcome
from supervisor.check.snowflake import SnowflakeChecks, quarantine
from tests.unit.plain_settings import plain, snowflake
from tests.unit.shared.control.stores import Clock, Stores


class OnlyInsert:
    """A session of a role that may insert and not describe. It sees these names."""

    def __init__(self, databases: Sequence[str], schemas: Sequence[str], tables: Sequence[str]) -> None:
        self._listed = {"SHOW DATABASES": databases, "SHOW SCHEMAS": schemas, "SHOW TABLES": tables}

    def query(self, statement: str, /) -> list[Row]:
        if statement.startswith("DESCRIBE"):
            raise DoesNotExist("Snowflake failed", "does not exist or not authorized")
        [listed] = [names for begin, names in self._listed.items() if statement.startswith(begin)]
        if statement.startswith("SHOW TABLES") and not self._listed["SHOW SCHEMAS"]:
            raise DoesNotExist("Snowflake failed", "Object does not exist, or operation cannot be performed.")
        return [{"name": name, "error_logging": "N"} for name in listed]


def checks(*tables: str) -> SnowflakeChecks:
    return SnowflakeChecks(snowflake(), OnlyInsert(["EVENTS"], ["PUBLIC"], tables))


def test_a_role_that_may_only_insert_is_not_permitted_and_the_grant_is_named() -> None:
    with pytest.raises(NotPermitted) as refused:
        checks("OTHER", "FLIGHTS").target()
    assert refused.value.fix == 'GRANT REFERENCES ON TABLE "EVENTS"."PUBLIC"."FLIGHTS" TO ROLE …;'


ABSENT = [
    ([], [], 'database "EVENTS"', "SNOWFLAKE_DATABASE", 'GRANT USAGE ON DATABASE "EVENTS" TO ROLE "LOADER";'),
    (
        ["EVENTS"],
        [],
        'schema "EVENTS"."PUBLIC"',
        "SNOWFLAKE_SCHEMA",
        'USAGE ON SCHEMA "EVENTS"."PUBLIC" TO ROLE "LOADER";',
    ),
    (["EVENTS"], ["PUBLIC"], "table", "SNOWFLAKE_TABLE", 'INSERT, REFERENCES ON TABLE "EVENTS"."PUBLIC"."FLIGHTS" TO'),
]


@pytest.mark.parametrize(("databases", "schemas", "what", "setting", "grant"), ABSENT)
def test_the_first_name_of_the_target_that_leads_nowhere_is_named_with_its_grant(
    databases: list[str], schemas: list[str], what: str, setting: str, grant: str
) -> None:
    session = OnlyInsert(databases, schemas, ["OTHER"])
    with pytest.raises(ConfigurationError) as refused:
        SnowflakeChecks(snowflake(role="LOADER"), session).target()
    assert refused.value.what.startswith(f"There is no {what}")
    assert setting in refused.value.fix
    assert grant in refused.value.fix


class WithoutWarehouse:
    """A session that Snowflake has opened without the warehouse that was asked for."""

    def query(self, statement: str, /) -> list[Row]:
        return [{"user_name": "EVSUP", "role_name": "LOADER", "warehouse_name": None}]


def test_a_warehouse_that_cannot_be_used_is_named_with_its_grant() -> None:
    by_oauth = {"oauth_client_id": "id", "role": "LOADER"}
    without = SnowflakeChecks(snowflake(**by_oauth), WithoutWarehouse()).login()
    assert (without.verdict, without.fix[:24]) == ("warn", "Set SNOWFLAKE_WAREHOUSE:")
    unusable = SnowflakeChecks(snowflake(warehouse="nope", **by_oauth), WithoutWarehouse()).login()
    assert 'no warehouse "NOPE" that the role can use' in unusable.detail
    assert 'GRANT USAGE ON WAREHOUSE "NOPE" TO ROLE "LOADER";' in unusable.fix


def test_rejected_rows_that_are_not_kept_are_a_warning() -> None:
    outcome = checks("FLIGHTS").error_logging()
    assert outcome.fix == 'ALTER TABLE "EVENTS"."PUBLIC"."FLIGHTS" SET ERROR_LOGGING = TRUE;'


class MayNotReadErrors:
    """A session of a role without SELECT ERROR TABLE, of a table that logs errors."""

    def query(self, statement: str, /) -> list[Row]:
        if "ERROR_TABLE" in statement:
            raise NotPermitted("Snowflake failed", "insufficient privileges")
        return [{"name": "FLIGHTS", "error_logging": "ON"}]


def test_a_quarantine_without_the_reason_of_each_row_is_a_warning_with_the_grant() -> None:
    assert SnowflakeChecks(snowflake(), MayNotReadErrors()).error_logging() == Outcome("on")
    settings = replace(snowflake(), on_reject="quarantine")
    outcome = SnowflakeChecks(settings, MayNotReadErrors()).error_logging()
    assert outcome.verdict == "warn"
    assert outcome.fix == 'GRANT SELECT ERROR TABLE ON TABLE "EVENTS"."PUBLIC"."FLIGHTS" TO ROLE …;'


@pytest.fixture
def stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stores]:
    made = Stores(tmp_path / "control.db", Clock())
    yield made
    made.close()


def test_rows_cannot_be_quarantined_where_the_store_cannot_record_it(stores: Stores) -> None:
    store, wire = stores.open()
    wire.away = True
    with pytest.raises(StoreUnavailable):
        quarantine(plain(), store)
