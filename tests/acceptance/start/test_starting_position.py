"""`EVENTHUB_STARTING_POSITION` says where a fresh partition begins, once and for all."""

from typing import Any

from scripts.harness.table import PartitionCount
from scripts.harness.waiting import eventually
from tests.harness.pipeline import UNCHECKED, Pipeline

P = "0"
FROM_THE_LATEST: dict[str, Any] = {"EVENTHUB_STARTING_POSITION": "@latest", **UNCHECKED}


def test_from_the_latest_event_on_nothing_is_skipped_by_an_end_before_the_first_commit(pipeline: Pipeline) -> None:
    pipeline.publish(100)
    pipeline.snow.stall_commits()
    evsup = pipeline.start("--drain-timeout", "1", **FROM_THE_LATEST)
    evsup.await_running(1)
    pipeline.publish(50)
    eventually(lambda: evsup.workers()[P].appended == 149, "the first 50 are in flight")
    assert evsup.stop() == 75
    pipeline.publish(50)
    pipeline.snow.release_commits()
    again = pipeline.start(**FROM_THE_LATEST)
    eventually(lambda: pipeline.rows() >= 100, "all 100 events from the end on are in the table")
    assert again.stop() == 0
    assert pipeline.in_table() == {P: PartitionCount(100, 100, 100, 199)}


def test_from_the_latest_event_of_an_empty_partition_on_every_event_counts(pipeline: Pipeline) -> None:
    evsup = pipeline.start(**FROM_THE_LATEST)
    evsup.await_running(1)
    pipeline.publish(10)
    pipeline.await_all()
    assert evsup.stop() == 0
