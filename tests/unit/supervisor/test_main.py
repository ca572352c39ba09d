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


def at_its_end(started_by: str, shown: str) -> str:
    """What evsup shows at its end, where whoever starts it has done something before."""
    program = (
        f"import signal; {started_by}; from supervisor.__main__ import main;"
        f" import os; leave = os._exit; os._exit = lambda code: (print({shown}, flush=True), leave(code)); main()"
    )
    done = subprocess.run([sys.executable, "-c", program, "--version"], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1]


def test_the_kernel_keeps_the_exit_codes_of_workers_also_when_who_starts_evsup_ignores_those_of_its_own() -> None:
    ignores = "signal.signal(signal.SIGCHLD, signal.SIG_IGN)"
    assert at_its_end(ignores, "signal.getsignal(signal.SIGCHLD).name") == "SIG_DFL"


def test_a_user_whom_the_host_does_not_know_has_a_home() -> None:
    is_unknown = "import os, pwd; del os.environ['HOME']; pwd.getpwuid = {}.__getitem__"
    assert at_its_end(is_unknown, "os.environ['HOME']") == "/"


def test_signals_arrive_also_when_who_starts_evsup_blocks_them() -> None:
    blocks = "signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())"
    assert at_its_end(blocks, "signal.pthread_sigmask(signal.SIG_BLOCK, [])") == "set()"
