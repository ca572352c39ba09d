"""From its first moment `evsup start` ends with 0 when it is told to stop; other commands end as Python has it."""

import pytest

from supervisor.__main__ import _command


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
def test_the_command_is_the_first_argument_that_is_no_option(typed: str, command: str | None) -> None:
    assert _command(typed.split()) == command
