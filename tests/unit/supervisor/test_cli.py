"""What the command line says to somebody who looks for a command, or has mistyped one."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from scripts.harness.evsup import EVSUP
from shared.log import logger
from supervisor import standard_streams
from supervisor.cli import evsup, main
from supervisor.commands.command import Command, Group
from supervisor.commands.usage import sentence

WIDTH = 80


def commands(group: Group = evsup, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Command]]:
    """Every command and group, by the words that call it."""
    yield path, group
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        if isinstance(command, Group):
            yield from commands(command, (*path, name))
        elif isinstance(command, Command):
            yield (*path, name), command


COMMANDS = dict(commands())


def help_of(*path: str, width: int = WIDTH) -> str:
    shown = CliRunner().invoke(evsup, [*path, "--help"], prog_name="evsup", terminal_width=width)
    assert shown.exit_code == 0
    return shown.output


def refusal(typed: str) -> str:
    with pytest.raises(click.UsageError) as refused:
        evsup.main(shlex.split(typed), prog_name="evsup", standalone_mode=False)
    return sentence(refused.value)


# --- helps ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_a_help_is_whole_at_80_columns_and_has_examples_that_can_be_copied(path: tuple[str, ...]) -> None:
    shown = help_of(*path)
    examples = COMMANDS[path].examples
    assert "..." not in shown.replace("[ARGS]...", "")
    assert all(len(line) <= WIDTH for line in shown.splitlines() if not line.strip().startswith(tuple(examples)))
    assert 2 <= len(examples) <= 4
    assert all(f"\n  {example}" in shown for example in examples)
    assert f"More: {COMMANDS[path].page.partition(' ')[0]}" in shown


EXAMPLES = [example for command in COMMANDS.values() for example in command.examples]


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_is_a_command_line_that_evsup_takes(example: str) -> None:
    program, *words = shlex.split(example)
    path = max((path for path in COMMANDS if words[: len(path)] == list(path)), key=len)
    assert program == "evsup"
    assert not isinstance(COMMANDS[path], Group)
    COMMANDS[path].make_context(path[-1], words[len(path) :])


def test_every_command_stands_in_the_help_with_its_whole_line() -> None:
    lines = " ".join(help_of().split())
    for section in ("Set up:", "Run:", "Prove:", "Mend:"):
        assert section in lines
    for path in COMMANDS:
        assert not path or path[0] in lines
    assert "checkpoints Show or move the position of a partition." in lines


# --- mistyped ---------------------------------------------------------------------------------------------------------

EMPTY = "There is an empty argument{}: a variable of the shell may not be set."
MISTYPED = {
    "statu": "evsup: There is no command statu. Did you mean status? See evsup --help.",
    "chekpoints": "evsup: There is no command chekpoints. Did you mean checkpoints? See evsup --help.",
    "Check": "evsup: There is no command Check. Did you mean check? See evsup --help.",
    "ver": "evsup: There is no command ver. Did you mean verify? See evsup --help.",
    "reset": "evsup: There is no command reset. Did you mean checkpoints reset? See evsup --help.",
    "''": "evsup: There is no command . See evsup --help.",
    "stop": "evsup: There is no command stop. See evsup --help.",
    "checkpoints lst": "evsup: There is no command lst. Did you mean list? See evsup checkpoints --help.",
    "checkpoints xyz --yes": "evsup: There is no command xyz. See evsup checkpoints --help.",
    "status --whatch": "evsup: evsup status has no option --whatch. Did you mean --watch? See evsup status --help.",
    "status 3": "evsup: Got unexpected extra argument (3). See evsup status --help.",
    "config --json=yes": "evsup: Option '--json' does not take a value. See evsup config --help.",
    "start --drain-timeout": "evsup: Option '--drain-timeout' requires an argument. See evsup start --help.",
    "replay --from 1 --to 2": "evsup: evsup replay needs --partition P. See evsup replay --help.",
    "check --json --env-file=": f"evsup: {EMPTY.format(' after --env-file')} See evsup check --help.",
    "checkpoints export --file ''": f"evsup: {EMPTY.format(' after --file')} See evsup checkpoints export --help.",
    "checkpoints import ''": f"evsup: {EMPTY.format('')} See evsup checkpoints import --help.",
}


@pytest.mark.parametrize(("typed", "said"), MISTYPED.items())
def test_what_was_mistyped_is_named_with_what_was_meant(typed: str, said: str) -> None:
    assert refusal(typed) == said


VALUES = {
    "start --max-partitions four": "--max-partitions 'four' must be a whole number from 1 to 10000,"
    " like EVSUP_MAX_PARTITIONS.",
    "start --max-partitions 0": "--max-partitions '0' must be a whole number from 1 to 10000, like",
    "start --drain-timeout 0": "--drain-timeout '0' must be a number of seconds above 0, at most 3600, like",
    "start --drain-timeout nan": "--drain-timeout 'nan' must be a number of seconds above 0, at most 3600",
    "replay --partition 0 --from 1.5 --to 2": "--from '1.5' must be a whole number from 0 up.",
    "checkpoints set --partition 0 --sequence-number -1": "--sequence-number '-1' must be a whole number from 0 up.",
    "checkpoints set --partition 0 --rejected-rows 4611686018427387905": "must be a whole number from 0 to 46116860",
    "init --target --from-sample 10001": "--from-sample '10001' must be a whole number from 1 to 10000.",
    "status --sort name": "--sort 'name' is not one of",
}


@pytest.mark.parametrize(("typed", "said"), VALUES.items())
def test_a_value_that_is_not_allowed_is_quoted_with_what_is(typed: str, said: str) -> None:
    shown = refusal(typed)
    assert said in shown
    assert "range" not in shown


def test_a_group_without_a_command_is_a_mistake_that_shows_the_help() -> None:
    assert refusal("checkpoints").splitlines()[:2] == help_of("checkpoints").splitlines()[:2]
    assert "Examples:" in refusal("")


# --- completion -------------------------------------------------------------------------------------------------------


def completed(*words: str) -> list[str]:
    """What the script that evsup prints for bash offers after these words."""
    typed = " ".join(map(shlex.quote, words))
    program = (
        f"source <(_EVSUP_COMPLETE=bash_source evsup) && COMP_WORDS=({typed}) COMP_CWORD={len(words) - 1}"
        ' && _evsup_completion evsup && printf "%s\\n" "${COMPREPLY[@]}"'
    )
    environment = {**os.environ, "PATH": f"{Path(EVSUP).parent}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
def test_bash_completes_commands_their_parts_and_their_options() -> None:
    assert completed("evsup", "sta") == ["start", "status"]
    assert completed("evsup", "stat") == ["status"]
    assert completed("evsup", "checkpoints", "re") == ["reset"]
    assert completed("evsup", "status", "--w") == ["--watch"]
    assert completed("evsup", "status", "--sort", "l") == ["lag"]


def test_the_script_for_fish_cuts_no_text_at_a_comma() -> None:
    environment = {**os.environ, "_EVSUP_COMPLETE": "fish_source"}
    script = subprocess.run([EVSUP], env=environment, capture_output=True, text=True, check=True).stdout
    assert 'string split --max 1 "," $completion' in script


def test_a_command_that_has_ended_waits_for_no_thread_of_a_library() -> None:
    """As the connector starts one that asks Snowflake, which does not answer, to cancel a statement."""
    program = (
        "import sys, threading; from supervisor import cli; threading.Thread(target=threading.Event().wait).start();"
        " sys.argv = ['evsup', '{}']; cli.main()"
    )
    for argument, code in (("--version", 0), ("--bogus", 64)):
        done = subprocess.run(
            [sys.executable, "-c", program.format(argument)], capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == code
        assert done.stdout + done.stderr


# --- limits -----------------------------------------------------------------------------------------------------------


def test_a_command_that_gets_no_thread_for_its_log_says_which_limit_was_reached(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(standard_streams, "install", lambda: None)
    monkeypatch.setattr(logger, "begin", refuse)
    monkeypatch.setattr(os, "_exit", sys.exit)
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 75
    assert "TasksMax=" in capsys.readouterr().err
