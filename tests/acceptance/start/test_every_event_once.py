"""The promise, from the outside: every event is in the table once, whatever ended the run before."""

import os
import signal
import stat

import msgspec

from scripts.harness.evsup import GRACE_S, Evsup
from scripts.harness.marker import marked
from scripts.harness.table import foreign_bodies
from scripts.harness.waiting import eventually
from supervisor.process.crash_report import CrashReport
from tests.harness.pipeline import Pipeline, pipeline_of


def crash_reports(evsup: Evsup) -> list[CrashReport]:
    """The reports of its state directory, each readable by its owner alone."""
    paths = sorted(evsup.state_dir.glob("crash-*.json"))
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in paths)
    return [msgspec.json.decode(path.read_bytes(), type=CrashReport) for path in paths]


def test_every_event_is_in_the_table_once_over_start_drain_and_restart() -> None:
    with pipeline_of(partitions=2) as pipeline:
        pipeline.publish(1000)
        first = pipeline.start()
        first.await_running(2)
        pipeline.publish(500)
        eventually(lambda: pipeline.rows() > 1000, "rows come")
        assert first.stop() == 0
        drained = pipeline.in_table()
        pipeline.publish(200)
        second = pipeline.start()
        pipeline.await_all()
        assert second.stop() == 0
        pipeline.prove()
        assert all(held.gaps == held.duplicates == 0 for held in drained.values())
        assert foreign_bodies(pipeline.snow) == 0
        with pipeline.store() as store:
            stored = [(row.sequence_number, row.last_enqueued, row.lag_events) for row in store.checkpoints()]
        assert stored == [(1699, 1699, 0)] * 2


def test_a_worker_killed_brings_the_tree_down_with_75_and_loses_nothing(pipeline2: Pipeline) -> None:
    pipeline2.publish(1000)
    evsup = pipeline2.start()
    workers = evsup.await_running(2)
    eventually(lambda: pipeline2.rows() > 0, "rows come")
    pipeline2.publish(1000)
    os.kill(workers["1"].pid, signal.SIGKILL)
    assert evsup.wait() == 75
    assert "Partition 1" in evsup.last_line
    assert "SIGKILL" in evsup.last_line
    assert "Start again" in evsup.last_line
    assert '"event": "worker_drained"' in evsup.stderr, "the sibling drains"
    (report,) = crash_reports(evsup)
    assert (report.error, report.exit_code, report.worker.partition) == ("WorkerKilled", 75, "1")
    assert report.what in evsup.last_line
    second = pipeline2.start()
    pipeline2.await_all()
    assert second.stop() == 0
    pipeline2.prove()


def test_a_supervisor_killed_leaves_no_process_and_another_takes_over(pipeline2: Pipeline) -> None:
    pipeline2.publish(2000)
    first = pipeline2.start()
    first.await_running(2)
    eventually(lambda: pipeline2.rows() > 0, "rows come")
    first.send(signal.SIGKILL)
    first.wait()
    eventually(lambda: not marked(first.marker), "no orphan", GRACE_S)
    pipeline2.publish(500)
    second = pipeline2.start()
    workers = second.await_running(2)
    assert all(row.epoch == 2 for row in workers.values())
    pipeline2.await_all()
    assert second.stop() == 0
    pipeline2.prove()
