"""`python -m scripts.chaos --seconds N --seed S`: exit 0 when every promise held, 1 when one broke.

Two supervisors move 2,400 events a second through four partitions while faults strike in an order that the seed
decides; then all becomes quiet, both drain, and the table is compared with what was published.
"""

import argparse
import secrets
import shutil
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from scripts.chaos import report, schedule
from scripts.chaos.broken import InvariantBroken
from scripts.chaos.run import FAULTS, Run
from scripts.chaos.scene import PARTITIONS, UNITS, staged
from shared.clock import monotonic

LONGEST_SEED = 10**6


def main() -> int:
    """Play one seed, or several one after the other."""
    options = _parser().parse_args()
    console = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)
    seeds = options.seed or [secrets.randbelow(LONGEST_SEED)]
    return max(_played(console, seed, options.seconds) for seed in seeds)


def _played(console: Console, seed: int, seconds: float) -> int:
    began_s = monotonic()
    console.print(f"{seconds:.0f} s of faults with seed {seed}")
    directory = Path(tempfile.mkdtemp(prefix=f"evsup-chaos-{seed}-"))
    strikes = schedule.plan(
        seed, seconds, [fault.name for fault in FAULTS], [str(number) for number in range(PARTITIONS)], UNITS
    )
    try:
        with staged(directory) as scene:
            run = Run(scene, strikes, seconds, console.print)
            proofs = run.run()
            console.print(report.faults_table(run), report.proof_table(proofs), sep="\n\n")
            console.print(f"\n{report.verdict(run, seed, proofs)} in {monotonic() - began_s:.0f} s")
    except InvariantBroken as broken:
        console.print(f"\nBROKEN with seed {seed}: {broken}\nThe logs are kept in {directory}")
        return 1
    shutil.rmtree(directory)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scripts.chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, metavar="N", help="seconds of faults (default: 60)")
    parser.add_argument("--seed", type=int, nargs="*", metavar="S", help="one or several seeds (default: a random one)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
