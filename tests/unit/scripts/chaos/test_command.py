"""The command line of a chaos run takes what a run can be made of."""

import os

import pytest

from scripts.chaos import command


def test_seconds_and_seeds_are_read() -> None:
    options = command.parser("scripts.chaos", None, seconds=60).parse_args(["--seconds", "0.5", "--seed", "0", "7"])
    assert (options.seconds, options.seed) == (0.5, [0, 7])


@pytest.mark.parametrize("typed", ["--seconds=0", "--seed=-3", "--seed"])
def test_what_no_run_can_be_made_of_is_refused(typed: str) -> None:
    with pytest.raises(SystemExit, match=f"{os.EX_USAGE}"):
        command.parser("scripts.chaos", None, seconds=60).parse_args([typed])
