"""SQLite only: the file, its permissions, and the processes that share it."""

import errno
import multiprocessing
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from shared.config.settings import ControlSettings
from shared.control import sqlite as sqlite_store
from shared.control.open import open_store
from shared.control.sqlite import SqliteDatabase
from shared.control.store import ControlStore
from shared.errors import ConfigurationError, EvsupError, NotPermitted, StoreUnavailable
from shared.model import Checkpoint, ConsumerGroup

GROUP = ConsumerGroup("ns.servicebus.windows.net", "hub", "$Default")
WRITES = 30


def open_at(path: Path | str) -> ControlStore:
    return open_store(ControlSettings(sqlite_path=str(path)), GROUP, 60.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a" / "b" / "control.db"


@pytest.fixture
def store(path: Path) -> Iterator[ControlStore]:
    store = open_at(path)
    store.initialise()
    yield store
    store.close()


def failure(store: ControlStore) -> EvsupError:
    with pytest.raises(EvsupError) as caught:
        store.ownerships()
    store.close()
    return caught.value


def test_the_file_and_its_directory_are_private(store: ControlStore, path: Path) -> None:
    store.claim("0", "a", 60.0)
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {
        "control.db": 0o600,
        "control.db-wal": 0o600,
        "control.db-shm": 0o600,
    }


def test_the_home_directory_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    store = open_at("~/here/control.db")
    store.initialise()
    store.close()
    assert (tmp_path / "here" / "control.db").exists()


def test_a_name_that_is_no_plain_url_works(tmp_path: Path) -> None:
    store = open_at(tmp_path / "100% #1?.db")
    store.initialise()
    store.close()
    assert [file.name for file in tmp_path.iterdir()] == ["100% #1?.db"]


def test_a_missing_file_is_not_created_unasked(path: Path) -> None:
    error = failure(open_at(path))
    assert isinstance(error, ConfigurationError)
    assert "evsup init" in error.fix
    assert not path.exists()


def test_an_empty_file_has_no_tables(tmp_path: Path) -> None:
    (tmp_path / "control.db").touch()
    error = failure(open_at(tmp_path / "control.db"))
    assert isinstance(error, ConfigurationError)
    assert "evsup init" in error.fix


def test_a_file_of_something_else_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "control.db").write_text("something else " * 100)
    assert isinstance(failure(open_at(tmp_path / "control.db")), ConfigurationError)


def test_a_directory_that_cannot_be_made_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="CONTROL_SQLITE_PATH"):
        open_at(tmp_path / "file" / "control.db").initialise()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may do everything")
def test_a_directory_of_somebody_else_is_not_permitted(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(NotPermitted):
        open_at(tmp_path / "control.db").initialise()


def test_a_lock_held_too_long_is_unavailable(store: ControlStore, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_store, "CALL_S", 0.2)
    impatient = open_at(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match=r"locked.*fuser"):
            impatient.claim("0", "a", 60.0)
        assert impatient.ownerships() == []
        holder.execute("ROLLBACK")
    assert impatient.claim("0", "a", 60.0)
    impatient.close()


def test_a_file_that_is_deleted_or_replaced_is_not_written_to_any_more(
    store: ControlStore, path: Path, tmp_path: Path
) -> None:
    assert store.claim("0", "a", 60.0)
    path.rename(tmp_path / "former.db")
    with pytest.raises(ConfigurationError, match=r"There is no control store .*evsup init"):
        store.claim("1", "a", 60.0)
    open_at(path).initialise()
    with pytest.raises(ConfigurationError, match=r"was replaced by another file.*Start again"):
        store.claim("1", "a", 60.0)


@pytest.mark.parametrize("suffix", ["-wal", "-shm"])
@pytest.mark.parametrize("is_replaced", [False, True])
def test_a_file_beside_it_that_is_deleted_or_replaced_is_named(
    store: ControlStore, path: Path, suffix: str, *, is_replaced: bool
) -> None:
    term = store.claim("0", "a", 60.0)
    assert term is not None
    beside = path.with_name(path.name + suffix)
    beside.rename(path.with_name("former"))
    if is_replaced:
        beside.touch()
    with pytest.raises(ConfigurationError, match=rf"{beside.name} of the control store was deleted or replaced"):
        store.save_checkpoint(Checkpoint("0", 1, None, term.epoch))


def test_a_file_or_a_directory_that_may_only_be_read_is_found_by_who_asks(
    store: ControlStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.check_writes()
    for read_only in (path, path.parent):  # root may write everywhere but to a disk that is mounted read-only
        monkeypatch.setattr(os, "access", lambda each, _, read_only=read_only: each != read_only)
        with pytest.raises(NotPermitted, match=rf"{read_only} is read-only"):
            store.check_writes()


def test_a_path_that_is_no_file_is_a_configuration_error(tmp_path: Path) -> None:
    assert "is no file" in failure(open_at(tmp_path)).what


@pytest.mark.parametrize("suffix", ["", "-wal"])
@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.ENOTCONN])
def test_a_disk_that_does_not_say_whether_there_is_a_file_is_waited_for(
    store: ControlStore, monkeypatch: pytest.MonkeyPatch, number: int, suffix: str
) -> None:
    stat = os.stat

    def fail(path: Path | str, **how: bool) -> os.stat_result:
        if str(path).endswith(f"control.db{suffix}"):
            raise OSError(number, os.strerror(number))
        return stat(path, **how)

    assert store.claim("0", "a", 60.0)
    with monkeypatch.context() as broken:
        broken.setattr(os, "stat", fail)
        with pytest.raises(StoreUnavailable, match=os.strerror(number)):
            store.claim("1", "a", 60.0)
    assert store.claim("1", "a", 60.0)


def test_a_file_that_is_replaced_while_it_is_opened_is_not_written_to(store: ControlStore, path: Path) -> None:
    other = path.with_name("other.db")
    open_at(other).initialise()

    class Restored(SqliteDatabase):
        def connect(self) -> sqlite3.Connection:
            connection = super().connect()
            other.replace(path)
            return connection

    late = ControlStore(Restored(str(path)), GROUP, 60.0)
    with pytest.raises(ConfigurationError, match="was replaced by another file"):
        late.claim("0", "a", 60.0)


def write_checkpoints(path: Path, partition_id: str) -> None:
    store = open_at(path)
    term = store.claim(partition_id, f"owner{partition_id}", 60.0)
    assert term is not None
    for position in range(WRITES):
        store.save_checkpoint(Checkpoint(partition_id, position, None, term.epoch))
    store.close()


def test_many_processes_write_their_own_partitions(store: ControlStore, path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=write_checkpoints, args=(path, str(partition))) for partition in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    assert [checkpoint.sequence_number for checkpoint in store.checkpoints()] == [WRITES - 1] * 2
