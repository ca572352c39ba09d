"""Positions moved by hand: the plan says what will happen, and exactly that happens.

Five partitions that are moved in five ways share their starts: 500 events each are loaded, 100 more wait in the hub,
the moves are made, and then the table is looked at.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from scripts.harness.table import PartitionCount
from scripts.harness.waiting import eventually
from tests.harness.pipeline import UNCHECKED, Pipeline, pipeline_of

BACK, FORWARD, END, OLDEST, EXPORTED = PARTITIONS = ("0", "1", "2", "3", "4")
ROWS = {BACK: 800, FORWARD: 550, END: 510, OLDEST: 1100, EXPORTED: 600}

SET_BACK = ("set", "--partition", BACK, "--sequence-number", "299")


@pytest.fixture(scope="module")
def pipeline() -> Iterator[Pipeline]:
    with pipeline_of(len(PARTITIONS), **UNCHECKED) as made:
        yield made


def checkpoints(pipeline: Pipeline, *arguments: str, code: int = 0) -> str:
    return pipeline.output("checkpoints", *arguments, code=code)


class Loaded(NamedTuple):
    """What two commands printed while a tree owned the partitions."""

    plan: str
    refusal: str
    since: str
    """A time after the events that are loaded and before those that wait."""


@pytest.fixture(scope="module")
def loaded(pipeline: Pipeline) -> Loaded:
    pipeline.publish(500)
    evsup = pipeline.start()
    evsup.await_running(len(PARTITIONS))
    pipeline.await_all()
    plan, refusal = checkpoints(pipeline, *SET_BACK), checkpoints(pipeline, *SET_BACK, "--yes", code=75)
    assert evsup.stop() == 0
    assert {pipeline.position(partition) for partition in PARTITIONS} == {499}
    since = datetime.now(UTC).isoformat()
    pipeline.publish(100)
    return Loaded(plan, refusal, since)


class Exported(NamedTuple):
    """A file with positions, and what the group looked like after its import."""

    path: Path
    printed: str
    listed: Mapping[str, dict[str, Any]]


@pytest.fixture(scope="module")
def exported(pipeline: Pipeline, loaded: Loaded) -> Exported:
    assert loaded
    path = pipeline.cloud.directory / "kept.json"
    checkpoints(pipeline, "export", "--file", str(path))
    checkpoints(pipeline, "reset", "--partition", EXPORTED, "--to", "-1", "--yes")
    printed = checkpoints(pipeline, "import", str(path), "--yes")
    rows = json.loads(checkpoints(pipeline, "list", "--json"))
    return Exported(path, printed, {row["partition"]: row for row in rows})


@pytest.fixture(scope="module")
def moments(pipeline: Pipeline, exported: Exported, loaded: Loaded) -> list[str]:
    """Three plans: a reset to a time long ago, to one between the events, and of all partitions to a future one."""
    assert exported
    one, every = ("reset", "--partition", BACK, "--to"), ("reset", "--all", "--to")
    times = ((*one, "2020-01-01T00:00:00Z"), (*one, loaded.since), (*every, "2099-01-01T00:00:00Z"))
    return [checkpoints(pipeline, *command) for command in times]


class Moved(NamedTuple):
    """What the commands printed, by partition."""

    plan: str
    printed: Mapping[str, str]


@pytest.fixture(scope="module")
def moved(pipeline: Pipeline, moments: list[str]) -> Moved:
    assert moments
    plan = checkpoints(pipeline, *SET_BACK)
    assert pipeline.position(BACK) == 499
    printed = {
        BACK: checkpoints(pipeline, *SET_BACK, "--yes"),
        FORWARD: checkpoints(pipeline, "set", "--partition", FORWARD, "--sequence-number", "549", "--yes"),
        END: checkpoints(pipeline, "reset", "--partition", END, "--to", "@latest", "--yes"),
        OLDEST: checkpoints(pipeline, "reset", "--partition", OLDEST, "--to", "-1", "--yes"),
    }
    pipeline.publish(10, END)
    return Moved(plan, printed)


@pytest.fixture(scope="module")
def table(pipeline: Pipeline, moved: Moved) -> Mapping[str, PartitionCount]:
    """What the table has after a start. One more start changes nothing."""
    assert moved
    held = drained(pipeline)
    assert drained(pipeline) == held, "a further start repeats nothing"
    return held


def drained(pipeline: Pipeline) -> Mapping[str, PartitionCount]:
    evsup = pipeline.start()
    evsup.await_running(len(PARTITIONS))
    expected = sum(ROWS.values())
    eventually(lambda: pipeline.rows() >= expected or not evsup.is_running, f"{expected} rows are in the table")
    assert evsup.stop() == 0, evsup.last_line
    return pipeline.in_table()


def test_a_partition_with_a_live_owner_is_not_moved(loaded: Loaded) -> None:
    assert "nothing can be moved until it releases it" in loaded.plan
    assert "Partition 0 has a live owner" in loaded.refusal


def test_an_exported_position_is_imported_again(
    pipeline: Pipeline, exported: Exported, table: Mapping[str, PartitionCount]
) -> None:
    checkpoints(pipeline, "export", "--file", str(exported.path), code=64)
    assert exported.path.stat().st_mode & 0o777 == 0o600
    assert "evsup export, version 2" in exported.printed
    row = exported.listed[EXPORTED]
    assert (row["sequence_number"], row["generation"], row["lag"], row["owner_id"]) == (499, 2, 100, None)
    assert table[EXPORTED] == PartitionCount(600, 600, 0, 599)


def test_reset_to_a_time_begins_with_the_first_event_enqueued_since(moments: list[str]) -> None:
    ago, between, to_come = moments
    assert "500 events, 0 to 499: their rows are written again" in ago
    assert "to       event 499 done" in between
    assert "repeats  nothing" in between
    assert "skips    nothing" in between
    assert to_come.count("100 events, 500 to 599: are never read") == len(PARTITIONS)


def test_set_back_repeats_exactly_the_events_that_the_plan_names(
    moved: Moved, table: Mapping[str, PartitionCount]
) -> None:
    assert "200 events, 300 to 499: their rows are written again" in moved.plan
    assert "Nothing was changed" in moved.plan
    assert "Done." in moved.printed[BACK]
    assert table[BACK] == PartitionCount(800, 600, 0, 599)


def test_set_forward_skips_exactly_the_events_that_the_plan_names(
    moved: Moved, table: Mapping[str, PartitionCount]
) -> None:
    assert "50 events, 500 to 549: are never read" in moved.printed[FORWARD]
    held = table[FORWARD]
    assert (held.rows, held.distinct, held.last, held.gaps) == (550, 550, 599, 50)


def test_reset_to_the_end_reads_only_what_comes_after(moved: Moved, table: Mapping[str, PartitionCount]) -> None:
    assert "100 events, 500 to 599: are never read" in moved.printed[END]
    held = table[END]
    assert (held.rows, held.distinct, held.last, held.gaps) == (510, 510, 609, 100)


def test_reset_to_the_oldest_event_reads_everything_again(moved: Moved, table: Mapping[str, PartitionCount]) -> None:
    assert "500 events, 0 to 499: their rows are written again" in moved.printed[OLDEST]
    assert table[OLDEST] == PartitionCount(1100, 600, 0, 599)


@pytest.mark.usefixtures("table")
def test_a_token_lost_after_a_move_is_still_refused(pipeline: Pipeline) -> None:
    pipeline.snow.delete_channel(f"{pipeline.channel(FORWARD)}_G2")
    evsup = pipeline.start()
    assert evsup.wait() == 65
    assert "the checkpoint is at 599, but the channel has no token" in evsup.last_line
    assert f"`evsup checkpoints set --partition {FORWARD} --table-end`" in evsup.last_line


@pytest.mark.usefixtures("loaded")
def test_a_move_to_nowhere_is_refused_and_changes_nothing(pipeline: Pipeline, tmp_path: Path) -> None:
    before = pipeline.position(BACK)
    too_far = ("set", "--partition", BACK, "--sequence-number", "600", "--yes")
    assert "its last event is 599" in checkpoints(pipeline, *too_far, code=65)
    assert "has no partition 7" in checkpoints(pipeline, "set", "--partition", "7", "--sequence-number", "1", code=64)
    assert "either --sequence-number or --table-end" in checkpoints(pipeline, "set", "--partition", BACK, code=64)
    assert "--all" in checkpoints(pipeline, "reset", code=64)
    assert "time zone" in checkpoints(pipeline, "reset", "--all", "--to", "2026-01-01", code=78)
    assert "--from cloud" in checkpoints(pipeline, "import", "--from", "cloud:x", code=64)
    (tmp_path / "bad.json").write_text('{"0": -5}')
    assert "holds no checkpoints" in checkpoints(pipeline, "import", str(tmp_path / "bad.json"), code=65)
    assert pipeline.position(BACK) == before
