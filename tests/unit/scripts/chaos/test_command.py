"""The command line of a chaos run takes what a run can be made of, and says what it does not take."""

import argparse

import pytest

from scripts.chaos import command


def test_seconds_and_seeds_are_read() -> None:
    options = command.parser("scripts.chaos", None, seconds=60).parse_args(["--seconds", "0.5", "--seed", "0", "7"])
    assert (options.seconds, options.seed) == (0.5, [0, 7])


@pytest.mark.parametrize("typed", ["--seconds=0", "--seconds=-5", "--seconds=nan", "--seconds=inf", "--seconds=x"])
def test_a_time_in_which_nothing_can_happen_is_refused(typed: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        command.parser("scripts.chaos", None, seconds=60).parse_args([typed])
    assert f"{typed.partition('=')[2]} is not a number of seconds above 0, such as 60" in capsys.readouterr().err


@pytest.mark.parametrize("typed", ["--seed=-3", "--seed=x", "--seed=1.5"])
def test_a_seed_is_a_whole_number(typed: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        command.parser("scripts.chaos", None, seconds=60).parse_args([typed])
    assert "is not a whole number such as 7" in capsys.readouterr().err


def test_a_group_has_a_host() -> None:
    assert command.some("1") == 1
    with pytest.raises(argparse.ArgumentTypeError, match="0 is too few"):
        command.some("0")
