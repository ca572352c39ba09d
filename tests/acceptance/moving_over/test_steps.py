"""What docs/moving-over.md says, step by step: the events of the former loader and those of evsup are there once."""

import json
import re
from pathlib import Path
from typing import Any

from scripts.harness.waiting import eventually
from shared.snowflake.session import SqlSession
from tests.harness.pipeline import Pipeline

PAGE = Path(__file__).parents[3] / "docs" / "moving-over.md"
KAFKA = "FLIGHTS_KAFKA"
LOADED = {"0": 60, "1": 20}  # events that the Kafka connector has loaded


def statements(heading: str) -> list[str]:
    """The SQL of a section, with the names of the local tables."""
    section = PAGE.read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found = re.findall(r"```sql\n(.*?);\n *```", section, re.DOTALL)
    return [re.sub(r"\bFLIGHTS\b", "EVENTS", each) for each in found]


def test_from_the_kafka_connector_every_event_is_in_one_view_once(pipeline2: Pipeline) -> None:
    for partition, count in LOADED.items():
        pipeline2.hub.seed(partition, count + 30)
    pipeline2.change(f"CREATE TABLE {KAFKA} (RECORD_CONTENT VARIANT, RECORD_METADATA VARIANT)")
    loaded_by_kafka(pipeline2)
    positions, view, gaps = statements("From the Snowflake Kafka connector")
    [answer] = asked(pipeline2, positions)
    (pipeline2.directory / "positions.json").write_text(answer["positions"])
    pipeline2.output("init", "--target")
    plan = pipeline2.output("checkpoints", "import", str(pipeline2.directory / "positions.json"))
    assert "to       event 59 done" in plan
    assert "Nothing was changed" in plan
    pipeline2.output("checkpoints", "import", str(pipeline2.directory / "positions.json"), "--yes")
    evsup = pipeline2.start()
    eventually(lambda: pipeline2.rows() == 60, "what the connector has not loaded")
    assert evsup.stop() == 0
    pipeline2.change(view)
    found = asked(
        pipeline2,
        "SELECT RECORD_METADATA:partition::VARCHAR AS P, RECORD_METADATA:offset::NUMBER AS N FROM FLIGHTS_ALL",
    )
    assert sorted((row["p"], int(row["n"])) for row in found) == sorted(
        (partition, number) for partition, count in LOADED.items() for number in range(count + 30)
    )
    assert asked(pipeline2, gaps) == []
    pipeline2.change(f"DELETE FROM {KAFKA} WHERE RECORD_METADATA:offset::NUMBER = 7")  # noqa: S608
    assert [row["missing"] for row in asked(pipeline2, gaps)] == [1, 1]


def loaded_by_kafka(pipeline: Pipeline) -> None:
    for partition, count in LOADED.items():
        rows = [{"topic": "flights", "partition": int(partition), "offset": number} for number in range(count)]
        pipeline.change(
            f"INSERT INTO {KAFKA} SELECT PARSE_JSON('{{}}'), VALUE FROM TABLE(FLATTEN(INPUT => PARSE_JSON(?)))",  # noqa: S608
            json.dumps(rows),
        )


def asked(pipeline: Pipeline, statement: str) -> list[dict[str, Any]]:
    session = SqlSession(pipeline.settings.snowflake)
    try:
        return session.query(statement)
    finally:
        session.close()
