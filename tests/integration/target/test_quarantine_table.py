"""The quarantine by real SQL: which events are missing, that each is quarantined once, and which grants it needs."""

import json
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import pytest
from msgspec import structs

from shared.config.settings import ControlSettings, SnowflakeSettings
from shared.control.open import open_store
from shared.errors import ConfigurationError, ExitCode, NotPermitted, RowsRejected
from shared.ipc.messages import ChannelStatus
from shared.model import Checkpoint, ConsumerGroup
from shared.snowflake.quarantine_table import Coverage, Quarantine, RecentQuarantine, Rejected
from shared.snowflake.session import SqlSession
from shared.snowflake.tables import table_name
from supervisor.check import snowflake as check
from supervisor.target.columns import StoredColumn
from supervisor.target.views import LatestBy, view_statements
from tests.harness.snow.sql import ROLE, SnowSql
from tests.integration.conftest import a_group, snowflake_settings_of
from tests.unit.plain_settings import plain
from worker.sink.rejection import Rejection
from worker.tasks import quarantine

P, NUMBERS = "3", range(10, 20)
BORN_S = datetime(2026, 1, 31, tzinfo=UTC).timestamp()
PAGE = Path(__file__).parents[3] / "docs" / "quarantine.md"


@pytest.fixture(scope="module")
def settings(snow_server: SnowSql) -> SnowflakeSettings:
    return structs.replace(snowflake_settings_of(snow_server.elsewhere()), table="FLIGHTS")


@pytest.fixture
def group() -> ConsumerGroup:
    return a_group()


@pytest.fixture
def tables(settings: SnowflakeSettings, group: ConsumerGroup) -> Iterator[Quarantine]:
    """Events 10 to 19 in the table, but for 12, 13 and 19."""
    with closing(Quarantine(settings, group, BORN_S)) as made, closing(SqlSession(settings)) as session:
        made.create()
        for name in (table_name(settings), made.name):
            session.change(f"DELETE FROM {name}")  # noqa: S608
        take(settings, 9, 10, 11, *range(14, 19), 20)
        yield made


def enqueued_at(second: int) -> str:
    """The enqueued time so many seconds after the hub was created, with a fraction."""
    return (datetime.fromtimestamp(BORN_S, UTC) + timedelta(seconds=second, milliseconds=123)).isoformat()


def take(settings: SnowflakeSettings, *numbers: int, enqueued: str | None = enqueued_at(0)) -> None:
    """Insert events into the target table."""
    table, time = table_name(settings), "NULL" if enqueued is None else f"'{enqueued}'"
    rows = ", ".join(f"('{P}', {number}, {time})" for number in numbers)
    with closing(SqlSession(settings)) as session:
        session.change(f"INSERT INTO {table} (PARTITION_ID, SEQUENCE_NUMBER, ENQUEUED_TIME) VALUES {rows}")  # noqa: S608


def event(number: int, second: int | None = 0, body: bytes | None = b"{}") -> Rejected:
    return Rejected(
        sequence_number=number,
        offset=f"offset-{number}",
        enqueued_time=None if second is None else enqueued_at(second),
        body=None if body is None else body.hex(),
        row_json='{"PAYLOAD": "a\\u0000 \'b\' $1 ü"}',
    )


def put(tables: Quarantine, *events: Rejected, partition_id: str = P, channel: str = "CHANNEL_3") -> None:
    tables.insert(partition_id, events, reason="too long", channel=channel, epoch=7)


def rejection(rows: int) -> Rejection:
    checkpoint = Checkpoint(P, 19, None, 7, 2 + rows)
    return Rejection(ChannelStatus(19, 2 + rows), 2, NUMBERS, "CHANNEL_3", checkpoint)


def test_the_rejected_events_are_those_that_the_table_lacks(tables: Quarantine) -> None:
    assert tables.missing(P, NUMBERS) == [12, 13, 19]
    assert tables.missing("4", NUMBERS) == list(NUMBERS), "another partition's rows are no rows of this one"
    assert quarantine.rejected_events(rejection(3), plain().eventhub, tables) == [12, 13, 19]


