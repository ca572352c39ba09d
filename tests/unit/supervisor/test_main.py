"""What is done before the command line is imported: only `evsup start` handles signals."""

import subprocess
import sys

import pytest

from supervisor.__main__ import command_of


@pytest.mark.parametrize(
    ("typed", "command"),
    [
        ("start", "start"),
        ("start --state-dir start", "start"),
        ("checkpoints set --actor start", "checkpoints"),
        ("--help", None),
        ("--version start", "start"),
        ("", None),
    ],
)
def test_the_command_is_the_first_argument_that_is_not_an_option(typed: str, command: str | None) -> None:
    assert command_of(typed.split()) == command


def test_the_kernel_keeps_the_exit_codes_of_workers_also_when_who_starts_evsup_ignores_those_of_its_own() -> None:
    program = (
        "import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN); from supervisor.__main__ import main;"
        " import atexit; atexit.register(lambda: print(signal.getsignal(signal.SIGCHLD).name)); main()"
    )
    done = subprocess.run([sys.executable, "-c", program, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "SIG_DFL"
