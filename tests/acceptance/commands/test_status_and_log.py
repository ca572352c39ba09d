"""What a person and a script see of a running evsup."""

import fcntl
import json
import os
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from scripts.harness.evsup import EVSUP, Evsup
from scripts.harness.waiting import PATIENCE_S, eventually
from tests.harness.pipeline import Pipeline, pipeline_of

SUITE_S = 3600.0  # longer than all tests together; a time that is no age is far beyond it


@pytest.fixture(scope="module")
def shared() -> Iterator[Pipeline]:
    with pipeline_of(partitions=2) as made:
        yield made


@pytest.fixture(scope="module")
def running(shared: Pipeline) -> Iterator[Evsup]:
    """One tree for the tests that only look."""
    shared.publish(100)
    evsup = shared.start()
    evsup.await_running(2)
    eventually(lambda: all(row.checkpointed == 99 for row in evsup.workers().values()), "all is checkpointed")
    yield evsup
    assert evsup.stop() == 0


def test_status_of_a_healthy_tree_is_0_and_shows_it(shared: Pipeline, running: Evsup) -> None:
    done = shared.run("status")
    assert (done.returncode, done.stderr) == (0, "")
    assert "running, healthy" in done.stdout
    assert "2 of 2 partitions" in done.stdout


def test_status_as_json_is_one_document(shared: Pipeline, running: Evsup) -> None:
    done = shared.run("status", "--json")
    document = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert (document["state"], document["healthy"], document["cause"]) == ("running", True, None)
    for row in document["partitions"]:
        assert row["received"] == row["appended"] == row["durable"] == 99
        assert (row["state"], row["lag"], row["rows_inflight"]) == ("running", 0, 0)


def test_each_tree_of_a_host_is_found_by_the_file_of_its_hub(shared: Pipeline, running: Evsup, tmp_path: Path) -> None:
    codes = {}
    for hub, directory in (("flights", running.state_dir), ("airports", tmp_path / "not-running")):
        file = tmp_path / f"{hub}.env"
        file.write_text(f"EVSUP_STATE_DIR={directory}\n")
        codes[hub] = shared.run("status", "--env-file", str(file), EVSUP_STATE_DIR="").returncode
    assert codes == {"flights": 0, "airports": 3}


@pytest.mark.parametrize("flags", ["", "--json"])
def test_a_reader_that_leaves_early_gets_no_traceback(shared: Pipeline, running: Evsup, flags: str) -> None:
    command = f"{shlex.quote(EVSUP)} status {flags} | head -c 1"
    done = subprocess.run(["sh", "-c", command], env=shared.environment, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_status_says_how_late_the_table_is(shared: Pipeline, running: Evsup) -> None:
    for row in json.loads(shared.output("status", "--json"))["partitions"]:
        assert row["lag_s"] == row["commit_wait_s"] == 0
        assert 0 < row["commit_age_s"] <= row["row_age_s"] < SUITE_S
        assert max(row["frame_age_s"], row["event_age_s"], row["lag_age_s"]) < SUITE_S
        for stage in ("enqueued_received", "received_appended", "appended_durable", "enqueued_durable"):
            assert sum(row["latencies"][stage]["counts"]) == 100


def test_a_watch_as_json_is_a_line_a_second_and_ends_quietly_with_its_reader(shared: Pipeline, running: Evsup) -> None:
    command = f"{shlex.quote(EVSUP)} status --watch --json | head -3"
    began_s = time.monotonic()
    done = subprocess.run(
        ["sh", "-c", command], env=shared.environment, capture_output=True, check=False, timeout=PATIENCE_S
    )
    assert time.monotonic() - began_s >= 2.0
    documents = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.returncode, done.stderr, len(documents)) == (0, b"", 3)
    uptimes_s = [document["uptime_s"] for document in documents]
    assert uptimes_s == sorted(uptimes_s)


def test_the_first_line_says_source_target_store_and_partitions(shared: Pipeline, running: Evsup) -> None:
    first = json.loads(running.stderr.partition("\n")[0])
    assert first["event"] == "supervisor_started"
    assert first["source"].endswith("/flights")
    assert "EVSUP.PUBLIC.EVENTS" in first["target"]
    assert (first["store"], first["partitions_total"], first["consumer_group"]) == ("sqlite", 2, "$Default")


def test_the_status_socket_is_its_owner_s_alone(running: Evsup) -> None:
    assert (running.state_dir / "status.sock").stat().st_mode & 0o777 == 0o600
    assert running.state_dir.stat().st_mode & 0o777 == 0o700


def test_processes_are_named_after_what_they_do(running: Evsup) -> None:
    def title(pid: int) -> str:
        return Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0")

    assert title(running.pid).startswith("evsup supervisor flights")
    for partition, row in running.workers().items():
        assert title(row.pid).startswith(f"evsup worker flights p={partition}")


def test_status_is_1_while_a_partition_has_no_owner_and_3_without_a_tree() -> None:
    with pipeline_of(partitions=2) as pipeline:
        assert pipeline.run("status").returncode == 3
        assert json.loads(pipeline.run("status", "--json").stdout) is None
        evsup = pipeline.start("--max-partitions", "1")
        evsup.await_running(1)
        eventually(lambda: (tree := evsup.status()) and tree.unowned, "a partition has no owner")
        done = pipeline.run("status")
        assert done.returncode == 1
        assert "unowned partition 1: held by nobody" in done.stdout
        assert evsup.stop() == 0
        assert pipeline.run("status").returncode == 3


def fill(pipe: int) -> None:
    """Write until the pipe is full."""
    os.set_blocking(pipe, False)
    with suppress(BlockingIOError):
        while True:
            os.write(pipe, b"\n" * 4096)
    os.set_blocking(pipe, True)


def test_a_hub_that_stands_still_is_seen_by_how_long_ago_it_was_heard(shared: Pipeline, running: Evsup) -> None:
    """Nothing else tells LAG 0 from a hub that is caught up with."""
    shared.publish(1)
    eventually(lambda: heard_s(running) < 1, "the hub is heard")
    os.kill(shared.cloud.hub_service.pid, signal.SIGSTOP)
    try:
        eventually(lambda: heard_s(running) > 3, "the silence is seen")
        assert re.search(r"hub heard \d+ s ago", shared.output("status"))
    finally:
        os.kill(shared.cloud.hub_service.pid, signal.SIGCONT)
    eventually(lambda: heard_s(running) < 2, "the hub is heard again")


def heard_s(running: Evsup) -> float:
    """Seconds since the hub was heard by the partition that heard it last."""
    return min(row.frame_age_s or 0.0 for row in running.workers().values())


def test_a_standard_error_that_nobody_reads_stops_nothing(pipeline: Pipeline) -> None:
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    try:
        evsup = pipeline.start(stderr=writer, EVSUP_LOG_LEVEL="debug", SS_LOG_LEVEL="info")
        evsup.await_running(1)
        fill(writer)
        for _ in range(20):
            pipeline.publish(50)
            pipeline.hub.drop_connections()
        pipeline.await_all()
        assert evsup.stop() == 0
        assert pipeline.start("--mistyped", stderr=writer).wait() == 64
    finally:
        os.close(writer)
        os.close(reader)
