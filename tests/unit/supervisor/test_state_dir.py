"""The state directory is private, and at most one supervisor uses it."""

import errno
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NoReturn

import pytest

from scripts.harness.waiting import eventually
from shared.errors import AlreadyRunning, ConfigurationError, ExitCode, LimitReached
from supervisor.state_dir import LOCK_NAME, Lock, prepare, state_dir
from supervisor.status.status_socket import SOCKET_NAME, StatusSocket, read_status
from tests.unit.supervisor.status.served import served
from tests.unit.supervisor.status.statuses import a_tree

PRECIOUS = "precious"


def precious(path: Path) -> None:
    path.write_text(PRECIOUS)


@pytest.fixture
def umask_0() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_configured_directory_is_used_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1000")
    assert state_dir("/srv/evsup") == Path("/srv/evsup")


def test_without_a_setting_the_users_runtime_directory_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1000")
    assert state_dir(None) == Path("/run/user/1000/evsup")


@pytest.mark.parametrize("writable", ["/run", "/run/evsup"])
def test_without_a_runtime_directory_run_evsup_is_used(monkeypatch: pytest.MonkeyPatch, writable: str) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "")
    monkeypatch.setattr(os, "access", lambda path, _: path == writable)
    assert state_dir(None) == Path("/run/evsup")


def test_without_any_of_these_it_is_a_temporary_directory_of_this_user(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    assert state_dir(None) == tmp_path / f"evsup-{os.getuid()}"


def test_where_nothing_can_be_written_the_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_directory() -> NoReturn:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp', '/']")

    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setattr("tempfile.gettempdir", no_directory)
    with pytest.raises(ConfigurationError, match=r"No usable temporary directory .* Set EVSUP_STATE_DIR"):
        state_dir(None)


def test_a_new_directory_is_private(tmp_path: Path) -> None:
    directory = tmp_path / "run" / "evsup"
    prepare(directory)
    assert mode(directory) == 0o700
    prepare(directory)


def test_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "evsup").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigurationError, match="is a link, belongs to another user"):
        prepare(tmp_path / "evsup")


def test_everything_that_is_made_is_private_whatever_the_umask(tmp_path: Path, umask_0: None) -> None:
    directory = tmp_path / "run" / "evsup"
    prepare(directory)
    Lock(directory).release()
    with closing(StatusSocket(directory)):
        assert {path.name: mode(path) for path in (directory.parent, *directory.rglob("*"), directory)} == {
            "run": 0o700,
            "evsup": 0o700,
            LOCK_NAME: 0o600,
            SOCKET_NAME: 0o600,
        }


@pytest.mark.parametrize(("parents_mode", "warned"), [(0o777, True), (0o1777, False), (0o775, False)])
def test_a_directory_that_anybody_may_replace_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parents_mode: int, *, warned: bool
) -> None:
    """Also through a link: the real path counts."""
    warnings: list[str] = []
    monkeypatch.setattr("supervisor.state_dir.log.warning", lambda event, **_: warnings.append(event))
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(parents_mode)
    (tmp_path / "link").symlink_to(tmp_path / "open")
    prepare(tmp_path / "link" / "evsup")
    assert ("state_dir_exchangeable" in warnings) == warned


def test_a_directory_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uid = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: uid + 1)
    with pytest.raises(ConfigurationError, match="is a link, belongs to another user"):
        prepare(tmp_path)


def test_a_directory_that_others_may_write_into_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(ConfigurationError, match="others may write into it"):
        prepare(tmp_path)
    assert mode(tmp_path) == 0o777


def test_a_file_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "evsup").write_text("")
    for path in (tmp_path / "evsup", tmp_path / "evsup" / "below"):
        with pytest.raises(ConfigurationError, match="EVSUP_STATE_DIR"):
            prepare(path)


def test_a_second_supervisor_is_refused_until_the_first_releases_the_lock(tmp_path: Path) -> None:
    lock = Lock(tmp_path)
    assert mode(tmp_path / LOCK_NAME) == 0o600
    with pytest.raises(AlreadyRunning, match=f"pid {os.getpid()}"):
        Lock(tmp_path)
    lock.release()
    Lock(tmp_path).release()


def test_a_lock_file_that_somebody_deletes_lets_no_second_supervisor_in(tmp_path: Path) -> None:
    lock = Lock(tmp_path)
    (tmp_path / LOCK_NAME).unlink()
    for _ in range(2):
        with pytest.raises(AlreadyRunning, match="pid unknown"):
            Lock(tmp_path)
    lock.release()
    Lock(tmp_path).release()


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    program = (
        f"import os; from pathlib import Path; from supervisor.state_dir import Lock; Lock(Path({str(tmp_path)!r}))"
    )
    subprocess.run([sys.executable, "-c", program + "; os._exit(9)"], check=False, timeout=30)
    assert (tmp_path / LOCK_NAME).read_text().strip().isdigit()
    Lock(tmp_path).release()


