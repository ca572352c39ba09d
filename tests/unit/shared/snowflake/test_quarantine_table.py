"""`evsup verify` and `checkpoints set --table-end` count the target table and, if there is one, the quarantine."""

from contextlib import closing

import pytest

from shared.errors import DoesNotExist
from shared.snowflake.quarantine_table import Quarantine
from shared.snowflake.session import Row, SqlSession
from tests.unit.plain_settings import snowflake
from tests.unit.shared.control.stores import GROUP


def counted(monkeypatch: pytest.MonkeyPatch, on_reject: str, *, is_there: bool = False) -> str:
    """The name of the query by which rows are counted."""

    def query(_: SqlSession, statement: str, *__: object) -> list[Row]:
        if "FLIGHTS_QUARANTINE" in statement and not is_there:
            raise DoesNotExist("There is no FLIGHTS_QUARANTINE")
        return []

    monkeypatch.setattr(SqlSession, "query", query)
    with closing(Quarantine(snowflake(on_reject=on_reject), GROUP, 1.0)) as tables:
        tables.leave_out_if_missing()
        assert not tables.count(None, None), "it can be counted"
        return tables.rows_are


def test_without_a_quarantine_only_the_target_table_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert counted(monkeypatch, "fail") == "in_table"


def test_an_existing_quarantine_is_counted_whatever_the_settings_say(monkeypatch: pytest.MonkeyPatch) -> None:
    assert counted(monkeypatch, "fail", is_there=True) == "in_both"


def test_a_missing_quarantine_that_the_settings_ask_for_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DoesNotExist):
        counted(monkeypatch, "quarantine")
