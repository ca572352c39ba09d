"""Rows that Snowflake rejected, quarantined by the real evsup: every event is in one of the two tables, once.

One pipeline for all, in this order: each test goes on where the one before it ended.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from scripts.harness.evsup import Evsup
from scripts.harness.table import EVENTS
from scripts.harness.waiting import eventually
from scripts.localcloud.cloud import DATABASE, SCHEMA, TABLE
from tests.harness.pipeline import SABOTEUR, UNCHECKED, Pipeline, pipeline_of
from worker.sink.rejection import SHARE_FROM

P = "0"
STEPS = ("read", "written", "recorded")  # when they are found, nothing has been done yet that the next step has not


@pytest.fixture(scope="module")
def pipeline() -> Iterator[Pipeline]:
    with pipeline_of(SNOWFLAKE_ON_REJECT="quarantine", **UNCHECKED) as made:
        yield made


def quarantined(pipeline: Pipeline) -> list[int]:
    """The sequence numbers in the quarantine."""
    rows = pipeline.snow.query(f"SELECT SEQUENCE_NUMBER FROM {EVENTS}_QUARANTINE ORDER BY 1")  # noqa: S608
    return [number for (number,) in rows]


def landed(pipeline: Pipeline) -> list[int]:
    """The sequence numbers in both tables, repeated ones as well."""
    rows = pipeline.snow.query(f"SELECT SEQUENCE_NUMBER FROM {EVENTS}")  # noqa: S608
    return sorted([*(number for (number,) in rows), *quarantined(pipeline)])


def await_all(pipeline: Pipeline, evsup: Evsup) -> None:
    """Every event is in one of the tables, once, and the checkpoint covers them all."""
    last = pipeline.in_hub()[P].last

    def checkpointed() -> bool:
        assert evsup.is_running, evsup.last_line
        return pipeline.position(P) == last

    eventually(checkpointed, "everything is checkpointed")
    assert landed(pipeline) == list(range(last + 1))


def known(pipeline: Pipeline) -> int:
    """Rejected rows that the checkpoint knows of."""
    checkpoint = pipeline.checkpoint(P)
    assert checkpoint is not None
    return checkpoint.rows_error_count


def change(pipeline: Pipeline, statement: str) -> None:
    """Change the tables without evsup; {table} is the target's name."""
    assert pipeline.change(statement.format(table=EVENTS)) > 0


def counted(pipeline: Pipeline) -> int:
    """Rejected rows, by Snowflake's count."""
    return sum(channel.rows_error_count for channel in pipeline.snow.channels().values())


def verified(pipeline: Pipeline, code: int) -> dict[str, Any]:
    """The proof of the partition; fails unless `verify` ended with `code`."""
    done = pipeline.run("verify", "--json")
    assert done.returncode == code, done.stderr
    proof: dict[str, Any] = json.loads(done.stdout)["partitions"][0]
    return proof


def test_no_start_begins_without_its_quarantine(pipeline: Pipeline) -> None:
    refused = pipeline.run("start")
    assert (refused.returncode, "evsup init --target" in refused.stderr) == (78, True)
    assert "EVENTS_QUARANTINE" in pipeline.output("init", "--target")


def test_a_worker_killed_at_any_step_quarantines_the_same_rows_and_the_next_owner_goes_on(pipeline: Pipeline) -> None:
    pipeline.publish(300)
    pipeline.snow.reject_rows(3)
    pipeline.snow.revoke("SELECT ERROR TABLE", (DATABASE, SCHEMA, TABLE), "EVSUP_LOADER")
    for step in STEPS:
        evsup = pipeline.start(PYTHONPATH=SABOTEUR, SABOTAGE=f"die when rejected rows are {step}")
        assert evsup.wait() == 75, step
        assert bool(quarantined(pipeline)) is (step != "read")
        assert (pipeline.position(P) is None) is (step != "recorded")
    evsup = pipeline.start()
    pipeline.publish(100)
    await_all(pipeline, evsup)
    assert quarantined(pipeline) == [0, 1, 2]
    assert known(pipeline) == 3, "each is counted once"
    assert '"error_table_not_read"' in pipeline.started[-2].stderr
    [(reasons,)] = pipeline.snow.query(
        f"SELECT COUNT(*) FROM {EVENTS}_QUARANTINE WHERE REASON LIKE '%; at or before %'"  # noqa: S608
    )
    assert reasons == 3, "what is known of all of them, because the role may not read the error table"


