# ruff: noqa: S608 - names of this project's own
"""With SNOWFLAKE_ROW_FORMAT=columns each key goes to its column, one event is one row, and nothing is dropped."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from scripts.harness.table import EVENTS
from scripts.harness.waiting import eventually
from scripts.localcloud.cloud import CloudSettings
from tests.acceptance.commands.test_verify import verified
from tests.harness.pipeline import Pipeline, pipeline_of

P = "0"
COLUMNS = ("N NUMBER(10,0)", "PARTITION VARCHAR", '"dest" VARCHAR', "DETAIL VARIANT")
BODIES = (
    b'{"n": 0, "Partition": "0", "DEST": "JFK", "detail": {"gate": [1, 2]}}',
    b'{"n": 1, "gate": {"terminal": "A"}, "_evsup": 1, "N": 2}',
    b"[1, 2]",
    b"no json",
    b"{}",
    b'{"n": "many"}',
    b'{"n": null, "detail": null}',
)
WRONG_TYPE = 5


@pytest.fixture(scope="module")
def pipeline() -> Iterator[Pipeline]:
    """Every kind of body, moved by one tree that quarantines what Snowflake rejects."""
    cloud = CloudSettings(partitions=1, commit_delay_s=0.3, columns=COLUMNS)
    with pipeline_of(1, cloud, SNOWFLAKE_ON_REJECT="quarantine") as made:
        made.output("init", "--target")
        made.snow.regard_case(regarded=True)  # no page says that a default pipe does not
        made.hub.append(P, list(BODIES))
        evsup = made.start()
        evsup.until(lambda: (made.position(P) or -1) >= WRONG_TYPE, "what was rejected is quarantined")
        made.publish(100)
        evsup.until(lambda: made.position(P) == len(BODIES) + 99, "everything is checkpointed")
        yield made


def rows(pipeline: Pipeline) -> dict[int, dict[str, Any]]:
    """Columns and `_EVSUP`, by sequence number, of what was published first."""
    found = pipeline.snow.query(f'SELECT _EVSUP, N, PARTITION, "dest", DETAIL FROM {EVENTS}')
    decoded = [(json.loads(evsup), *values) for evsup, *values in found]
    return {
        evsup["sequence_number"]: {"n": n, "partition": partition, "dest": dest, "detail": detail, **evsup}
        for evsup, n, partition, dest, detail in decoded
    }


def test_each_key_is_in_its_column_and_what_has_none_is_beside(pipeline: Pipeline) -> None:
    found = rows(pipeline)
    assert len(found) == len(BODIES) - 1 + 100
    first = found[0]
    assert (first["n"], first["partition"], first["dest"]) == (0, "0", "JFK")
    assert json.loads(first["detail"]) == {"gate": [1, 2]}
    assert "unknown" not in first
    assert (found[1]["n"], found[1]["unknown"]) == (2, {"n": 1, "gate": {"terminal": "A"}, "_evsup": 1})
    assert found[2]["body"] == [1, 2]
    assert base64.b64decode(found[3]["raw_body"]) == b"no json"
    assert "malformed" in found[3]["decode_error"]
    assert [found[4][name] for name in ("n", "partition", "dest", "detail")] == [None] * 4
    assert (found[6]["n"], found[6]["detail"]) == (None, "null")
    assert all(row["partition_id"] == P and row["enqueued_time"] for row in found.values())


def test_a_wrong_type_is_quarantined_and_both_tables_prove_every_event(pipeline: Pipeline) -> None:
    [(number, row)] = pipeline.snow.query(f"SELECT SEQUENCE_NUMBER, ROW_JSON FROM {EVENTS}_QUARANTINE")
    assert int(number) == WRONG_TYPE
    assert json.loads(row)["N"] == "many"
    proof = verified(pipeline, code=0)[P]
    assert (proof["verdict"], proof["rows"], proof["quarantined"]) == ("proven", len(BODIES) + 99, 1)


def test_unknown_keys_are_counted_and_logged_with_the_statement_that_adds_them(pipeline: Pipeline) -> None:
    evsup = pipeline.started[-1]
    # Keys of the quarantined rows' neighbours count again where the partition was opened again.
    eventually(lambda: evsup.running()[P].unknown_keys_total >= 3, "the status counts them")
    [fix] = [line["fix"] for line in evsup.events("key_without_column", key="gate")]
    pipeline.change(fix)
    assert {row[0] for row in pipeline.snow.query(f"DESCRIBE {EVENTS}")} >= {"GATE"}


def test_a_replay_knows_the_columns(pipeline: Pipeline) -> None:
    assert pipeline.started[-1].stop() == 0
    pipeline.output("replay", "--partition", P, "--from", "0", "--to", "3")
    side = pipeline.snow.query(f"SELECT _EVSUP->>'sequence_number', N FROM {EVENTS}_REPLAY ORDER BY 1")
    assert [tuple(row) for row in side] == [("0", 0), ("1", 2), ("2", None), ("3", None)]


def test_a_column_that_is_dropped_before_a_tree_is_killed_is_told_by_the_next_start(pipeline: Pipeline) -> None:
    evsup = pipeline.start()
    evsup.await_running(1)
    lost = pipeline.in_hub()[P].last + 1
    pipeline.change(f'ALTER TABLE {EVENTS} DROP COLUMN "dest"')
    pipeline.hub.append(P, [b'{"n": 7, "dest": "LAX"}'])
    evsup.until(lambda: pipeline.position(P) == lost, "the row is there without its value")
    evsup.kill()
    evsup = pipeline.start()
    evsup.await_running(1)
    [told] = evsup.events("columns_lost")
    assert (told["partition"], told["reason"], told["first"], told["last"]) == (
        P, "there is no column dest any more", lost, lost,
    )  # fmt: skip
    assert f"`evsup replay --partition {P} --from {lost} --to {lost}`" in told["fix"]
    pipeline.change(f"ALTER TABLE {EVENTS} DROP COLUMN PARTITION")
    pipeline.publish(1)
    evsup.until(lambda: pipeline.position(P) == lost + 1, "the row is there without its value")
    assert evsup.stop() == 78, "the last check after a drain"
    assert f"events {lost + 1} to {lost + 1} of partition {P}" in evsup.last_line


def test_a_column_that_is_dropped_while_nothing_runs_has_lost_nothing(pipeline: Pipeline) -> None:
    evsup = pipeline.start()
    evsup.await_running(1)
    pipeline.publish(1)
    evsup.until(lambda: pipeline.position(P) == pipeline.in_hub()[P].last, "everything is checkpointed")
    assert evsup.stop() == 0
    pipeline.change(f"ALTER TABLE {EVENTS} DROP COLUMN DETAIL")
    evsup = pipeline.start()
    evsup.await_running(1)
    assert evsup.events("columns_lost") == []
    assert evsup.stop() == 0


def test_with_fail_the_event_its_key_and_the_fix_are_named(pipeline: Pipeline) -> None:
    number = pipeline.in_hub()[P].last + 1
    pipeline.hub.append(P, [b'{"n": 1, "brand new": 2}'])
    evsup = pipeline.start(SNOWFLAKE_ON_UNKNOWN_KEY="fail")
    assert evsup.wait() == 65
    assert f"event {number}" in evsup.last_line
    assert "'brand new'" in evsup.last_line
    assert 'ADD COLUMN "BRAND NEW" VARIANT;' in evsup.last_line
