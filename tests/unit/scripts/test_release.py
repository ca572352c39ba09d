"""What `make release` refuses and what it writes. The packages themselves are built and tried by the command."""

import subprocess
from datetime import date
from pathlib import Path

import pytest

from scripts.docs.generated import ROOT
from scripts.release import Refused, dated, main, numbers, refuse, texts

TODAY = date(2026, 11, 28)
CHANGELOG = "# Changelog\n\n## Unreleased\n\n- Something new.\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A clean git repository of version 1.2.3."""
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "evsup"\nversion = "1.2.3"\n')
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    for command in (
        ["init", "--quiet"],
        ["add", "."],
        ["-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "--quiet", "--message", "First"],
    ):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    return tmp_path


@pytest.mark.parametrize("wrong", ["", "1.2", "v1.2.3", "1.2.3.4", "1.2.3rc1", "01.2.3", "1.2.3 "])
def test_what_is_not_three_numbers_is_no_version(wrong: str) -> None:
    with pytest.raises(Refused, match="is not a version"):
        numbers(wrong)


def test_versions_are_compared_by_their_numbers() -> None:
    assert numbers("0.10.0") > numbers("0.9.12")


@pytest.mark.parametrize("version", ["1.2.3", "1.2.4", "2.0.0"])
def test_a_clean_checkout_may_release_its_version_or_a_newer_one(version: str, checkout: Path) -> None:
    refuse(checkout, version)


def test_an_older_version_is_refused(checkout: Path) -> None:
    with pytest.raises(Refused, match=r"1\.2\.2 is older than 1\.2\.3"):
        refuse(checkout, "1.2.2")


@pytest.mark.parametrize("name", ["CHANGELOG.md", "new.py"])
def test_a_checkout_with_changes_is_refused(name: str, checkout: Path) -> None:
    (checkout / name).write_text("changed")
    with pytest.raises(Refused, match="has changes"):
        refuse(checkout, "1.2.4")


def test_a_tag_that_exists_is_refused(checkout: Path) -> None:
    subprocess.run(["git", "tag", "v1.2.4"], cwd=checkout, check=True)
    with pytest.raises(Refused, match=r"The tag v1\.2\.4 exists"):
        refuse(checkout, "1.2.4")


@pytest.mark.parametrize("typed", [["1.2"], []])
def test_a_wrong_version_is_refused_with_a_right_one(typed: list[str], checkout: Path) -> None:
    version = "".join(typed)
    with pytest.raises(Refused) as refused:
        main(typed, checkout)
    expected = f"No release: {version!r} is not a version. Give three numbers: make release VERSION=1.2.3"
    assert str(refused.value) == expected


def test_what_was_unreleased_gets_the_version_and_its_date() -> None:
    assert dated(CHANGELOG, "1.2.4", TODAY) == (
        "# Changelog\n\n## Unreleased\n\nNothing yet.\n\n## 1.2.4 - 2026-11-28\n\n- Something new.\n"
    )


@pytest.mark.parametrize(
    "changelog",
    ["# Changelog\n", "## Unreleased\n\nNothing yet.\n\n## 1.0.0 - 2026-01-01\n", "## Unreleased\n\n## 1.0.0\n"],
)
def test_a_release_without_a_change_is_refused(changelog: str) -> None:
    with pytest.raises(Refused, match="nothing under"):
        dated(changelog, "1.2.4", TODAY)


def test_every_file_that_names_the_version_gets_the_new_one() -> None:
    changed = {path.relative_to(ROOT).as_posix(): text for path, text in texts(ROOT, "77.7.7", TODAY)}
    for name in ("pyproject.toml", "uv.lock"):
        assert 'name = "evsup"\nversion = "77.7.7"' in changed[name], name
    assert "newTag: 77.7.7\n" in changed["scripts/deploy/kubernetes/base/kustomization.yaml"]
    assert "REGISTRY/evsup:77.7.7 ." in changed["scripts/deploy/Containerfile"]
    assert "image.version=77.7.7\n" in changed["scripts/deploy/Containerfile"]
    assert changed["docs/operations.md"].count("REGISTRY/evsup:77.7.7") == 2
    assert "## 77.7.7 - 2026-11-28" in changed["CHANGELOG.md"]