@pytest.mark.parametrize(("call", "number"), [("fcntl.flock", errno.ENOLCK), ("os.fchmod", errno.EPERM)])
def test_a_filesystem_without_locks_or_modes_is_a_fault_of_the_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    def refuse(*_: object) -> NoReturn:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(call, refuse)
    with pytest.raises(ConfigurationError, match=f"{LOCK_NAME} cannot be locked: {os.strerror(number)}"):
        Lock(tmp_path)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize(
    ("call", "make"), [("os.open", Lock), ("pathlib.Path.mkdir", prepare), ("pathlib.Path.unlink", StatusSocket)]
)
def test_a_disk_that_is_full_may_have_room_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, call: str, make: Callable[[Path], object]
) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise OSError(number, os.strerror(number), str(tmp_path / "file"))

    monkeypatch.setattr(call, refuse)
    with pytest.raises(
        LimitReached, match=f"state directory .*: .*/(file|status.sock): {os.strerror(number)}. Make room."
    ) as caught:
        make(tmp_path / "state")
    assert caught.value.exit_code == ExitCode.TEMPORARY


def test_a_lock_file_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    precious(tmp_path / "victim")
    (tmp_path / LOCK_NAME).symlink_to(tmp_path / "victim")
    with pytest.raises(ConfigurationError, match="symbolic links"):
        Lock(tmp_path)
    assert (tmp_path / "victim").read_text() == PRECIOUS


def test_a_lock_file_with_a_second_name_is_not_overwritten(tmp_path: Path) -> None:
    precious(tmp_path / "victim")
    os.link(tmp_path / "victim", tmp_path / LOCK_NAME)
    with pytest.raises(ConfigurationError, match="not a file of its own"):
        Lock(tmp_path)
    assert (tmp_path / "victim").read_text() == PRECIOUS


def test_a_lock_file_that_is_a_pipe_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / LOCK_NAME)
    with pytest.raises(ConfigurationError, match="not a file of its own"):
        Lock(tmp_path)


def test_a_lock_file_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / LOCK_NAME).touch()
    uid = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: uid + 1)
    with pytest.raises(ConfigurationError, match="belongs to another user"):
        Lock(tmp_path)


def test_a_lock_file_that_others_could_write_becomes_private(tmp_path: Path) -> None:
    (tmp_path / LOCK_NAME).touch()
    (tmp_path / LOCK_NAME).chmod(0o666)
    Lock(tmp_path).release()
    assert mode(tmp_path / LOCK_NAME) == 0o600


@pytest.mark.parametrize("plant", [Path.touch, os.mkfifo, lambda path: path.symlink_to("victim")])
def test_a_file_in_the_socket_s_place_is_replaced_and_not_followed(
    tmp_path: Path, plant: Callable[[Path], None]
) -> None:
    precious(tmp_path / "victim")
    plant(tmp_path / SOCKET_NAME)
    with served(tmp_path, a_tree):
        assert read_status(tmp_path) == a_tree()
        assert mode(tmp_path / SOCKET_NAME) == 0o600
    assert (tmp_path / "victim").read_text() == PRECIOUS


def test_a_supervisor_whose_directory_was_deleted_takes_no_socket_of_the_next_one_with_it(tmp_path: Path) -> None:
    former = StatusSocket(tmp_path)
    (tmp_path / SOCKET_NAME).unlink()
    with served(tmp_path, a_tree):
        former.close()
        assert read_status(tmp_path) == a_tree()


def test_a_socket_that_somebody_deletes_is_there_again_and_answers(tmp_path: Path) -> None:
    with served(tmp_path, a_tree):
        for _ in range(2):
            (tmp_path / SOCKET_NAME).unlink()
            eventually(lambda: read_status(tmp_path) == a_tree(), "it answers again")
            assert mode(tmp_path / SOCKET_NAME) == 0o600


def test_a_directory_in_the_socket_s_place_is_a_fault_of_the_setting(tmp_path: Path) -> None:
    (tmp_path / SOCKET_NAME).mkdir()
    with pytest.raises(ConfigurationError, match=f"{SOCKET_NAME}: Is a directory.*EVSUP_STATE_DIR"):
        StatusSocket(tmp_path)
