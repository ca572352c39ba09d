"""A limit of the host is named where it is limit_error, with what to change, and is no bug of evsup."""

import errno
import resource
import ssl
from pathlib import Path

import pytest

from shared.errors import ConfigurationError, EvsupError, LimitReached
from shared.ipc.failure import error_of, failure_message
from shared.limits import MOST_DESCRIPTORS, limit_error, oom_kills, raise_descriptors, start_limit_error


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[int, int]]:
    """The limit of descriptors, as a test sets it and the code under test leaves it."""
    held = {"nofile": (1024, 524_288)}
    monkeypatch.setattr(resource, "getrlimit", lambda _: held["nofile"])
    monkeypatch.setattr(resource, "setrlimit", lambda _, limit: held.update(nofile=limit))
    return held


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((1024, 524_288), (MOST_DESCRIPTORS, 524_288)),
        ((1024, 4096), (4096, 4096)),
        ((100_000, 524_288), (100_000, 524_288)),
        ((1024, resource.RLIM_INFINITY), (MOST_DESCRIPTORS, resource.RLIM_INFINITY)),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), (resource.RLIM_INFINITY, resource.RLIM_INFINITY)),
    ],
)
def test_the_soft_limit_of_descriptors_is_raised_and_never_lowered(
    limits: dict[str, tuple[int, int]], before: tuple[int, int], after: tuple[int, int]
) -> None:
    limits["nofile"] = before
    raise_descriptors(300)
    assert limits["nofile"] == after


def test_a_hard_limit_that_is_too_low_is_refused_with_the_number_of_partitions_that_fit(
    limits: dict[str, tuple[int, int]],
) -> None:
    limits["nofile"] = (64, 256)
    raise_descriptors(76)
    with pytest.raises(ConfigurationError, match=r"100 partitions need 328 file.*256.*EVSUP_MAX_PARTITIONS=76"):
        raise_descriptors(100)
    limits["nofile"] = (20, 20)
    with pytest.raises(ConfigurationError, match=r"LimitNOFILE=.*shell\)\.$"):
        raise_descriptors(1)


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (OSError(errno.EMFILE, "Too many open files"), ConfigurationError, "LimitNOFILE"),
        (OSError(errno.EFBIG, "File too large", "/tmp/cache"), ConfigurationError, "/tmp/cache: a file is as large"),
        (OSError(errno.ENFILE, "Too many open files in system"), LimitReached, "fs.file-max"),
        (OSError(errno.EAGAIN, "Resource temporarily unavailable"), LimitReached, "TasksMax"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), LimitReached, "EVENTHUB_PREFETCH"),
        (OSError(errno.EACCES, "Permission denied"), LimitReached, "Permission denied"),
    ],
)
def test_a_worker_that_cannot_be_started_says_which_limit_was_reached(
    error: OSError, kind: type[EvsupError], says: str
) -> None:
    made = start_limit_error(error, "No worker can be started for partition 3")
    assert type(made) is kind
    assert says in str(made)
    assert str(made).startswith("No worker can be started for partition 3: ")


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("can't start new thread"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        ssl.SSLError(1, "Error([('common libcrypto routines', '', 'malloc failure')])"),
    ],
)
def test_a_worker_that_runs_out_of_something_is_no_bug(error: Exception) -> None:
    failed = failure_message(error)
    assert type(error_of(failed)) is LimitReached
    assert failed.traceback


@pytest.mark.parametrize("error", [ValueError("7"), OSError(errno.EAGAIN, "a socket says so"), RuntimeError("another")])
def test_what_is_about_something_else_is_left_to_others(error: Exception) -> None:
    assert limit_error(error, "what") is None


def test_kills_for_memory_are_read_from_either_kind_of_cgroup(tmp_path: Path) -> None:
    own = tmp_path / "cgroup"
    own.write_text("5:memory:/a/b\n0::/\n")
    assert oom_kills(own, tmp_path) is None
    (tmp_path / "memory/a/b").mkdir(parents=True)
    (tmp_path / "memory/a/b/memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n")
    assert oom_kills(own, tmp_path) == 3
    own.write_text("0::/system.slice/evsup.service\n")
    (tmp_path / "system.slice/evsup.service").mkdir(parents=True)
    (tmp_path / "system.slice/evsup.service/memory.events").write_text("low 0\noom 2\noom_kill 2\noom_group_kill 0\n")
    assert oom_kills(own, tmp_path) == 2
    assert oom_kills(tmp_path / "none", tmp_path) is None
