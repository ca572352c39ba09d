"""Snowflake's checks name the grant or the statement that is missing."""

from collections.abc import Iterator
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
    """A session of a role that may insert and not describe."""

    def __init__(self, *tables: str) -> None:
        self._tables = tables

    def query(self, statement: str, /) -> list[Row]:
        if statement.startswith("DESCRIBE"):
            raise DoesNotExist("Snowflake failed", "does not exist or not authorized")
        return [{"name": name, "error_logging": "N"} for name in self._tables]


def checks(*tables: str) -> SnowflakeChecks:
    return SnowflakeChecks(snowflake(), OnlyInsert(*tables))


def test_a_role_that_may_only_insert_is_not_permitted_and_the_grant_is_named() -> None:
    with pytest.raises(NotPermitted) as refused:
        checks("OTHER", "FLIGHTS").target()
    assert refused.value.fix == 'GRANT REFERENCES ON TABLE "EVENTS"."PUBLIC"."FLIGHTS" TO ROLE …;'


def test_a_table_that_does_not_exist_is_a_fault_of_the_configuration() -> None:
    with pytest.raises(ConfigurationError, match="init --target"):
        checks("OTHER").target()


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
