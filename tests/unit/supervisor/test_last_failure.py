"""The last failure in a state directory is private, masked, and never in the way of the failure itself."""

import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.errors import SourceUnavailable
from supervisor import last_failure


def fail(directory: Path) -> None:
    with last_failure.recorded(directory):
        raise SourceUnavailable("Event hub 'flights' cannot be read", "SharedAccessKey=Xq7canary", "Try again.")


def test_a_failure_is_kept_private_and_masked_with_its_code(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable):
        fail(tmp_path)
    path = tmp_path / last_failure.NAME
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "Xq7canary" not in path.read_text()
    kept = last_failure.read(tmp_path)
    assert kept
    assert kept.exit_code == 69


@pytest.mark.parametrize("plant", [Path.mkdir, lambda path: path.write_text("victim")], ids=["directory", "file"])
def test_whatever_stands_in_its_place_or_a_missing_directory_hides_no_failure(
    tmp_path: Path, plant: Callable[[Path], object]
) -> None:
    plant(tmp_path / last_failure.NAME)
    with pytest.raises(SourceUnavailable):
        fail(tmp_path)
    with pytest.raises(SourceUnavailable):
        fail(tmp_path / "missing")


def test_a_reason_that_is_no_unicode_hides_no_failure(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable), last_failure.recorded(tmp_path):
        raise SourceUnavailable("The hub does not answer", "it is away", "Run `evsup check --env-file \udcff.env`.")
    assert "?.env" in str(last_failure.read(tmp_path))


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / last_failure.NAME).symlink_to(victim)
    with pytest.raises(SourceUnavailable):
        fail(tmp_path)
    assert victim.read_text() == "precious"


KEPT = b'{"at":"2026-01-02T03:04:05Z","exit_code":69,"reason":"'


@pytest.mark.parametrize(
    "text", [b"", b"{", b'{"at":"2026-01-02T03:04:05Z"', b"null", b'{"at":"x"}', KEPT + b"\xe2\x80"]
)
def test_a_file_that_was_cut_short_says_nothing(tmp_path: Path, text: bytes) -> None:
    (tmp_path / last_failure.NAME).write_bytes(text)
    assert last_failure.read(tmp_path) is None


@pytest.mark.parametrize("text", [KEPT + b'\xff"}', KEPT + b'","more":' + b"[" * 10_000], ids=["bytes", "depth"])
def test_a_file_that_somebody_damaged_says_nothing(tmp_path: Path, text: bytes) -> None:
    (tmp_path / last_failure.NAME).write_bytes(text)
    assert last_failure.read(tmp_path) is None
