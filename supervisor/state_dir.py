"""The directory of a running supervisor, for its lock, status socket and crash reports."""

import fcntl
import os
import stat
from contextlib import suppress
from pathlib import Path

from shared.errors import AlreadyRunning, ConfigurationError, EvsupError
from shared.limits import limit_error
from shared.log.logger import get_logger

LOCK_NAME = "supervisor.lock"
log = get_logger()


def state_dir(configured: str | None) -> Path:
    """`EVSUP_STATE_DIR`, or the first usable one of the user's runtime directory, `/run/evsup` and `/tmp`.

    Raises ConfigurationError when it has to be set, because nothing can be written (a container's read-only root).
    """
    if configured:
        return Path(configured)
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        return Path(runtime) / "evsup"
    if os.access("/run/evsup", os.W_OK) or os.access("/run", os.W_OK):
        return Path("/run/evsup")
    from tempfile import gettempdir  # here, because the directory is named nearly always

    own = f"evsup-{os.getuid()}"
    try:
        return Path(gettempdir()) / own
    except FileNotFoundError as error:
        raise unusable(Path("/tmp", own), str(error.strerror)) from error  # noqa: S108 (it is none)


def prepare(directory: Path) -> None:
    """Make it, private to this user. An existing one stays as it is, and is refused if others may write into it."""
    try:
        _make(directory)
        facts = directory.lstat()
        exchangeable = [str(each) for each in directory.resolve().parents if _is_open_to_all(each)]
    except OSError as error:
        raise failure(directory, error) from error
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.getuid() or facts.st_mode & 0o022:
        raise unusable(directory, "it is a link, belongs to another user, or others may write into it")
    if exchangeable:  # a warning only: an emptyDir of Kubernetes is like this, and nobody else is in the pod
        log.warning("state_dir_exchangeable", state_dir=str(directory), open_to_all=exchangeable[0], fix="chmod +t")


def _make(directory: Path) -> None:
    """Make the directory and its missing parents, all private: `Path.mkdir` gives parents what the umask allows."""
    missing = [each for each in (directory, *directory.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(mode=0o700, exist_ok=True)


def _is_open_to_all(directory: Path) -> bool:
    mode = directory.stat().st_mode
    return bool(mode & stat.S_IWOTH) and not mode & stat.S_ISVTX


def unusable(directory: Path, why: str) -> ConfigurationError:
    """The error for a directory that cannot hold the state."""
    fix = "Set EVSUP_STATE_DIR to a directory of this user alone."
    return ConfigurationError(_what(directory), why, fix)


def failure(directory: Path, error: OSError) -> EvsupError:
    """The error of the kernel for a file in the directory. A full disk may have room at the next start."""
    why = f"{error.filename or directory}: {error.strerror}"
    return limit_error(error, _what(directory)) or unusable(directory, why)


def _what(directory: Path) -> str:
    return f"The state directory {directory} cannot be used"


def _is_ours_alone(facts: os.stat_result) -> bool:
    """Whether it is a regular file with one name. A pipe cannot hold the pid, and a hard link would be overwritten."""
    return stat.S_ISREG(facts.st_mode) and facts.st_nlink == 1 and facts.st_uid == os.getuid()


class Lock:
    """Held while a supervisor runs. The kernel releases it, however the process ends.

    The directory is locked beside the file, which what cleans /tmp may delete; systemd-tmpfiles leaves a directory
    alone that is locked. https://www.freedesktop.org/software/systemd/man/latest/tmpfiles.d.html
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / LOCK_NAME
        try:
            # O_CLOEXEC: the lock belongs to the open file, and a worker that had it would hold the lock after us.
            # https://man7.org/linux/man-pages/man2/flock.2.html
            self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            self._directory_fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise failure(directory, error) from error
        if not _is_ours_alone(os.fstat(self._fd)):
            self.release()
            raise unusable(directory, f"{self._path} is not a file of its own, or belongs to another user")
        try:
            # For a file of an older evsup or of another umask; the mode of `open` is only for one that it creates.
            os.fchmod(self._fd, 0o600)
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _lock_directory(self._directory_fd)
        except BlockingIOError as error:
            raise self._held() from error
        except OSError as error:  # of a filesystem without modes, or of a network without locks
            self.release()
            raise unusable(directory, f"{self._path} cannot be locked: {error.strerror}") from error
        with suppress(OSError):  # the pid is only for people: the lock holds on a full disk, too
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Release the lock."""
        os.close(self._directory_fd)
        os.close(self._fd)

    def _held(self) -> AlreadyRunning:
        pid = os.pread(self._fd, 32, 0).decode(errors="replace").strip() or "unknown"
        self.release()
        return AlreadyRunning(
            f"Another supervisor runs here (pid {pid})",
            f"it has locked {self._path.parent}",
            "Stop it, or set another EVSUP_STATE_DIR for this one.",
        )


def _lock_directory(descriptor: int) -> None:
    """Raises BlockingIOError when another process has locked it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:  # of a network filesystem that locks files alone: the file is locked
        pass
