"""Checkpoints in EvSnow's control table are imported when they are certain, and refused otherwise."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.config.settings import SnowflakeSettings
from shared.errors import DataRefused, UsageError
from shared.model import ConsumerGroup
from supervisor.checkpoints.documents import ImportedCheckpoints
from supervisor.checkpoints.importers import evsnow
from supervisor.checkpoints.move import Destination

GROUP = ConsumerGroup("ns.servicebus.windows.net", "flights", "evsup")
NOBODY = SnowflakeSettings(account="A", user="U", role="R", database="D", schema="S", table="T")


def row(metadata: str | None, partition: str = "0", target: str = "EVENTS") -> dict[str, Any]:
    return {
        "target_db": "INGESTION",
        "target_schema": "PUBLIC",
        "target_table": target,
        "partition_id": partition,
        "metadata": metadata,
    }


def test_sequence_number_and_offset_come_from_the_metadata() -> None:
    metadata = '{"sequence_number": 99, "offset_string": "4711", "consumer_group": "theirs"}'
    found = evsnow.checkpoints_of("Snowflake", [row(metadata), row('{"sequence_number": 0}', "1")])
    assert found.destinations == {"0": Destination(99, "4711"), "1": Destination(0)}
    assert found.layout == "EvSnow checkpoints in Snowflake of INGESTION.PUBLIC.EVENTS"


def test_a_table_without_rows_has_no_checkpoints() -> None:
    assert evsnow.checkpoints_of("PostgreSQL", []) == ImportedCheckpoints("EvSnow checkpoints in PostgreSQL", {})


HOSTILE = (
    None,
    "",
    "99",
    "null",
    "{",
    "[]",
    "{}",
    '"99"',
    "\ud800",
    '{"offset_string": "99"}',
    '{"sequence_number": null}',
    '{"sequence_number": "99"}',
    '{"sequence_number": -1}',
    '{"sequence_number": 99.0}',
    '{"sequence_number": true}',
    '{"sequence_number": [99]}',
    '{"sequence_number": 99, "offset_string": 4711}',
    '{"sequence_number": 99, "x": ' + "[" * 100_000,
)


@pytest.mark.parametrize("metadata", HOSTILE)
def test_a_row_without_a_sequence_number_is_refused_and_its_partition_named(metadata: str | None) -> None:
    with pytest.raises(DataRefused, match="checkpoint of partition 7 has no sequence number") as refused:
        evsnow.checkpoints_of("Snowflake", [row('{"sequence_number": 5}'), row(metadata, "7")])
    assert len(str(refused.value)) < 600


@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda each: st.dictionaries(st.text(), each))
)
def test_any_metadata_gives_its_own_sequence_number_or_is_refused(value: Any) -> None:
    try:
        [position] = evsnow.checkpoints_of(
            "Snowflake", [row(json.dumps({"sequence_number": value}))]
        ).destinations.values()
    except DataRefused:
        return
    assert position.sequence_number == value
    assert type(value) is int


def test_checkpoints_of_two_target_tables_are_refused() -> None:
    rows = [row('{"sequence_number": 5}'), row('{"sequence_number": 6}', "1", "OTHER")]
    with pytest.raises(DataRefused, match=r"into INGESTION\.PUBLIC\.EVENTS, INGESTION\.PUBLIC\.OTHER"):
        evsnow.checkpoints_of("Snowflake", rows)


def test_two_rows_of_the_same_age_are_accepted_only_when_they_agree() -> None:
    one, other = row('{"sequence_number": 5}'), row('{"sequence_number": 6}')
    assert evsnow.checkpoints_of("Snowflake", [one, one]).destinations == {"0": Destination(5)}
    with pytest.raises(DataRefused, match="more than one checkpoint of partition 0"):
        evsnow.checkpoints_of("Snowflake", [one, other])


ADDRESSES = (
    "",
    "INGESTION_STATUS",
    "PUBLIC.INGESTION_STATUS",
    "A.B.C.D",
    "A.B.C; DROP TABLE T",
    "A.B.'C'",
    "A..C",
    "postgresql://user:hunter2@host/control",
    "postgresql://user:hun#ter2@host/control",
    "postgresql://user:hunter2@host/control#INGESTION_STATUS",
    'postgresql://user:hunter2@host/control#public."x"; --',
)


@pytest.mark.parametrize("address", ADDRESSES)
def test_anything_but_a_full_name_of_a_table_is_refused_without_showing_a_password(address: str) -> None:
    with pytest.raises(UsageError, match="full name of EvSnow's control table") as refused:
        evsnow.read(address, NOBODY, GROUP)
    assert "ter2" not in str(refused.value)
