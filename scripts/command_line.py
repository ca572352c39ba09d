"""The command line of a script: which arguments it takes, and how it ends.

Exit code 0 says that all is well, and 1 that something is not as promised. The others are those of sysexits(3), as
evsup's are: https://man7.org/linux/man-pages/man3/sysexits.h.3head.html.
"""

import argparse
import os
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

from scripts.failure import Failed
from scripts.interrupt import take_signals
from shared.errors import EvsupError
from supervisor import standard_streams

INTERRUPTED = 128 + signal.SIGINT  # as shells say


class Parser(argparse.ArgumentParser):
    """Options of `python -m MODULE`. A wrong argument is one line on stderr and exit code 64.

    The help has the paragraphs of `about`, fitted to the terminal, and ends with examples that can be copied.
    """

    def __init__(self, module: str, about: str | None, *examples: str) -> None:
        lines = "\n".join(f"  {example}" for example in examples)
        super().__init__(
            prog=f"python -m {module}",
            description=about,
            epilog=f"examples:\n{lines}" if examples else None,
            formatter_class=_Paragraphs,
        )

    def error(self, message: str) -> NoReturn:
        """End the process."""
        self.exit(os.EX_USAGE, f"{self.prog}: {message.removeprefix('argument ')}. See {self.prog} --help.\n")


class _Paragraphs(argparse.HelpFormatter):
    """Fits each paragraph to the width of the terminal. One with an indented line stays as it is."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n\n".join(
            each if "\n " in f"\n{each}" else super(_Paragraphs, self)._fill_text(each, width, indent)
            for each in text.split("\n\n")
        )


def whole(least: int = 0, most: int = 10**9) -> Callable[[str], int]:
    """What reads a whole number from `least` to `most`. It raises ArgumentTypeError for anything else."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if not least <= number <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least:,} to {most:,}")
        return number

    return read


def amount(unit: str, *, zero: bool = False) -> Callable[[str], float]:
    """What reads a number of `unit` (seconds, minutes) above 0, or from 0 on. It raises as that of `whole` does."""
    range_ = "from 0 on" if zero else "above 0"

    def read(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = -1.0
        if not (0 < number < float("inf") or (zero and number == 0)):
            raise argparse.ArgumentTypeError(f"{text!r} is not a number of {unit} {range_}")
        return number

    return read


def run(main: Callable[[], int]) -> NoReturn:
    """Run a script that starts processes, and exit with the code that it returns.

    Ctrl-C, SIGTERM and SIGHUP are KeyboardInterrupt in `main`, so that its context managers end what it has started. A
    stdout that nobody reads changes no exit code. Whatever ends the script early is one line on stderr.
    """
    standard_streams.open_closed()
    standard_streams.install()
    take_signals()
    try:
        code = main()
        sys.stdout.flush()
    except KeyboardInterrupt:
        code = _ended("Stopped. Nothing is left running.", INTERRUPTED)
    except (Failed, EvsupError) as error:
        code = _ended(str(error), error.exit_code)
    except OSError as error:
        code = _ended(f"{error.filename}: {error.strerror}" if error.filename else str(error), os.EX_OSERR)
    sys.exit(code)


def _ended(reason: str, code: int) -> int:
    sys.stdout.flush()  # so that the reason is the last line
    print(reason, file=sys.stderr, flush=True)
    return code
