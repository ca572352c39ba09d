# ruff: noqa: S608 - names of this project's own
"""A column that is dropped while a tree runs: noticed within a minute, and what was loaded meanwhile is read again."""

import time

from scripts.harness.table import EVENTS
from scripts.harness.waiting import eventually
from shared.snowflake.tables import envelope_columns
from tests.acceptance.commands.test_verify import verified
from tests.harness.pipeline import Pipeline

NOTICED_S = 60.0


def test_a_column_dropped_under_load_stops_the_tree_within_a_minute_and_its_events_are_read_again(
    pipeline: Pipeline,
) -> None:
    pipeline.publish(100)
    evsup = pipeline.start()
    pipeline.await_all()
    pipeline.change(f"ALTER TABLE {EVENTS} RENAME COLUMN PAYLOAD TO BODY")
    began_s = time.monotonic()
    while evsup.is_running and time.monotonic() < began_s + NOTICED_S:
        pipeline.publish(50)
        eventually(lambda: pipeline.rows() == pipeline.in_hub()["0"].rows or not evsup.is_running, "they are loaded")
    assert evsup.wait() == 78
    reason = evsup.last_line
    assert "there is no column PAYLOAD; this concerns what was loaded since the last check: events 0 to " in reason
    last = pipeline.position("0")
    assert f"`evsup replay --partition 0 --from 0 --to {last}`" in reason
    pipeline.change(f"ALTER TABLE {EVENTS} RENAME COLUMN BODY TO PAYLOAD")
    found = verified(pipeline, code=65)["0"]["findings"]
    assert [(one["kind"], one["first"], one["last"]) for one in found] == [("no_body", 100, last)]
    pipeline.output("replay", "--partition", "0", "--from", "0", "--to", str(last))
    pipeline.change(
        f"UPDATE {EVENTS} SET PAYLOAD = R.PAYLOAD, RAW_BODY = R.RAW_BODY FROM {EVENTS}_REPLAY R"
        f" WHERE {EVENTS}.PARTITION_ID = R.PARTITION_ID AND {EVENTS}.SEQUENCE_NUMBER = R.SEQUENCE_NUMBER"
        f" AND {EVENTS}.PAYLOAD IS NULL AND {EVENTS}.RAW_BODY IS NULL",
    )
    assert verified(pipeline, code=0)["0"]["verdict"] == "proven"


def test_a_table_that_is_replaced_stops_the_tree_and_can_be_filled_again_or_gone_on_with(pipeline: Pipeline) -> None:
    pipeline.publish(20)
    evsup = pipeline.start()
    pipeline.await_all()
    evsup.until(lambda: pipeline.position("0") == 19, "everything is checkpointed")
    columns = ", ".join(f'"{one.name}" {one.type}' for one in envelope_columns())
    pipeline.change(f"CREATE OR REPLACE TABLE {EVENTS} ({columns})")
    assert evsup.wait() == 65, "its channels ended with the table"
    assert "ended with a table or a pipe that was replaced" in evsup.last_line
    assert verified(pipeline, code=65)["0"]["missing"] == 20
    pipeline.output("checkpoints", "reset", "--all", "--to", "-1", "--yes")
    evsup = pipeline.start()
    pipeline.await_all()
    assert [one["up_to"] for one in evsup.events("table_replaced")] == [None], "of those before none is in this table"
    assert evsup.stop() == 0
    assert verified(pipeline, code=0)["0"]["verdict"] == "proven"
