"""`evsup replay` reads exactly the range that was asked for, into a side table, and moves nothing else."""

from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from scripts.harness.table import EVENTS
from scripts.localcloud.cloud import CloudSettings
from tests.harness.pipeline import UNCHECKED, Pipeline, pipeline_of

SIDE = f"{EVENTS}_REPLAY"
# Valid in SQL, in the URLs of Snowpipe Streaming, and as the first part of its pipe's name.
HOSTILE = '"a ""gain"" %s %41 ? :x {0} ../é"'
RANGE = ("--partition", "0", "--from", "100", "--to", "249")


@pytest.fixture(scope="module")
def pipeline() -> Iterator[Pipeline]:
    with pipeline_of(1, **UNCHECKED) as made:
        made.publish(400)
        yield made


@pytest.fixture(scope="module")
def held(pipeline: Pipeline) -> CompletedProcess[str]:
    """What a replay in the group of a running tree printed. The tree had loaded everything; then it was stopped."""
    evsup = pipeline.start()
    pipeline.await_all()
    refused = pipeline.run("replay", *RANGE)
    assert evsup.stop() == 0
    return refused


def numbers(pipeline: Pipeline, table: str = SIDE) -> list[int]:
    """The sequence numbers of a table."""
    rows = pipeline.snow.query(f"SELECT SEQUENCE_NUMBER FROM {table} ORDER BY 1")  # noqa: S608
    return [number for (number,) in rows]


def test_a_range_that_the_hub_does_not_have_is_refused(pipeline: Pipeline) -> None:
    refused = pipeline.run("replay", "--partition", "0", "--from", "399", "--to", "400")
    assert refused.returncode == 65
    assert "the hub has events 0 to 399" in refused.stderr
    assert pipeline.run("replay", "--partition", "0", "--from", "5", "--to", "4").returncode == 64
    assert not pipeline.snow.channels()


def test_a_range_is_in_the_side_table_once_and_the_live_position_stays(
    pipeline: Pipeline, held: CompletedProcess[str]
) -> None:
    assert held.returncode == 75
    assert "--consumer-group" in held.stderr
    before = pipeline.checkpoint("0"), pipeline.token("0")
    for _ in range(2):  # the second adds nothing
        done = pipeline.run("replay", *RANGE)
        assert (done.returncode, done.stderr) == (0, "")
        assert "Events 100 to 249 of partition 0" in done.stdout
        assert "150 rows, each once" in done.stdout
        assert numbers(pipeline) == list(range(100, 250))
    assert (pipeline.checkpoint("0"), pipeline.token("0")) == before
    pipeline.prove()


@pytest.mark.usefixtures("held")
def test_a_replay_goes_into_the_live_table_only_on_request_and_says_that_rows_are_there_twice(
    pipeline: Pipeline,
) -> None:
    command = ("replay", "--partition", "0", "--from", "3", "--to", "4", "--into", EVENTS.rpartition(".")[2])
    done = pipeline.run(*command)
    assert done.returncode == 65
    assert "it has 4 rows of 2 events instead of 2 of each" in done.stderr
    assert pipeline.run("verify").returncode == 65


@pytest.fixture(scope="module")
def in_a_group() -> Iterator[Pipeline]:
    """A tree that has loaded 50 events through a group of its own."""
    cloud = CloudSettings(partitions=1, commit_delay_s=0.3, consumer_group="evsup")
    with pipeline_of(cloud=cloud) as made:
        made.publish(50)
        made.start()
        made.await_all()
        yield made


def test_another_group_reads_beside_a_running_tree_and_from_the_very_first_event(in_a_group: Pipeline) -> None:
    command = ("replay", "--partition", "0", "--from", "0", "--to", "0", "--into", HOSTILE)
    done = in_a_group.run(*command, "--consumer-group", "$Default")
    assert done.returncode == 0, done.stderr
    assert numbers(in_a_group, f"{EVENTS.rpartition('.')[0]}.{HOSTILE}") == [0]
    assert in_a_group.started[0].is_running


def test_another_group_of_the_hub_is_refused_until_it_has_taken_the_positions_over(
    in_a_group: Pipeline, tmp_path: Path
) -> None:
    default: dict[str, Any] = {"EVENTHUB_CONSUMER_GROUP": "$Default"}
    assert in_a_group.started[0].stop() == 0
    refused = in_a_group.start(**default)
    assert refused.wait() == 65
    assert "Consumer group $Default begins, and evsup has loaded the hub into" in refused.last_line
    assert "and evsup has loaded the hub" in in_a_group.check(code=65, **default)
    exported = tmp_path / "positions.json"
    exported.write_text(in_a_group.run("checkpoints", "export").stdout)
    in_a_group.output("checkpoints", "import", str(exported), "--yes", **default)
    in_a_group.publish(5)
    evsup = in_a_group.start(**default)
    in_a_group.await_all()
    assert evsup.stop() == 0
