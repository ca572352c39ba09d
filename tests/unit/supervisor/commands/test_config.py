"""`evsup config` shows every setting, its source, and no secret."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from shared.config.environment import load
from shared.config.variables import VARIABLES
from shared.errors import ConfigurationError
from supervisor.commands.config import config, lines, sections
from tests.unit.shared.config.configurations import CONNECTION_STRING, complete, loaded

ALL = tuple(VARIABLES.values())


@pytest.fixture(autouse=True)
def _environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in complete(EVENTHUB_CONNECTION_STRING=CONNECTION_STRING).items():
        monkeypatch.setenv(name, text)


def test_every_setting_is_shown_with_its_source_and_secrets_masked(tmp_path: Path) -> None:
    (tmp_path / "my.env").write_text("EVENTHUB_PREFETCH=7\n")
    result = CliRunner().invoke(config, ["--env-file", "my.env"])
    assert result.exit_code == 0
    rows = {line.split()[0]: line.split()[1:] for line in result.stdout.splitlines()}
    assert list(rows) == list(VARIABLES)
    assert rows["EVENTHUB_PREFETCH"] == ["my.env", "7"]
    assert rows["EVENTHUB_CONNECTION_STRING"] == ["environment", "***"]
    assert rows["SNOWFLAKE_ROLE"] == ["default", "-"]
    assert "c2VjcmV0" not in result.output


def test_json_is_typed_and_masked() -> None:
    result = CliRunner().invoke(config, ["--json"])
    document = json.loads(result.stdout)
    assert document["settings"]["EVENTHUB_PREFETCH"] == {"value": 1000, "source": "default"}
    assert document["settings"]["EVENTHUB_CONNECTION_STRING"] == {"value": "***", "source": "environment"}
    assert document["settings"]["SNOWFLAKE_ROLE"] == {"value": None, "source": "default"}
    assert document["warnings"] == []


def test_json_is_written_also_of_a_file_whose_name_is_no_unicode() -> None:
    Path("\udcff.env").write_text("EVENTHUB_PREFETCH=7\n")
    result = CliRunner().invoke(config, ["--json", "--env-file", "\udcff.env"])
    assert json.loads(result.stdout)["settings"]["EVENTHUB_PREFETCH"] == {"value": 7, "source": "?.env"}


def test_warnings_go_to_stderr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVSUP_COLOUR", "blue")
    result = CliRunner().invoke(config)
    assert result.stderr == "evsup: warning: EVSUP_COLOUR is no setting of evsup\n"


def test_all_faults_are_reported_in_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNOWFLAKE_USER", "")
    monkeypatch.setenv("EVENTHUB_PREFETCH", "0")
    result = CliRunner().invoke(config)
    assert isinstance(result.exception, ConfigurationError)
    assert "2 faults" in str(result.exception)


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_a_terminal_shows_every_name_whole(width: int) -> None:
    console = Console(width=width, force_terminal=True, no_color=True, color_system=None)
    with console.capture() as captured:
        properties = loaded(SNOWFLAKE_STREAMING_PROPERTIES='{"a": "' + "b" * 90 + '"}')
        console.print(*sections(properties, ALL, width))
    shown = captured.get().splitlines()
    assert all(len(line.rstrip()) <= width for line in shown)
    assert {line.split()[0] for line in shown if line.split()} >= set(VARIABLES)


def test_a_terminal_underlines_headings_and_nothing_else() -> None:
    console = Console(width=120, force_terminal=True, color_system="standard", legacy_windows=False)
    with console.capture() as captured:
        console.print(*sections(loaded(), ALL, 120))
    underlined = [line for line in captured.get().splitlines() if "\x1b[1;4m" in line]
    assert len(underlined) == len({variable.title for variable in ALL})


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_path_is_not_taken_to_pieces(width: int) -> None:
    path = "/var/lib/evsup/flights"
    console = Console(width=width, force_terminal=True, no_color=True, color_system=None)
    with console.capture() as captured:
        console.print(*sections(loaded(EVSUP_STATE_DIR=path), ALL, width))
    assert path in captured.get()


def test_only_what_differs_from_its_default_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVENTHUB_PREFETCH", "1000")
    monkeypatch.setenv("EVSUP_DRAIN_TIMEOUT", "40")
    shown = CliRunner().invoke(config, ["--changed"])
    rows = {line.split()[0]: line.split()[1:] for line in shown.stdout.splitlines()}
    assert rows.keys() == {*complete(), "EVENTHUB_CONNECTION_STRING", "EVSUP_DRAIN_TIMEOUT"}
    assert rows["EVSUP_DRAIN_TIMEOUT"] == ["environment", "40"]
    document = json.loads(CliRunner().invoke(config, ["--changed", "--json"]).stdout)
    assert document["settings"].keys() == rows.keys()


def test_secrets_inside_streaming_properties_are_masked() -> None:
    result = load(environ=complete(SNOWFLAKE_STREAMING_PROPERTIES='{"pat": "canary", "max_x": "7", "y": "true"}'))
    (line,) = (line for line in lines(result, ALL) if line.startswith("SNOWFLAKE_STREAMING_PROPERTIES"))
    assert line.endswith('{"pat":"***","max_x":"7","y":"true"}')
