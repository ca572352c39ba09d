"""A start that fails leaves no heartbeat that others would wait for, and its reason to `evsup status`."""

import signal
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from shared.errors import ConfigurationError
from shared.model import HubFacts
from supervisor import last_failure
from supervisor.commands.start import run_tree, start
from supervisor.ownership.partition_discovery import PartitionDiscovery
from supervisor.process.signals import HANDLED
from supervisor.state_dir import Lock, prepare
from tests.unit.plain_settings import plain
from tests.unit.shared.control.stores import Clock, Stores

HUB = HubFacts(("0", "1"), 1_700_000_000.0)


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    before = {number: signal.getsignal(number) for number in (*HANDLED, signal.SIGHUP)}
    made = Stores(tmp_path / "control.db", Clock())
    yield made
    made.close()
    signal.set_wakeup_fd(-1)
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_port_in_use_ends_the_start_before_the_heartbeat(
    stores: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, _ = stores.open()
    heartbeats: list[object] = []
    monkeypatch.setattr(store, "heartbeat", heartbeats.append)
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        settings = plain()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        process = msgspec.structs.replace(settings.process, http_address=address)
        with pytest.raises(ConfigurationError, match="EVSUP_HTTP_ADDRESS"):
            run_tree(msgspec.structs.replace(settings, process=process), tmp_path, HUB, store, None)
    assert heartbeats == []


def test_a_start_that_fails_after_its_heartbeat_takes_it_back(
    stores: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, _ = stores.open()
    seen: list[int] = []

    def fail(_: PartitionDiscovery) -> None:
        seen.append(len(store.supervisors()))
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(PartitionDiscovery, "start", fail)
    with pytest.raises(RuntimeError):
        run_tree(plain(), tmp_path, HUB, store, None)
    assert seen == [1]
    assert store.supervisors() == []


def start_without_settings(state_dir: Path, env_file: Path) -> None:
    env_file.write_text(f"EVSUP_STATE_DIR={state_dir}")
    with pytest.raises(ConfigurationError, match="SNOWFLAKE_TABLE"):
        start.main(["--env-file", str(env_file)], standalone_mode=False)


def test_a_wrong_configuration_is_the_last_failure_that_status_shows(tmp_path: Path) -> None:
    state_dir = tmp_path / "state"
    start_without_settings(state_dir, tmp_path / "a.env")
    start_without_settings(state_dir, tmp_path / "a.env")
    kept = last_failure.read(state_dir)
    assert kept
    assert kept.exit_code == 78
    assert "SNOWFLAKE_TABLE" in kept.reason
    Lock(state_dir).release()


def test_a_wrong_configuration_is_no_failure_of_the_supervisor_that_runs_there(tmp_path: Path) -> None:
    state_dir = tmp_path / "state"
    prepare(state_dir)
    lock = Lock(state_dir)
    start_without_settings(state_dir, tmp_path / "a.env")
    assert last_failure.read(state_dir) is None
    lock.release()
