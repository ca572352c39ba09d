"""A hub that gets partitions while supervisors run: they are read from their beginning, and nothing else stops."""

import json
import os
import re
import signal
import sys
from collections.abc import Iterator

import pytest

from scripts.harness.evsup import Evsup
from scripts.harness.marker import command_lines
from scripts.harness.table import PartitionCount
from scripts.harness.waiting import eventually
from tests.harness.pipeline import UNCHECKED, Pipeline, pipeline_of
from worker.fork_server import TITLE

OLDER = (sys.executable, "-m", "tests.harness.versions.run_older_supervisor")


@pytest.fixture
def pipeline2() -> Iterator[Pipeline]:
    with pipeline_of(partitions=2, EVENTHUB_STARTING_POSITION="@latest", **UNCHECKED) as made:
        yield made


def in_both(evsups: list[Evsup]) -> dict[str, str]:
    """The running partitions of all supervisors together."""
    return {partition: row.state for evsup in evsups for partition, row in evsup.workers().items()}


def fork_server_of(evsup: Evsup) -> int:
    """Its process."""
    return next(pid for pid, line in command_lines(evsup.marker).items() if line.startswith(TITLE))


def total(evsup: Evsup) -> int | None:
    """How many partitions it knows."""
    tree = evsup.status()
    return tree.partitions_total if tree else None


def test_new_partitions_are_read_from_their_first_event_while_the_tree_runs_and_after_a_restart(
    pipeline2: Pipeline,
) -> None:
    pipeline2.publish(100)
    evsup = pipeline2.start()
    workers = evsup.await_running(2)
    os.kill(fork_server_of(evsup), signal.SIGKILL)  # so the next worker is spawned
    pipeline2.hub.grow(1)
    pipeline2.publish(50)
    after = evsup.await_running(3)
    assert {after[partition].pid for partition in workers} == {row.pid for row in workers.values()}
    assert len(evsup.events("fork_server_lost")) == 1
    eventually(lambda: pipeline2.rows() >= 150, "what came since the first start is in the table")
    assert total(evsup) == 3
    assert [line["partitions"] for line in evsup.events("partitions_added")] == [["2"]]
    assert evsup.stop() == 0
    pipeline2.hub.grow(2)
    pipeline2.publish(50)
    again = pipeline2.start()
    again.await_running(5)
    eventually(lambda: pipeline2.rows() >= 400, "everything is in the table")
    assert pipeline2.in_table() == {
        "0": PartitionCount(100, 100, 100, 199),
        "1": PartitionCount(100, 100, 100, 199),
        "2": PartitionCount(100, 100, 0, 99),
        "3": PartitionCount(50, 50, 0, 49),
        "4": PartitionCount(50, 50, 0, 49),
    }
    assert again.stop() == 0


def test_a_partition_that_nobody_had_room_for_begins_where_the_group_began(pipeline2: Pipeline) -> None:
    pipeline2.publish(100)
    capped = pipeline2.start("--max-partitions", "1")
    capped.await_running(1)
    pipeline2.publish(50)
    eventually(lambda: pipeline2.position("0") == 149, "the one that is held is read")
    said = json.loads(pipeline2.output("status", "--all", "--json", code=1))
    assert {row["partition"]: (row["lease"], row["lag"]) for row in said["partitions"]}["1"] == ("free", 50)
    checked = pipeline2.check()
    assert "2 in the hub, 1 held by nobody (1), 1 never read (1)" in checked
    assert capped.stop() == 0
    everything = pipeline2.start()
    everything.await_running(2)
    eventually(lambda: pipeline2.rows() >= 100, "both are read")
    assert pipeline2.in_table() == {"0": PartitionCount(50, 50, 100, 149), "1": PartitionCount(50, 50, 100, 149)}
    assert everything.stop() == 0


def test_a_rolling_restart_from_a_version_that_does_not_notice_leaves_no_partition_unread(pipeline2: Pipeline) -> None:
    older = pipeline2.beside(command=OLDER)
    older.await_running(2)
    pipeline2.publish(100)
    pipeline2.hub.grow(2)
    newer = pipeline2.beside()
    everybody = [older, newer]
    running = dict.fromkeys(("0", "1", "2", "3"), "running")
    eventually(lambda: in_both(everybody) == running, "all four are read")
    pipeline2.publish(100)
    pipeline2.await_all()
    assert older.stop() == 0
    third = pipeline2.beside()
    third.await_running(2)
    newer.await_running(2)
    pipeline2.publish(100)
    pipeline2.await_all()
    assert total(newer) == total(third) == 4
    assert newer.stop() == third.stop() == 0


def test_a_hub_that_cannot_be_asked_stops_nothing_and_is_reported(pipeline2: Pipeline) -> None:
    evsup = pipeline2.start(EVENTHUB_RETRY_TOTAL="0", EVENTHUB_OWNERSHIP_EXPIRATION="60")
    evsup.await_running(2)
    pipeline2.hub.begin_outage()

    def trouble() -> str | None:
        tree = evsup.status()
        return tree.hub_trouble if tree else None

    assert "cannot be read" in str(eventually(trouble, "the trouble shows"))
    assert re.search(r"hub    last listed its partitions .* ago: Event hub", pipeline2.output("status", code=0))
    pipeline2.hub.end_outage()
    pipeline2.hub.grow(1)
    evsup.await_running(3)
    assert (len(evsup.events("hub_not_answering")), trouble()) == (1, None)
    assert evsup.stop() == 0


def test_a_hub_that_was_recreated_with_fewer_partitions_is_refused_with_one_command_and_read_after_it(
    pipeline2: Pipeline,
) -> None:
    evsup = pipeline2.start()
    evsup.await_running(2)
    pipeline2.publish(100)
    pipeline2.await_all()
    pipeline2.hub.recreate(1)
    assert evsup.wait() in (65, 78), evsup.last_line
    again = pipeline2.start()
    assert again.wait() == 65
    assert "the event hub is not the one of the checkpoint" in again.last_line
    pipeline2.output("checkpoints", "reset", "--all", "--to", "-1", "--yes")
    third = pipeline2.start()
    third.await_running(1)
    assert total(third) == 1
    said = json.loads(pipeline2.output("status", "--all", "--json"))
    assert {row["partition"]: row["lease"] for row in said["partitions"]} == {"0": "held", "1": "gone"}
    assert "1 that the hub does not have (1)" in pipeline2.check()
    assert third.stop() == 0
