"""The command line of a chaos run: one seed after the other, and the logs of a run that broke are kept."""

import argparse
import math
import secrets
import shutil
import signal
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from scripts.chaos.judging.broken import InvariantBroken

LONGEST_SEED = 10**6
INTERRUPTED = 130  # 128 + SIGINT, as shells say
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

Play = Callable[[Console, int, Path], None]
"""Plays a seed in a directory. Raises InvariantBroken."""


def parser(module: str, description: str | None, seconds: float) -> argparse.ArgumentParser:
    """Options that every kind of run has."""
    options = argparse.ArgumentParser(prog=f"python -m {module}", description=description)
    options.add_argument(
        "--seconds", type=positive, default=seconds, metavar="N", help="seconds of faults (default: %(default)g)"
    )
    options.add_argument(
        "--seed", type=count, nargs="*", metavar="S", help="one or several seeds (default: a random one)"
    )
    return options


def positive(text: str) -> float:
    """Read a number of seconds. Raises ArgumentTypeError."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds above 0, such as 60")
    return seconds


def count(text: str) -> int:
    """Read a whole number that is not negative. Raises ArgumentTypeError."""
    if not (text.isascii() and text.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text} is not a whole number such as 7")
    return int(text)


def some(text: str) -> int:
    """Read a whole number above 0. Raises ArgumentTypeError."""
    if not (number := count(text)):
        raise argparse.ArgumentTypeError("0 is too few")
    return number


def play_seeds(seeds: list[int] | None, play: Play) -> int:
    """Play them one after the other; exit 0 when every promise held, 1 when one broke."""
    for number in SIGNALS:  # a shell starts background jobs with SIGINT ignored
        signal.signal(number, signal.default_int_handler)
    console = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)
    try:
        return max(_played(console, seed, play) for seed in seeds or [secrets.randbelow(LONGEST_SEED)])
    except KeyboardInterrupt:
        console.print("\nStopped. Nothing is left running.")
        return INTERRUPTED


def _played(console: Console, seed: int, play: Play) -> int:
    with ExitStack() as stack:
        directory = Path(tempfile.mkdtemp(prefix=f"evsup-chaos-{seed}-"))
        stack.callback(shutil.rmtree, directory)
        try:
            play(console, seed, directory)
        except InvariantBroken as broken:
            stack.pop_all()
            console.print(f"\nBROKEN with seed {seed}: {broken}\nThe logs are kept in {directory}")
            return 1
    return 0
