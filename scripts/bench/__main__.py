"""What evsup and other programs move in a second, and what an event costs them, on local services.

The SDK's own receive loop and evsup take turns on the same events, and medians are compared: a shared machine changes
its speed by a third within a minute. So the ratios hold on other machines, the figures do not.

Exit code 0: every part was measured; 1: a part failed, and the others have their figures.
"""

import argparse
import compileall
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from rich.console import Console
from rich.table import Table

from scripts.bench.lab import core_share
from scripts.bench.lab.budget import Budget
from scripts.bench.lab.lab import Lab
from scripts.bench.parts import latency, overhead, rows, throughput
from scripts.bench.parts.throughput import SMALL, Say
from scripts.bench.results import Machine, Results, read
from scripts.bench.tables import tables
from scripts.command_line import Parser, amount, run, whole
from scripts.localcloud.cloud import CloudSettings, LocalCloud
from scripts.localcloud.service import REPOSITORY

RESULTS = REPOSITORY / "docs" / "performance" / "results.json"
PRODUCT = ("shared", "supervisor", "worker")
MINUTES = 10.0  # beside the services, which start anew for each part
DEFAULT_PER_S = 50_000.0  # where no throughput was measured before


@dataclass(frozen=True)
class Part:
    """A part of the bench: its share of the time, and what enters its figures into the results."""

    share: float
    run: Callable[[Lab, Results, Budget, Say], None]


def _feed(lab: Lab, results: Results, budget: Budget, say: Say) -> None:
    results.feed = throughput.feed(lab, budget, say)


def _shapes(lab: Lab, results: Results, budget: Budget, say: Say) -> None:
    results.shapes = throughput.shapes(lab, budget, say)


def _rivals(lab: Lab, results: Results, budget: Budget, say: Say) -> None:
    results.rivals = throughput.rivals(lab, budget, say)


def _delays(lab: Lab, results: Results, budget: Budget, say: Say) -> None:
    results.delays = throughput.delays(lab, budget, say)


def _workers(lab: Lab, results: Results, budget: Budget, say: Say) -> None:
    on_shares = core_share.is_possible()
    results.worker_share = core_share.SHARE if on_shares else None
    results.workers = throughput.workers(lab, budget, say, on_shares=on_shares)


def _latency(lab: Lab, results: Results, budget: Budget, say: Say) -> None:
    per_s = next((one.evsup.per_s for one in results.shapes if one.name == SMALL), DEFAULT_PER_S)
    results.latency = latency.latency(lab, per_s, budget, say)


def _idle(lab: Lab, results: Results, budget: Budget, say: Say) -> None:
    results.idle = overhead.idle(lab, budget, say)


def _starts(lab: Lab, results: Results, budget: Budget, say: Say) -> None:
    results.starts, results.memory = overhead.starts(lab, budget, say)


def _rows(lab: Lab, results: Results, budget: Budget, say: Say) -> None:
    del lab
    results.rows = rows.rows(budget, say)


PARTS: Mapping[str, Part] = {
    "feed": Part(0.04, _feed),
    "shapes": Part(0.42, _shapes),
    "rivals": Part(0.10, _rivals),
    "delays": Part(0.25, _delays),
    "workers": Part(0.10, _workers),
    "latency": Part(0.10, _latency),
    "idle": Part(0.05, _idle),
    "start": Part(0.12, _starts),
    "rows": Part(0.01, _rows),
}


def main() -> int:
    """Measure, print, and write the results if asked to; 1 when a part failed."""
    options = _parser().parse_args()
    console = Console(width=140)
    is_added = options.only and options.write and RESULTS.exists()
    results = read(RESULTS) if is_added else Results(machine=Machine.here())
    for package in PRODUCT:  # as an installation does: each of the processes that are measured would compile it
        compileall.compile_dir(REPOSITORY / package, quiet=1)
    names = options.only or list(PARTS)
    budget = Budget(options.turns, options.events, 60 * options.minutes / sum(PARTS[name].share for name in names))
    began_s = time.monotonic()
    for name in names:
        _measure(name, results, budget, console, partial(_say, console, began_s, name))
        if options.write:
            RESULTS.parent.mkdir(exist_ok=True)
            results.save(RESULTS)
    _report(console, results)
    return 1 if results.failed else 0


def _measure(name: str, results: Results, budget: Budget, console: Console, say: Say) -> None:
    """Enter the figures of a part, or why it has none."""
    results.failed.pop(name, None)
    say("begins")
    try:
        with LocalCloud(CloudSettings(partitions=1)) as cloud:
            PARTS[name].run(Lab(cloud), results, budget.part(PARTS[name].share), say)
    except Exception as error:  # noqa: BLE001 (the other parts have figures)
        results.failed[name] = f"{type(error).__name__}: {error}".splitlines()[0]
        console.print(traceback.format_exc(), markup=False, highlight=False)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        "scripts.bench",
        __doc__,
        "python -m scripts.bench                           # everything, in twelve minutes",
        "python -m scripts.bench --only shapes --minutes 2",
    )
    parser.add_argument(
        "--only",
        action="append",
        choices=PARTS,
        metavar="PART",
        help=f"only this part, may be repeated: {', '.join(PARTS)}",
    )
    parser.add_argument(
        "--turns", type=whole(1), default=5, metavar="N", help="most turns of each program (default: %(default)s)"
    )
    parser.add_argument(
        "--events", type=whole(1), default=400_000, metavar="N", help="events of 250 bytes in a turn (default: 400,000)"
    )
    parser.add_argument(
        "--minutes",
        type=amount("minutes"),
        default=MINUTES,
        metavar="N",
        help="for all parts, beside the starts of services; one turn is always taken (default: %(default)g minutes)",
    )
    parser.add_argument("--write", action="store_true", help=f"write {RESULTS.name}, which docs/performance.md shows")
    return parser


def _say(console: Console, began_s: float, name: str, text: str) -> None:
    seconds = int(time.monotonic() - began_s)
    console.print(f"{seconds // 60:2d}:{seconds % 60:02d}  {name:8}  {text}", markup=False, highlight=False)


def _report(console: Console, results: Results) -> None:
    for shown in filter(lambda one: one.rows, tables(results)):
        table = Table(title=shown.title, box=None, pad_edge=False, title_justify="left")
        for number, name in enumerate(shown.head):
            table.add_column(name, justify="right" if number else "left", no_wrap=bool(number))
        for row in shown.rows:
            table.add_row(*row)
        console.print()
        console.print(table)
    for name, reason in results.failed.items():
        console.print(f"{name} failed: {reason}", markup=False, style="red")


if __name__ == "__main__":
    run(main)
