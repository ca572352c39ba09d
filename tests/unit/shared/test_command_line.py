"""The commands that a message names reach the configuration that the process had which shows it."""

import shlex
from pathlib import Path

import pytest

from shared import command_line
from shared.command_line import Call, complete, remember
from shared.errors import ConfigurationError
from shared.log.logger import masked

CHECKED = Call("check", {"--env-file": "my site.env"})


@pytest.mark.parametrize(
    ("text", "completed"),
    [
        ("Run `evsup init`.", "Run `evsup init --env-file 'my site.env'`."),
        (
            "run `evsup checkpoints set --partition 0 --table-end` to go on",
            "run `evsup checkpoints set --partition 0 --table-end --env-file 'my site.env'` to go on",
        ),
        (
            "Run `EVENTHUB_ON_GAP=warn evsup start` once",
            "Run `EVENTHUB_ON_GAP=warn evsup start --env-file 'my site.env'` once",
        ),
        (
            "`evsup replay --from 1`, `evsup replay --from 7`",
            "`evsup replay --from 1 --env-file 'my site.env'`, `evsup replay --from 7 --env-file 'my site.env'`",
        ),
    ],
)
def test_each_command_of_a_text_repeats_the_settings_file(text: str, completed: str) -> None:
    assert complete(text, CHECKED) == completed
    assert complete(completed, CHECKED) == completed, "once is enough"


@pytest.mark.parametrize("text", ["evsup init", "`evsup`", "`evsup checkpoints`", "`--env-file`", "evsup: `init`"])
def test_what_is_no_command_stays_as_it_is(text: str) -> None:
    assert complete(text, CHECKED) == text


@pytest.mark.parametrize(
    "path", ["plain.env", "a b.env", "it's.env", "$HOME.env", "`id`.env", "x;y.env", "ü.env", "\udcff.env"]
)
def test_a_shell_reads_back_the_path_that_was_typed(path: str) -> None:
    remember("start", "--env-file", Path(path))
    text = complete("Run `evsup init`.")
    command = text.removeprefix("Run `").removesuffix("`.")
    assert shlex.split(command) == ["evsup", "init", "--env-file", path]


def test_options_of_one_command_are_repeated_for_that_command_alone() -> None:
    call = Call("replay", {"--consumer-group": "audit", "--into": "SIDE"})
    assert complete("`evsup replay --from 1 --into TABLE`", call) == (
        "`evsup replay --from 1 --into TABLE --consumer-group audit`"
    )
    assert complete("`evsup init`", call) == "`evsup init`"
    assert complete("`evsup init`", Call("init", {"--target": None})) == "`evsup init --target`"


@pytest.mark.parametrize("command", ["start", "status"])
def test_a_state_directory_of_the_environment_is_repeated_where_it_is_used(command: str) -> None:
    call = Call("check", state_dir="/var/my evsup")
    assert complete(f"`evsup {command}`", call) == f"`EVSUP_STATE_DIR='/var/my evsup' evsup {command}`"
    assert complete(f"`A=1 evsup {command}`", call) == f"`A=1 EVSUP_STATE_DIR='/var/my evsup' evsup {command}`"
    assert complete("`evsup init`, `evsup status --all`", call) == "`evsup init`, `evsup status --all`"


def test_what_a_process_remembers_of_its_call_its_children_and_its_log_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(command_line.STATE_DIR, "")
    remember("start", "--env-file", "a.env")
    remember("start", "--max-partitions", 2)
    remember("start", "--drain-timeout", None)
    error = ConfigurationError("The tables are missing", fix="Run `evsup init`, then `evsup start`.")
    line = masked({"event": "worker_failed", "reason": error})
    assert line["reason"] == (
        "The tables are missing. Run `evsup init --env-file a.env`,"
        " then `evsup start --env-file a.env --max-partitions 2`."
    )


def test_the_next_call_repeats_nothing_of_the_one_before() -> None:
    remember("start", "--env-file", "a.env")
    remember("check", "--env-file", None)
    assert complete("`evsup init`") == "`evsup init`"


@pytest.mark.parametrize(
    "value", ["", "{bad", "7", "[]", '{"command": 1}', '{"options": {"--env-file": 1}}', "[" * 100_000]
)
def test_a_value_of_the_environment_that_cannot_be_read_is_no_call(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv(command_line.VARIABLE, value)
    assert complete("`evsup init`") == "`evsup init`"
    remember("start", "--env-file", "a.env")
    assert complete("`evsup init`") == "`evsup init --env-file a.env`"


def test_a_supervisor_of_another_version_may_have_noted_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(command_line.VARIABLE, '{"command": "start", "options": {"--env-file": "a.env"}, "new": 1}')
    assert complete("`evsup init`") == "`evsup init --env-file a.env`"
