"""What signals do to `evsup start`, from its start to a drain that cannot end."""

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.harness.evsup import Evsup
from scripts.harness.waiting import BUSY_S, eventually
from tests.harness.pipeline import UNCHECKED, Pipeline, pipeline_of
from tests.harness.services.service_manager import ServiceManager


@pytest.fixture(scope="module")
def shared() -> Iterator[Pipeline]:
    with pipeline_of() as made:
        yield made


@pytest.fixture
def pipeline(shared: Pipeline) -> Iterator[Pipeline]:
    shared.publish(300)
    yield shared
    shared.snow.clear_faults()
    eventually(lambda: not any(one.requests_waiting for one in shared.snow.channels().values()), "commits are through")


def stalled(pipeline: Pipeline, *arguments: str) -> Evsup:
    """A tree with rows in flight that Snowflake does not commit."""
    pipeline.snow.stall_commits()
    evsup = pipeline.start(*arguments)
    evsup.await_running(1)
    eventually(lambda: evsup.workers()["0"].rows_inflight, "rows are in flight")
    return evsup


def is_draining(evsup: Evsup) -> bool:
    tree = evsup.status()
    return tree is not None and tree.state == "draining"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_group_while_workers_boot_ends_with_0(pipeline: Pipeline, number: signal.Signals) -> None:
    evsup = pipeline.start()
    eventually(lambda: "worker_started" in evsup.stderr, "a worker boots")
    evsup.send_to_group(number)
    assert evsup.wait() == 0
    assert "Traceback" not in evsup.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_before_anything_was_claimed_ends_with_0(pipeline: Pipeline, number: signal.Signals) -> None:
    before = pipeline.hub.hang().fired["hang"]
    evsup = pipeline.start()
    eventually(lambda: pipeline.hub.fired("hang") > before, "it waits for the hub")
    sent_s = time.monotonic()
    evsup.send(number)
    try:
        assert evsup.wait() == 0
        assert time.monotonic() - sent_s < BUSY_S, "at once"
    finally:
        pipeline.hub.release_hang()
    assert "Traceback" not in evsup.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_whole_group_drains_with_0_and_systemd_knows(
    pipeline: Pipeline, tmp_path: Path, number: signal.Signals
) -> None:
    with ServiceManager(str(tmp_path / "notify")) as systemd, systemd.listening() as heard:
        limit = {"NOTIFY_SOCKET": systemd.address, "WATCHDOG_USEC": "1000000"}
        evsup = pipeline.start(stderr=None, **limit)
        worker = evsup.await_running(1)["0"].pid
        assert not limit.keys() & environment_of(worker)
        eventually(lambda: "READY=1" in heard and "WATCHDOG=1" in heard[heard.index("READY=1") :], "the loop turns")
        drains_after_signals_to_the_group(evsup, number)
    assert heard.count("READY=1") == heard.count("STOPPING=1") == 1
    assert "WATCHDOG=1" in heard[heard.index("READY=1") : heard.index("STOPPING=1")]
    assert any(line.startswith("STATUS=1 of 1 partitions") for line in heard)


def environment_of(pid: int) -> set[str]:
    """The names of its variables."""
    return {entry.partition("=")[0] for entry in Path(f"/proc/{pid}/environ").read_text().split("\0")}


def drains_after_signals_to_the_group(evsup: Evsup, number: signal.Signals) -> None:
    evsup.send_to_group(signal.SIGHUP)  # ignored
    evsup.send_to_group(signal.SIGUSR1)
    eventually(lambda: "tree_state" in evsup.stderr, "the state is logged")
    evsup.send_to_group(number)
    assert evsup.wait() == 0
    assert "worker_drained" in evsup.stderr
    assert "Traceback" not in evsup.stderr


def test_signals_to_the_very_end_do_not_take_the_exit_code_away(pipeline: Pipeline) -> None:
    evsup = pipeline.start()
    evsup.await_running(1)

    def is_over() -> bool:
        evsup.send(signal.SIGTERM)
        return not evsup.is_running

    eventually(is_over, "it ends", every_s=0.002)
    assert evsup.wait() in (0, 75)
    assert "Traceback" not in evsup.stderr


def test_a_second_signal_stops_a_drain_that_cannot_end_at_once_with_75_and_no_error(pipeline: Pipeline) -> None:
    evsup = stalled(pipeline)
    evsup.send_to_group(signal.SIGINT)
    eventually(lambda: is_draining(evsup), "it drains")
    sent_s = time.monotonic()
    evsup.send_to_group(signal.SIGINT)
    assert evsup.wait() == 75
    assert time.monotonic() - sent_s < BUSY_S, "at once"
    assert "a second signal came" in evsup.last_line
    *log, _ = evsup.stderr.splitlines()
    noted = [line["event"] for line in map(json.loads, log) if line["level"] not in ("debug", "info")]
    assert noted == ["drain_cut_short"]
    assert not list(evsup.state_dir.glob("crash-*.json"))


def test_a_drain_that_cannot_end_stops_at_its_timeout_with_75_and_loses_nothing(pipeline: Pipeline) -> None:
    evsup = stalled(pipeline, "--drain-timeout", "2")
    sent_s = time.monotonic()
    assert evsup.stop() == 75
    assert 2.0 <= time.monotonic() - sent_s < 2.0 + BUSY_S
    assert "Nothing is lost" in evsup.last_line
    pipeline.snow.clear_faults()
    again = pipeline.start(**UNCHECKED)
    again.await_running(1)  # not by the rows, which may be there already: a signal would end a process that still boots
    pipeline.await_all()
    assert again.stop() == 0
    pipeline.prove()
