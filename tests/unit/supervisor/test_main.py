"""Only `evsup start` handles signals before the command line is imported."""

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
