"""Supervisors that join and leave: partitions move in order, and nothing is repeated."""

import json
import signal
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from scripts.harness.evsup import Evsup
from scripts.harness.waiting import BUSY_S, eventually
from supervisor.status.model import TreeStatus
from tests.harness.pipeline import UNCHECKED, Pipeline, pipeline_of

PAUSE_S = 5.0  # the longest pause of a partition in a planned hand-over, without the commit delay


@pytest.fixture
def pipeline4() -> Iterator[Pipeline]:
    with pipeline_of(partitions=4, **UNCHECKED) as made:
        yield made


def lines(evsup: Evsup, event: str) -> dict[str, dict[str, Any]]:
    """Its last log line of this event for each partition."""
    return {line["partition"]: line for line in evsup.events(event)}


def told(evsup: Evsup) -> TreeStatus:
    tree = evsup.status()
    assert tree is not None
    return tree


def test_a_supervisor_that_joins_gets_its_share_and_begins_after_the_last_event_that_the_other_wrote(
    pipeline4: Pipeline,
) -> None:
    first = pipeline4.start()
    first.await_running(4)
    pipeline4.publish(500)
    eventually(lambda: pipeline4.rows() > 0, "rows come")
    second = pipeline4.beside()
    taken = second.await_running(2)
    pipeline4.publish(500)
    kept = first.await_running(2)
    assert {*taken, *kept} == {"0", "1", "2", "3"}
    pipeline4.await_all()
    handed, drained, opened = (
        lines(first, "partition_handing_over"),
        lines(first, "worker_drained"),
        lines(second, "partition_opened"),
    )
    assert handed.keys() == drained.keys() == opened.keys() == taken.keys()
    for partition in taken:
        assert opened[partition]["after"] == drained[partition]["checkpointed"]
        began, ended = (datetime.fromisoformat(one[partition]["timestamp"]) for one in (handed, opened))
        assert (ended - began).total_seconds() < PAUSE_S + BUSY_S
    assert not any(row.duplicates_total for row in (*told(first).partitions, *told(second).partitions))
    eventually(lambda: told(first).healthy and told(second).healthy, "both are healthy")
    eventually(lambda: {lease.partition for lease in told(first).elsewhere} == taken.keys(), "the first one knows it")
    assert (second.stop(), first.stop()) == (0, 0)
    pipeline4.prove()


def test_the_partitions_of_a_supervisor_that_leaves_go_to_the_others(pipeline4: Pipeline) -> None:
    first = pipeline4.start()
    first.await_running(4)
    second = pipeline4.beside()
    second.await_running(2)
    pipeline4.publish(300)
    assert second.stop() == 0
    first.await_running(4)
    pipeline4.await_all()
    assert first.stop() == 0
    pipeline4.prove()


def test_a_supervisor_without_a_share_is_a_healthy_standby_that_takes_over(pipeline4: Pipeline) -> None:
    first = pipeline4.start("--max-partitions", "4")
    first.await_running(4)
    second = pipeline4.beside()
    second.await_running(2)
    third_of_one = pipeline4.beside("--max-partitions", "1")
    eventually(lambda: (tree := third_of_one.status()) and (tree.elsewhere or None), "it sees the others")
    first.send(signal.SIGKILL)
    first.wait()
    second.await_running(3)
    third_of_one.await_running(1)
    pipeline4.publish(200)
    pipeline4.await_all()
    assert (second.stop(), third_of_one.stop()) == (0, 0)
    pipeline4.prove()


def test_status_all_shows_every_supervisor_and_partition_of_the_group(pipeline4: Pipeline) -> None:
    pipeline4.publish(100)
    assert pipeline4.run("status", "--all").returncode == 3
    first, second = pipeline4.beside("--max-partitions", "2"), pipeline4.beside("--max-partitions", "1")
    first.await_running(2)
    second.await_running(1)
    unowned = pipeline4.run("status", "--all", "--json", EVENTHUB_RETENTION_HOURS="24")
    assert unowned.returncode == 1
    document = json.loads(unowned.stdout)
    assert sorted(row["partitions"] for row in document["supervisors"]) == [1, 2]
    (free,) = (row for row in document["partitions"] if row["lease"] == "free")
    assert (free["owner_id"], free["checkpointed"], free["lag"]) == (None, None, 100)
    assert 86000 < free["time_to_loss_s"] < 86400
    third = pipeline4.beside()
    third.await_running(1)
    pipeline4.await_all()
    done = pipeline4.run("status", "--all")
    assert (done.returncode, done.stderr) == (0, "")
    assert "4 of 4 partitions held, 3 supervisors" in done.stdout
    assert (first.stop(), second.stop(), third.stop()) == (0, 0, 0)
