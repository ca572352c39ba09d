"""A file that a setting names is read, or the reason is a sentence."""

from pathlib import Path

import pytest

from shared.config.formats.files import bytes_of


def test_a_file_that_is_not_there_is_named_although_the_working_directory_was_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tmp_path.rmdir()
    with pytest.raises(ValueError, match=r"no such file \(from the directory .*\(deleted\)\)"):
        bytes_of("key.p8", 10)
