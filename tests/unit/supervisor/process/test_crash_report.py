"""A crash report is a private file of its own, complete and masked, and follows nothing that was planted."""

import json
import os
import stat
from collections.abc import Callable
from datetime import datetime, tzinfo
from pathlib import Path

import pytest

from shared.errors import SourceUnavailable
from supervisor.process import crash_report
from tests.unit.supervisor.status.statuses import a_partition

CANARY = "Xq7canary"
SECRET = f"password={CANARY}"
NAME = "crash-20260102T030405.000006Z-p0.json"


class Stopped(datetime):
    """A clock that stands still."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> "Stopped":
        return cls(2026, 1, 2, 3, 4, 5, 6, tzinfo=tz)


@pytest.fixture(autouse=True)
def _stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crash_report, "datetime", Stopped)


def write(directory: Path) -> Path | None:
    failure = SourceUnavailable(f"what {SECRET}", f"why {SECRET}", "fix")
    return crash_report.write(directory, failure, a_partition(), [f"line {SECRET}"], [f"frame {SECRET}"])


def test_a_crash_report_is_private_complete_and_masked(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        path = write(tmp_path)
    finally:
        os.umask(before)
    assert path == tmp_path / NAME
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    report = json.loads(path.read_text())
    assert (report["error"], report["exit_code"], report["worker"]["partition"]) == ("SourceUnavailable", 69, "0")
    assert (report["what"], report["stderr"]) == ("what password=***", ["line password=***"])
    assert report["stacks"] == ["frame password=***"]
    assert CANARY not in path.read_text()


@pytest.mark.parametrize(
    "plant", [Path.touch, os.mkfifo, lambda path: path.symlink_to("victim"), lambda path: path.hardlink_to("victim")]
)
def test_a_file_or_link_in_its_place_is_neither_followed_nor_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plant: Callable[[Path], None]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("victim").write_text("precious")
    plant(tmp_path / NAME)
    assert write(tmp_path) is None
    assert Path("victim").read_text() == "precious"


def test_a_text_that_is_no_unicode_is_no_reason_for_no_report(tmp_path: Path) -> None:
    failure = SourceUnavailable("Appending failed", "it is away", "Run `evsup check --env-file \udcff.env`.")
    path = crash_report.write(tmp_path, failure, a_partition(), [], [])
    assert path
    assert "?.env" in path.read_text()


def test_the_newest_reports_are_kept_and_a_directory_of_that_name_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "crash-0.json").mkdir()
    for number in range(crash_report.KEPT):
        (tmp_path / f"crash-1{number:02}.json").touch()
    assert write(tmp_path) == tmp_path / NAME
    left = [path.name for path in sorted(tmp_path.iterdir())]
    assert left == ["crash-0.json", *(f"crash-1{number:02}.json" for number in range(1, crash_report.KEPT)), NAME]


def test_a_report_is_kept_although_the_clock_was_set_back_since_the_others(tmp_path: Path) -> None:
    for second in range(crash_report.KEPT):
        (tmp_path / f"crash-20270101T0000{second:02}.000000Z-p0.json").touch()
    path = write(tmp_path)
    assert path
    assert path.exists()
    left = sorted(each.name for each in tmp_path.iterdir())
    assert len(left) == crash_report.KEPT
    assert "crash-20270101T000000.000000Z-p0.json" not in left
