"""`.env.example` and docs/settings.md say what the structs say."""

import re
from pathlib import Path

import pytest

from scripts.docs.generated import ROOT
from scripts.docs.settings import main, with_table
from shared.config.env_file import read
from shared.config.environment import load
from shared.config.variables import VARIABLES
from tests.unit.shared.config.configurations import complete, key

EXAMPLE = ROOT / ".env.example"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
NO_SETTINGS = ("EVSUP_LOADER", "EVSUP_OAUTH", "EVSUP_WH")  # role, integration and warehouse of the examples


@pytest.fixture(autouse=True)
def _empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_env_example_and_the_page_of_settings_are_up_to_date() -> None:
    assert main([]) == 0


def test_env_example_names_every_variable_once() -> None:
    lines = EXAMPLE.read_text().splitlines()
    named = [line.lstrip("#").partition("=")[0] for line in lines if not line.startswith(("# ", "## ")) and "=" in line]
    assert named == list(VARIABLES)


def test_env_example_loads_with_the_required_ones_filled_in(tmp_path: Path) -> None:
    values = complete(SNOWFLAKE_PRIVATE_KEY="", SNOWFLAKE_PRIVATE_KEY_FILE=str(tmp_path / "key.p8"))
    (tmp_path / "key.p8").write_text(key())
    (tmp_path / "key.p8").chmod(0o600)
    lines = [
        line + values[line[:-1]] if line.endswith("=") and not line.startswith("#") else line
        for line in EXAMPLE.read_text().splitlines()
    ]
    (tmp_path / ".env").write_text("\n".join(lines))
    result = load(environ={})
    assert result.settings.eventhub.name == "flights"
    assert result.warnings == ()


def test_env_example_shows_the_defaults(tmp_path: Path) -> None:
    lines = [line.lstrip("#") for line in EXAMPLE.read_text().splitlines() if not line.startswith(("# ", "## "))]
    (tmp_path / "all.env").write_text("\n".join(lines))
    typed = read(tmp_path / "all.env", required=True).values
    for name, variable in VARIABLES.items():
        if not variable.required and variable.default not in (None, {}) and not name.endswith("_PATH"):
            assert variable.parse(typed[name]) == variable.default


def test_env_example_explains_identity_options_and_the_override() -> None:
    text = " ".join(EXAMPLE.read_text().replace("#", " ").split())
    for said in (
        "EVENTHUB_IDENTITY who reads it",
        "A connection string overrides all of that",
        "Options of the Azure SDK",
    ):
        assert said in text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_setting_that_a_page_names_exists(page: Path) -> None:
    named = set(re.findall(r"\b(?:EVENTHUB|SNOWFLAKE|CONTROL|EVSUP)_[A-Z][A-Z_]*[A-Z]\b", page.read_text()))
    assert named <= {*VARIABLES, *NO_SETTINGS}


def test_the_settings_of_the_quick_start_can_be_used(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "quick-start.md").read_text()
    (block,) = re.findall(r"```\n(EVENTHUB_NAMESPACE=.*?)```", page, re.DOTALL)
    (tmp_path / "rsa_key.p8").write_text(key())
    (tmp_path / "rsa_key.p8").chmod(0o600)
    (tmp_path / ".env").write_text(block)
    loaded = load(environ={})
    assert (loaded.settings.eventhub.consumer_group, loaded.settings.snowflake.role) == ("evsup", "EVSUP_LOADER")
    assert loaded.warnings == ()


def test_the_readme_names_identity_options_and_the_override() -> None:
    text = (ROOT / "README.md").read_text()
    for name in ("EVENTHUB_IDENTITY", "EVENTHUB_CONNECTION_STRING", "EVENTHUB_PREFETCH", "EVENTHUB_RETRY_TOTAL"):
        assert f"`{name}" in text


def test_a_difference_is_told_and_written_on_demand(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "docs" / "settings.md"
    page.parent.mkdir()
    page.write_text("# Settings\n\n<!-- settings:begin -->\nstale\n<!-- settings:end -->\n\nmore\n")
    assert main([], root=tmp_path) == 1
    assert "settings.md: differs" in capsys.readouterr().out
    assert main(["--write"], root=tmp_path) == 0
    assert main([], root=tmp_path) == 0
    text = page.read_text()
    assert text.startswith("# Settings\n")
    assert text.endswith("\n\nmore\n")
    assert "\nstale\n" not in text


def test_a_page_that_a_meaning_names_is_linked_from_the_page_of_settings() -> None:
    assert "[bodies.md](bodies.md)" in with_table("")
    assert "docs/bodies.md" in EXAMPLE.read_text()


def test_a_page_without_markers_gets_them_at_its_end() -> None:
    text = with_table("# Settings\n")
    assert text.startswith("# Settings\n\n<!-- settings:begin -->")
    assert with_table(text) == text