def test_more_than_snowflake_counted_are_refused_with_65_and_both_numbers(tables: Quarantine) -> None:
    said = "rejected 2 rows, which cannot be quarantined: the table lacks 3 of the events"
    with pytest.raises(RowsRejected, match=said) as refused:
        quarantine.rejected_events(rejection(2), plain().eventhub, tables)
    assert refused.value.exit_code == ExitCode.DATA


def test_a_row_of_an_event_is_the_one_with_its_number_and_its_enqueued_time(
    tables: Quarantine, settings: SnowflakeSettings
) -> None:
    take(settings, 13, enqueued=None)
    events = [event(10), event(11, second=1), event(12), event(13, second=None), event(14, second=None)]
    assert tables.without_row(P, events) == [11, 12, 13, 14], "none of those without an enqueued time"


def test_what_an_earlier_hub_of_that_name_left_is_not_counted(
    tables: Quarantine, settings: SnowflakeSettings, group: ConsumerGroup
) -> None:
    take(settings, 12, 13, 500, enqueued=enqueued_at(-60))
    take(settings, 19, enqueued=None)
    put(tables, event(9, second=-60), event(501, second=-60), event(13))
    assert tables.missing(P, NUMBERS) == [12, 13], "a row without a time may be of this hub"
    both = tables.count(P, None)[P]
    assert (both.first, both.last, both.rows, both.quarantined) == (9, 20, 11, 1)
    assert tables.recent(P, 10, near=4) == RecentQuarantine(0, 0)
    with closing(Quarantine(settings, group, None)) as any_hub:
        assert any_hub.count(P, None)[P].last == 501
        assert any_hub.recent(P, 10, near=4) == RecentQuarantine(1, 1)


def test_an_event_is_quarantined_once_however_often_that_is_done(tables: Quarantine) -> None:
    put(tables, event(12), partition_id="4")
    put(tables, event(12), event(13))
    put(tables, event(12), event(13), event(19))
    put(tables, event(7, second=None))
    put(tables, event(7, second=None), event(8, second=None))
    both = tables.count(P, None)[P]
    assert (both.rows, both.numbers, both.quarantined) == (14, 14, 5)
    assert tables.missing(P, NUMBERS) == [12, 13, 19], "the table lacks what it lacked"
    put(tables, event(13), event(12, second=1))
    again = tables.count(P, None)[P]
    assert (again.rows, again.repeated) == (15, 1), "an event 12 enqueued at another time is another event"
    put(tables, event(12), event(7, second=None), channel="CHANNEL_3_G1")
    again = tables.count(P, None)[P]
    assert (again.rows, again.repeated) == (16, 2), (
        "an event 7 of another channel, both without an enqueued time, may be another"
    )


def test_each_event_is_in_one_of_the_tables_when_no_quarantined_event_has_a_second_row(
    tables: Quarantine, settings: SnowflakeSettings
) -> None:
    put(tables, event(12), event(13))
    assert tables.coverage(P, NUMBERS) == Coverage(9, None)
    put(tables, event(19))
    take(settings, 10, 10, 14)  # a range that is read again
    put(tables, event(14, second=1))  # its number was given twice
    assert tables.coverage(P, NUMBERS) == Coverage(10, None)
    take(settings, 19)
    assert tables.coverage(P, NUMBERS) == Coverage(10, 19)
    with closing(SqlSession(settings)) as session:
        session.change(f"INSERT INTO {tables.name} SELECT * FROM {tables.name} WHERE SEQUENCE_NUMBER = 13")  # noqa: S608
    assert tables.coverage(P, NUMBERS) == Coverage(10, 13)


def test_without_an_enqueued_time_an_event_of_another_channel_is_another(
    tables: Quarantine, settings: SnowflakeSettings
) -> None:
    for channel in ("CHANNEL_3", "CHANNEL_3_G1"):
        put(tables, event(12, second=None), event(13, second=None), channel=channel)
    assert tables.coverage(P, NUMBERS) == Coverage(9, None)
    with closing(SqlSession(settings)) as session:
        session.change(
            f"INSERT INTO {tables.name} SELECT * FROM {tables.name}"  # noqa: S608
            " WHERE SEQUENCE_NUMBER = 13 AND CHANNEL = 'CHANNEL_3'"
        )
    assert tables.coverage(P, NUMBERS) == Coverage(9, 13), "twice in one channel"
    take(settings, 12, enqueued=None)
    assert tables.coverage(P, NUMBERS) == Coverage(9, 12), "in the table too"


