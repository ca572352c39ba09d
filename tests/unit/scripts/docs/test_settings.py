"""`.env.example` and the README say what the structs say."""

from pathlib import Path

import pytest

from scripts.docs.generated import ROOT
from scripts.docs.settings import main, with_table
from shared.config.env_file import read
from shared.config.environment import load
from shared.config.variables import VARIABLES
from tests.unit.shared.config.configurations import complete, key

EXAMPLE = ROOT / ".env.example"


@pytest.fixture(autouse=True)
def _empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_env_example_and_readme_are_up_to_date() -> None:
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
    typed = read(tmp_path / "all.env", required=True)
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


def test_a_difference_is_told_and_written_on_demand(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "README.md").write_text("# evsup\n\n<!-- settings:begin -->\nstale\n<!-- settings:end -->\n\nmore\n")
    assert main([], root=tmp_path) == 1
    assert "README.md: differs" in capsys.readouterr().out
    assert main(["--write"], root=tmp_path) == 0
    assert main([], root=tmp_path) == 0
    text = (tmp_path / "README.md").read_text()
    assert text.startswith("# evsup\n")
    assert text.endswith("\n\nmore\n")
    assert "\nstale\n" not in text


def test_a_readme_without_markers_gets_them_at_its_end() -> None:
    text = with_table("# evsup\n")
    assert text.startswith("# evsup\n\n<!-- settings:begin -->")
    assert with_table(text) == text
