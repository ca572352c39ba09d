"""`python -m scripts.chaos --seconds N --seed S`: exit 0 when every promise held, 1 when one broke.

Two supervisors move 2,400 events a second through four partitions while faults strike in an order that the seed
decides; then all becomes quiet, both drain, and the table is compared with what was published.
"""

import argparse
import secrets
import shutil
import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from scripts.chaos import report, schedule
from scripts.chaos.broken import InvariantBroken
from scripts.chaos.run import FAULTS, Run
from scripts.chaos.scene import KEYS, PARTITIONS, UNITS, staged
from shared.clock import monotonic

LONGEST_SEED = 10**6
ROW_FORMATS = ("envelope", "columns")
INTERRUPTED = 130  # 128 + SIGINT, as shells say
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main() -> int:
    """Play one seed, or several one after the other."""
    options = _parser().parse_args()
    for number in SIGNALS:  # a shell starts background jobs with SIGINT ignored
        signal.signal(number, signal.default_int_handler)
    console = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)
    seeds = options.seed or [secrets.randbelow(LONGEST_SEED)]
    try:
        return max(_played(console, seed, options.seconds, _row_format(options, seed)) for seed in seeds)
    except KeyboardInterrupt:
        console.print("\nStopped. Nothing is left running.")
        return INTERRUPTED


def _row_format(options: argparse.Namespace, seed: int) -> str:
    """Without an option every other seed has a column for each key."""
    return options.row_format or ROW_FORMATS[seed % 2]


def _played(console: Console, seed: int, seconds: float, row_format: str) -> int:
    """Play one seed; the logs of a run that broke are kept."""
    console.print(f"{seconds:.0f} s of faults with seed {seed}, SNOWFLAKE_ROW_FORMAT={row_format}")
    with ExitStack() as stack:
        directory = Path(tempfile.mkdtemp(prefix=f"evsup-chaos-{seed}-"))
        stack.callback(shutil.rmtree, directory)
        try:
            _play(console, seed, seconds, directory, KEYS if row_format == "columns" else ())
        except InvariantBroken as broken:
            stack.pop_all()
            console.print(f"\nBROKEN with seed {seed}: {broken}\nThe logs are kept in {directory}")
            return 1
    return 0


def _play(console: Console, seed: int, seconds: float, directory: Path, columns: tuple[str, ...]) -> None:
    began_s = monotonic()
    names = [fault.name for fault in FAULTS]
    strikes = schedule.plan(seed, seconds, names, [str(number) for number in range(PARTITIONS)], UNITS)
    with staged(directory, columns) as scene:
        run = Run(scene, strikes, seconds, console.print)
        counts = run.run()
        console.print(report.faults_table(run), report.counts_table(counts), sep="\n\n")
        console.print(f"\n{report.verdict(run, seed)} in {monotonic() - began_s:.0f} s")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scripts.chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, metavar="N", help="seconds of faults (default: 60)")
    parser.add_argument("--seed", type=int, nargs="*", metavar="S", help="one or several seeds (default: a random one)")
    parser.add_argument("--row-format", choices=ROW_FORMATS, help="of the table (default: columns for an odd seed)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