def test_rows_rejected_in_the_stream_are_quarantined_with_the_reason_and_the_tree_goes_on(pipeline: Pipeline) -> None:
    evsup = pipeline.started[-1]
    pipeline.snow.fail("status", 503, times=None)  # both are found at once, with others between them
    pipeline.snow.reject_rows(1)
    pipeline.publish(150)
    eventually(lambda: pipeline.in_table()[P].last == 549, "the rest is there, however many appends it came in")
    pipeline.snow.reject_rows(1)
    pipeline.publish(1)
    eventually(lambda: counted(pipeline) == 5, "a row is rejected")
    pipeline.snow.clear_faults()
    await_all(pipeline, evsup)
    assert quarantined(pipeline) == [0, 1, 2, 400, 550]
    eventually(lambda: evsup.workers()[P].state == "running", "it goes on")
    assert evsup.workers()[P].quarantined_total == 2
    [(body, row, reason)] = pipeline.snow.query(
        f"SELECT BODY, ROW_JSON, REASON FROM {EVENTS}_QUARANTINE WHERE SEQUENCE_NUMBER = 550"  # noqa: S608
    )
    assert json.loads(row)["PAYLOAD"] == json.loads(bytes.fromhex(body))
    assert json.loads(row)["SEQUENCE_NUMBER"] == json.loads(row)["PAYLOAD"]["n"] == 550
    assert reason == "A fault of the local service rejected the row", "that of this row, from the error table"
    proof = verified(pipeline, 0)
    assert (proof["verdict"], proof["rows"], proof["quarantined"], proof["rejected"]) == ("proven", 546, 5, 5)
    change(pipeline, "INSERT INTO {table} (PARTITION_ID, SEQUENCE_NUMBER) VALUES ('0', 550)")
    finding = verified(pipeline, 65)["findings"][0]
    assert finding["text"] == "1 row too many, the first of event 550, table and quarantine together"
    change(pipeline, "DELETE FROM {table} WHERE SEQUENCE_NUMBER = 550")
    moved = pipeline.output("checkpoints", "set", "--partition", P, "--table-end")
    assert "to       event 550 done" in moved, "the last event is quarantined, and not to be read again"


def test_rejections_of_more_than_half_the_stream_end_the_tree_with_65(pipeline: Pipeline) -> None:
    evsup = pipeline.started[-1]
    pipeline.snow.stall_commits()
    pipeline.publish(300)
    eventually(lambda: evsup.workers()[P].appended == pipeline.in_hub()[P].last, "all are in flight")
    pipeline.snow.reject_rows(200)
    pipeline.snow.release_commits()
    assert evsup.wait() == 65
    assert "more than half of the recent events were rejected" in evsup.last_line
    assert "A fault of the local service" in evsup.last_line
    assert len(quarantined(pipeline)) < 5 + SHARE_FROM, "a first append may have come alone"


def test_a_rejected_row_of_an_event_that_has_one_from_before_needs_no_other_place(pipeline: Pipeline) -> None:
    change(pipeline, "DELETE FROM {table}_QUARANTINE WHERE SEQUENCE_NUMBER > 400")
    pipeline.output("checkpoints", "set", "--partition", P, "--sequence-number", "400", "--yes")
    pipeline.snow.reject_rows(1)
    evsup = pipeline.start()
    last = pipeline.in_hub()[P].last
    eventually(lambda: pipeline.position(P) == last or not evsup.is_running, "everything is checkpointed")
    assert evsup.is_running, evsup.last_line
    assert sorted(set(landed(pipeline))) == list(range(last + 1))
    assert (known(pipeline), quarantined(pipeline)) == (1, [0, 1, 2, 400])
