"""`make bench`: what evsup and others move and cost, on local services. Figures belong to a machine, ratios travel.

Raw and evsup take turns on the same events, and medians are compared: a shared machine changes its speed by a third
within a minute. A part that fails leaves the others their figures.
"""

import argparse
import compileall
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from scripts.bench.lab import core_share
from scripts.bench.lab.budget import Budget
from scripts.bench.lab.lab import Lab
from scripts.bench.parts import latency, rows, standing, throughput
from scripts.bench.parts.throughput import SMALL, Say
from scripts.bench.results import Machine, Results, read
from scripts.bench.tables import tables
from scripts.localcloud.cloud import CloudSettings, LocalCloud

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "docs" / "performance" / "results.json"
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
    results.idle = standing.idle(lab, budget, say)


def _starts(lab: Lab, results: Results, budget: Budget, say: Say) -> None:
    results.starts, results.memory = standing.starts(lab, budget, say)


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
    options = _options()
    console = Console(width=140)
    results = Results(machine=Machine.here())
    if options.only and options.write and RESULTS.exists():
        results = read(RESULTS)
    names = options.only or list(PARTS)
    for (
        package
    ) in PRODUCT:  # as an installation does, also where the environment forbids Python to keep what it compiles
        compileall.compile_dir(ROOT / package, quiet=1)
    whole = Budget(options.turns, options.events, 60 * options.minutes / sum(PARTS[name].share for name in names))
    began_s = time.monotonic()
    for name in names:
        results.failed.pop(name, None)
        say = partial(_say, console, began_s, name)
        say("begins")
        try:
            with LocalCloud(CloudSettings(partitions=1)) as cloud:
                PARTS[name].run(Lab(cloud), results, whole.part(PARTS[name].share), say)
        except Exception as error:  # noqa: BLE001 (the other parts have figures)
            results.failed[name] = f"{type(error).__name__}: {error}".splitlines()[0]
            console.print(traceback.format_exc(), markup=False, highlight=False)
        if options.write:
            RESULTS.parent.mkdir(exist_ok=True)
            results.save(RESULTS)
    _report(console, results)
    return 1 if results.failed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m scripts.bench", description=__doc__)
    parser.add_argument("--only", action="append", choices=PARTS, metavar="NAME", help=f"a part: {', '.join(PARTS)}")
    parser.add_argument("--turns", type=int, default=5, help="of what takes turns, while time lasts (default: 5)")
    parser.add_argument("--events", type=int, default=400_000, help="of 250 B in a turn (default: 400,000)")
    parser.add_argument("--minutes", type=float, default=MINUTES, help=f"for all parts (default: {MINUTES:g})")
    parser.add_argument("--write", action="store_true", help=f"write {RESULTS.name}, which docs/performance.md shows")
    options = parser.parse_args()
    for name in ("turns", "events"):
        if getattr(options, name) < 1:
            parser.error(f"--{name} must be at least 1")
    return options


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
    sys.exit(main())