def test_what_is_quarantined_can_be_read_as_it_came(
    tables: Quarantine, settings: SnowflakeSettings, group: ConsumerGroup
) -> None:
    put(tables, event(12, body=b"\x00'\xff$1\\"), event(13, body=None))
    with closing(SqlSession(settings)) as session:
        rows = session.query(
            f"SELECT * FROM {tables.name} WHERE EVENTHUB_NAME = ? ORDER BY SEQUENCE_NUMBER",  # noqa: S608
            group.eventhub_name,
        )
    assert [row["body"] for row in rows] == [b"\x00'\xff$1\\", None]
    [row, _] = rows
    assert (row["partition_id"], row["offset"], row["row_json"]) == (P, "offset-12", event(12).row_json)
    assert (row["reason"], row["channel"], row["epoch"]) == ("too long", "CHANNEL_3", 7)
    assert row["enqueued_time"].isoformat() == event(12).enqueued_time


def test_what_the_page_says_moves_rows_into_the_table(tables: Quarantine, settings: SnowflakeSettings) -> None:
    put(tables, structs.replace(event(12), row_json='{"PAYLOAD": {"a": 1}, "PARTITION_KEY": "key"}'))
    put(tables, structs.replace(event(13), row_json='{"RAW_BODY": "AP8=", "DECODE_ERROR": "not JSON"}'))
    put(tables, structs.replace(event(19), row_json='{"PAYLOAD": null}'))
    [statements] = re.findall(r"```sql\n(.*?);\n```", PAGE.read_text(), re.DOTALL)
    with closing(SqlSession(settings)) as session:
        for statement in statements.split(";\n"):
            session.change(statement)
        moved = session.query("SELECT * FROM FLIGHTS WHERE SEQUENCE_NUMBER IN (12, 13, 19) ORDER BY SEQUENCE_NUMBER")
        assert not session.query("SELECT 1 FROM FLIGHTS_QUARANTINE WHERE SEQUENCE_NUMBER IN (12, 13, 19)")
        nulls = "SELECT SEQUENCE_NUMBER AS N FROM FLIGHTS WHERE PAYLOAD IS NULL AND SEQUENCE_NUMBER IN (12, 13, 19)"
        [without] = session.query(nulls)
    assert [(row["payload"], row["partition_key"], row["raw_body"]) for row in moved] == [
        ('{"a":1}', "key", None),
        (None, None, b"\x00\xff"),
        ("null", None, None),
    ]
    assert without["n"] == 13
    assert moved[0]["enqueued_time"].isoformat() == event(12).enqueued_time


@pytest.mark.parametrize("row_format", ["envelope", "columns"])
def test_the_error_table_has_the_reason_and_the_row_of_an_event(
    tables: Quarantine, settings: SnowflakeSettings, group: ConsumerGroup, row_format: Literal["envelope", "columns"]
) -> None:
    def log(
        number: object,
        message: str,
        enqueued: object = enqueued_at(0),
        partition_id: str = P,
        channel: str | None = "channel_3",
    ) -> None:
        event = {"PARTITION_ID": partition_id, "SEQUENCE_NUMBER": number, "ENQUEUED_TIME": enqueued}
        about = {"error_message": message} | ({"details": {"channel_name": channel}} if channel else {})
        row = {"_EVSUP": {name.lower(): value for name, value in event.items()}} if row_format == "columns" else event
        statement = 'INSERT INTO "FLIGHTS$ERRORS" SELECT CURRENT_TIMESTAMP(), NULL, 1, PARSE_JSON(?), PARSE_JSON(?)'
        with closing(SqlSession(settings)) as session:
            session.change(statement, json.dumps(about), json.dumps(row))

    log(12, "an earlier try", channel=None)
    log(12, "too long")
    log(12, "of another hub that feeds the table", channel="ANOTHER_3")
    log(13, "of an earlier hub", enqueued_at(-60))
    times: list[object] = ["yesterday", None, {}, "99999-13-77"]
    numbers: list[object] = ["many", None, [], "1e400"]
    for number, enqueued in [*((13, time) for time in times), *((number, enqueued_at(0)) for number in numbers)]:
        log(number, "of no event", enqueued)
    log(14, "of another partition", partition_id="4")
    log(30, "of a later event")
    with closing(Quarantine(structs.replace(settings, row_format=row_format), group, BORN_S)) as made:
        [row] = made.logged(P, NUMBERS, "CHANNEL_3").values()
    assert (row.sequence_number, row.enqueued_time, row.reason) == (12, enqueued_at(0), "too long")
    assert "12" in row.row_json
    with closing(SqlSession(settings)) as session:
        session.change('DELETE FROM "FLIGHTS$ERRORS"')


