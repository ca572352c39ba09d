"""The command line of a chaos run: one seed after the other, and the logs of a run that broke are kept."""

import secrets
import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from scripts.chaos.judging.broken import InvariantBroken
from scripts.command_line import Parser, amount, whole

LONGEST_SEED = 10**6

Play = Callable[[Console, int, Path], None]
"""Plays a seed in a directory. Raises InvariantBroken."""


def parser(module: str, description: str | None, seconds: float) -> Parser:
    """Options that every kind of run has."""
    options = Parser(
        module,
        description,
        f"python -m {module} --seconds 20             # one run with a random seed",
        f"python -m {module} --seconds 60 --seed 1 2  # two runs that can be repeated",
    )
    options.add_argument(
        "--seconds",
        type=amount("seconds"),
        default=seconds,
        metavar="N",
        help="for how many seconds faults strike (default: %(default)g)",
    )
    options.add_argument(
        "--seed", type=whole(), nargs="+", metavar="S", help="one seed or several (default: a random one)"
    )
    return options


def play_seeds(seeds: list[int] | None, play: Play) -> int:
    """Play them one after the other; exit 0 when every promise held, 1 when one broke."""
    console = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)
    return max(_played(console, seed, play) for seed in seeds or [secrets.randbelow(LONGEST_SEED)])


def _played(console: Console, seed: int, play: Play) -> int:
    with ExitStack() as stack:
        directory = Path(tempfile.mkdtemp(prefix=f"evsup-chaos-{seed}-"))
        stack.callback(shutil.rmtree, directory)
        try:
            play(console, seed, directory)
        except InvariantBroken as broken:
            stack.pop_all()  # the directory stays
            console.print(f"\nBROKEN with seed {seed}: {broken}\nThe logs are kept in {directory}")
            return 1
    return 0
