"""Random faults strike two supervisors, and every event has to be in the table once.

They move 2,400 events a second through four partitions. The seed decides which faults strike, in which order and where.
Then all becomes quiet, both supervisors drain, and the table is compared with what was published. A run takes at most
four minutes more than its seconds.

Exit code 0: every promise held; 1: one broke, and the logs are kept.
"""

from pathlib import Path

from rich.console import Console

from scripts.chaos import command, report
from scripts.chaos.acts.storm import Storm
from scripts.chaos.faults import schedule
from scripts.chaos.faults.catalogue import FAULTS
from scripts.chaos.run import Run
from scripts.chaos.scene.scene import KEYS, PARTITIONS, UNITS, staged
from scripts.command_line import run
from shared.clock import monotonic

ROW_FORMATS = ("envelope", "columns")


def main() -> int:
    """Play one seed, or several one after the other."""
    parser = command.parser("scripts.chaos", __doc__, seconds=60.0)
    parser.add_argument(
        "--row-format",
        choices=ROW_FORMATS,
        help="row format of the table (default: columns for odd seeds, envelope for even)",
    )
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
        played = Run(scene, [storm], console.print)
        counts = played.run()
        console.print(report.faults_table(storm), report.counts_table(counts), sep="\n\n")
        console.print(f"\n{report.verdict(played, len(strikes), seed)} in {monotonic() - began_s:.0f} s")


if __name__ == "__main__":
    run(main)