def test_a_row_that_somebody_else_inserted_ends_no_query(settings: SnowflakeSettings, group: ConsumerGroup) -> None:
    keys = structs.replace(settings, table="FOREIGN_KEYS", row_format="columns")
    rows = [{"sequence_number": "many"}, {"enqueued_time": "yesterday"}, {"raw_body": "§"}, {}, [1]]
    rows += [{"partition_id": each} for each in (P, "other")]
    rows += [{"partition_id": P, "sequence_number": number} for number in (-1, 2**63, 10**37)]
    with closing(Quarantine(keys, group, BORN_S)) as made, closing(SqlSession(keys)) as session:
        made.create()
        for row in [{"partition_id": P, "sequence_number": 7, "enqueued_time": enqueued_at(0)}, *rows]:
            session.change("INSERT INTO FOREIGN_KEYS (_EVSUP) SELECT PARSE_JSON(?)", json.dumps(row))
        [(partition, landed)] = made.count(None, None).items()
        assert (partition, landed.rows, landed.first, landed.last) == (P, 1, 7, 7)
        assert made.missing(P, range(6, 9)) == [6, 8]
        columns = [StoredColumn("_EVSUP", "VARIANT")]
        for name, statement in view_statements(keys, columns, LatestBy(), replace=False).items():
            session.change(statement)
            session.query(f"SELECT * FROM {name}")  # noqa: S608


def test_what_was_quarantined_in_the_last_hour_is_counted_without_the_range_that_is_tried_again(
    tables: Quarantine, settings: SnowflakeSettings
) -> None:
    put(tables, event(4))
    with closing(SqlSession(settings)) as session:
        session.change(f"UPDATE {tables.name} SET QUARANTINED_AT = DATEADD(HOUR, -2, CURRENT_TIMESTAMP())")  # noqa: S608
    put(tables, event(5), event(6), event(12))
    assert tables.recent(P, 10, near=4) == RecentQuarantine(2, 1)
    assert tables.recent("4", 10, near=4) == RecentQuarantine(0, 0)


def test_another_group_has_a_quarantine_of_its_own(
    tables: Quarantine, settings: SnowflakeSettings, group: ConsumerGroup
) -> None:
    put(tables, event(12))
    with closing(Quarantine(settings, replace(group, consumer_group="other"), BORN_S)) as other:
        assert other.count(P, None)[P].quarantined == 0


def test_a_quarantine_that_is_not_there_or_not_to_be_used_is_named(
    tables: Quarantine, settings: SnowflakeSettings, snow_server: SnowSql, tmp_path: Path
) -> None:
    with closing(open_store(ControlSettings(sqlite_path=str(tmp_path / "control.db")), a_group(), 60.0)) as store:
        store.initialise()
        outcome = check.quarantine(plain(settings), store)
    assert (outcome.verdict, outcome.detail) == ("ok", f"{tables.name} can be read and written")
    with (
        closing(Quarantine(structs.replace(settings, table="OTHER"), a_group(), None)) as other,
        pytest.raises(ConfigurationError, match=r"OTHER_QUARANTINE.*evsup init --target"),
    ):
        other.check()
    for privilege, table in (("SELECT", "FLIGHTS"), ("SELECT", "FLIGHTS_QUARANTINE"), ("INSERT", "FLIGHTS_QUARANTINE")):
        name = (settings.database, settings.schema, table)
        snow_server.admin.revoke(privilege, name, ROLE)
        with pytest.raises(NotPermitted, match=rf"Insufficient privileges to operate on table '{table}'"):
            tables.check()
        snow_server.admin.grant(privilege, name, ROLE)
