"""`python -m scripts.chaos --seconds N --seed S`: exit 0 when every promise held, 1 when one broke.

Two supervisors move 2,400 events a second through four partitions while faults strike in an order that the seed
decides; then all becomes quiet, both drain, and the table is compared with what was published.
"""

import sys
from pathlib import Path

from rich.console import Console

from scripts.chaos import command, report
from scripts.chaos.acts.storm import Storm
from scripts.chaos.faults import schedule
from scripts.chaos.run import FAULTS, Run
from scripts.chaos.scene.scene import KEYS, PARTITIONS, UNITS, staged
from shared.clock import monotonic

ROW_FORMATS = ("envelope", "columns")


def main() -> int:
    """Play one seed, or several one after the other."""
    parser = command.parser("scripts.chaos", __doc__, seconds=60.0)
    parser.add_argument("--row-format", choices=ROW_FORMATS, help="of the table (default: columns for an odd seed)")
    options = parser.parse_args()

    def play(console: Console, seed: int, directory: Path) -> None:
        _play(console, seed, directory, options.seconds, options.row_format or ROW_FORMATS[seed % 2])

    return command.play_seeds(options.seed, play)


def _play(console: Console, seed: int, directory: Path, seconds: float, row_format: str) -> None:
    console.print(f"{seconds:.0f} s of faults with seed {seed}, SNOWFLAKE_ROW_FORMAT={row_format}")
    began_s = monotonic()
    names = [fault.name for fault in FAULTS]
    strikes = schedule.plan(seed, seconds, names, [str(number) for number in range(PARTITIONS)], UNITS)
    with staged(directory, KEYS if row_format == "columns" else ()) as scene:
        storm = Storm(scene, strikes, seconds, FAULTS, console.print)
        run = Run(scene, [storm], console.print)
        counts = run.run()
        console.print(report.faults_table(storm), report.counts_table(counts), sep="\n\n")
        console.print(f"\n{report.verdict(run, len(strikes), seed)} in {monotonic() - began_s:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
