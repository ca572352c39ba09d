"""The file of an export: a new one, private, and whole or not there."""

import resource
import stat
from pathlib import Path

import pytest

from shared.errors import OutputLost, UsageError
from supervisor.commands.checkpoints.export import write_new


def test_the_file_is_new_and_private(tmp_path: Path) -> None:
    path = tmp_path / "positions.json"
    write_new(path, "{}")
    assert path.read_text() == "{}\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(UsageError, match=r"File exists\. Name a file that does not exist yet"):
        write_new(path, "other")
    assert path.read_text() == "{}\n"


def test_a_directory_that_is_not_there_is_not_taken_for_a_file_that_is(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file or directory") as caught:
        write_new(tmp_path / "missing" / "positions.json", "{}")
    assert not caught.value.fix


def test_a_full_disk_leaves_no_half_of_a_file(tmp_path: Path) -> None:
    path, limits = tmp_path / "positions.json", resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OutputLost, match=r"Cannot write .*File too large.* run the command again"):
            write_new(path, "x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not path.exists()
