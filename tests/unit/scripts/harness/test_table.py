"""The count that every proof rests on, over a real table that lies in every way."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from scripts.harness.table import PartitionCount, count, foreign_bodies, total
from scripts.localcloud.cloud import DATABASE, SCHEMA, TABLE
from scripts.localcloud.snow.tables.column import column
from scripts.localcloud.snow.tables.warehouse import Table, Warehouse

EVENTS = Table(
    DATABASE,
    SCHEMA,
    TABLE,
    (column("PAYLOAD", "VARIANT"), column("PARTITION_ID", "VARCHAR"), column("SEQUENCE_NUMBER", "NUMBER(38,0)")),
)


class Snow:
    """The warehouse of the local Snowflake, without its server."""

    def __init__(self) -> None:
        self.warehouse = Warehouse()
        self.warehouse.create(EVENTS)

    def query(self, sql: str) -> list[list[Any]]:
        return self.warehouse.query(sql, None, None).rows

    def load(self, partition: str, numbers: Iterable[int], shift: int = 0) -> None:
        """A row of each number, with the body of the event `shift` further."""
        rows = (
            {"PARTITION_ID": partition, "SEQUENCE_NUMBER": n, "PAYLOAD": {"partition": partition, "n": n + shift}}
            for n in numbers
        )
        self.warehouse.load(EVENTS, b"\n".join(json.dumps(row).encode() for row in rows))


@pytest.fixture
def snow() -> Iterator[Snow]:
    made = Snow()
    yield made
    made.warehouse.close()


@pytest.mark.parametrize(
    ("numbers", "gaps", "duplicates", "is_whole"),
    [
        (range(10), 0, 0, True),
        ([*range(4), *range(5, 10)], 1, 0, False),
        (range(9), 0, 0, False),
        (range(1, 10), 0, 0, False),
        (range(11), 0, 0, False),
        ([*range(10), 3], 0, 1, False),
        ([*range(9), 3], 0, 1, False),
    ],
    ids=["whole", "a gap", "no end", "no beginning", "one that nobody sent", "one twice", "one twice, one missing"],
)
def test_only_each_of_ten_events_once_is_whole(
    snow: Snow, numbers: Iterable[int], gaps: int, duplicates: int, is_whole: bool
) -> None:
    snow.load("0", numbers)
    held = count(snow)["0"]
    assert (held.gaps, held.duplicates, held.is_whole(10)) == (gaps, duplicates, is_whole)


def test_partitions_are_counted_apart_and_one_without_rows_is_whole_when_nothing_was_sent(snow: Snow) -> None:
    snow.load("0", range(5))
    snow.load("1", range(3))
    assert count(snow) == {"0": PartitionCount(5, 5, 0, 4), "1": PartitionCount(3, 3, 0, 2)}
    assert count(snow, "SEQUENCE_NUMBER <= 1 AND PARTITION_ID = '0'") == {"0": PartitionCount(2, 2, 0, 1)}
    assert total(snow) == 8
    assert PartitionCount().is_whole(0)
    assert not PartitionCount().is_whole(1)


def test_a_row_with_the_body_of_another_event_is_found(snow: Snow) -> None:
    snow.load("0", range(5))
    assert foreign_bodies(snow) == 0
    snow.load("0", [5, 6], shift=1)
    assert foreign_bodies(snow) == 2
