"""The whole local cloud: it serves evsup, and nothing of it is left, however it ends."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import psutil
import psycopg
import pytest
from dotenv import dotenv_values

from scripts.localcloud.cloud import CloudSettings, LocalCloud
from scripts.localcloud.service import REPOSITORY, Service, ServiceError

T = TypeVar("T")
DEADLINE_S = 60.0
POLL_S = 0.02  # between two looks at a condition that has a deadline


def until(probe: Callable[[], T]) -> T:
    deadline = time.monotonic() + DEADLINE_S
    while not (seen := probe()):
        assert time.monotonic() < deadline, f"still {seen}"
        time.sleep(POLL_S)
    return seen


@pytest.fixture
def started(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], list[psutil.Process], dict[str, str | None]]]:
    """Start `python -m scripts.localcloud` with Postgres; give it, its descendants and its settings."""
    env_file = tmp_path / "settings.env"
    command = [sys.executable, "-m", "scripts.localcloud", "--store", "postgres", "--env-file", str(env_file)]
    process = subprocess.Popen(command, cwd=REPOSITORY, env={**os.environ, "TMPDIR": "/tmp"}, stderr=subprocess.DEVNULL)
    try:
        until(lambda: env_file.exists() and b"EVSUP_STATE_DIR" in env_file.read_bytes())
        assert stat.S_IMODE(env_file.stat().st_mode) == 0o600
        family = psutil.Process(process.pid).children(recursive=True)
        yield process, family, dotenv_values(env_file)
    finally:
        process.kill()
        process.wait()


def has_exited(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:  # it ended between the two questions
        return True


def test_no_process_is_left_when_it_is_killed(
    started: tuple[subprocess.Popen[bytes], list[psutil.Process], dict[str, str | None]],
) -> None:
    process, family, settings = started
    assert any(child.name() == "postgres" for child in family)
    dsn, state = settings["CONTROL_POSTGRES_DSN"], settings["EVSUP_STATE_DIR"]
    assert dsn
    assert state
    with closing(psycopg.connect(dsn, autocommit=True)) as session:  # an open session must not keep the server alive
        (data,) = session.execute("SELECT current_setting('data_directory')").fetchone() or ("",)
        process.kill()
        process.wait()
        until(lambda: all(has_exited(child) for child in family))
    for left in (Path(data).parent, Path(state).parent):  # a killed process can leave nothing but files
        shutil.rmtree(left)


def test_nothing_is_left_after_a_signal(
    started: tuple[subprocess.Popen[bytes], list[psutil.Process], dict[str, str | None]], tmp_path: Path
) -> None:
    process, family, settings = started
    process.send_signal(signal.SIGTERM)
    assert process.wait(DEADLINE_S) == 0
    assert all(has_exited(child) for child in family)
    assert not (tmp_path / "settings.env").exists()
    assert settings["EVSUP_STATE_DIR"]
    assert not Path(settings["EVSUP_STATE_DIR"]).exists()


def test_postgres_survives_a_crash_and_keeps_its_address() -> None:
    with LocalCloud(CloudSettings(store="postgres")) as cloud:
        postgres = cloud.postgres
        assert postgres is not None
        with psycopg.connect(postgres.dsn) as session:
            session.execute("CREATE TABLE kept AS SELECT 42 AS n")
        postgres.stop_immediately()
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(postgres.dsn).close()
        postgres.start()
        postgres.restart()
        with psycopg.connect(postgres.socket_dsn) as session:
            assert session.execute("SELECT n FROM kept").fetchone() == (42,)


def test_the_private_directory_and_its_secrets_are_the_owners_alone() -> None:
    with LocalCloud() as cloud:
        assert stat.S_IMODE(cloud.directory.stat().st_mode) == 0o700
        for secret in (cloud.private_key_file, cloud.directory / "snow" / "server.key"):
            assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert not cloud.directory.exists()


def test_a_service_that_does_not_start_says_why() -> None:
    with pytest.raises(ServiceError, match="--state-dir"):
        Service.start("scripts.localcloud.snow", [])


def lose_snowflake() -> None:
    with LocalCloud() as cloud:
        os.kill(cloud.snow_service.pid, signal.SIGKILL)
        until(lambda: not cloud.snow_service.running)
        cloud.snow.channels()


def test_a_service_that_ended_by_itself_is_named_instead_of_the_connection_that_it_refuses() -> None:
    with pytest.raises(ServiceError, match=r"scripts\.localcloud\.snow exited with -9"):
        lose_snowflake()
