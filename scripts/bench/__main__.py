"""`make bench`: three ratios in one run, on the local services. Figures belong to this machine, ratios travel.

Raw and evsup take turns, and the medians are compared: a shared machine changes its speed by a third within a minute.
"""

import argparse
import json
import os
import subprocess
import sys
from typing import NamedTuple

import msgspec
from rich.console import Console
from rich.table import Table

from scripts.bench.measure import Run, median
from scripts.bench.moving import EvsupRun, move
from scripts.localcloud.cloud import CloudSettings, LocalCloud

BODY_BYTES = 250
RAW_EVENTS = 200_000  # at most: enough to know its speed
WAITING_BATCHES = (300, 1_000, 50_000)
MEBIBYTE = 1024 * 1024


class Line(NamedTuple):
    """One row of the report."""

    name: str
    run: Run


def main() -> int:
    """Run raw and evsup in turns, then the waiting script; print what they moved and how they compare."""
    parser = argparse.ArgumentParser(prog="python -m scripts.bench", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000, help="events of 250 B (default: 1,000,000)")
    parser.add_argument("--rounds", type=int, default=5, help="of raw and evsup in turns (default: 5)")
    parser.add_argument("--commit-delay", type=float, default=2.0, help="seconds from append to commit (default: 2)")
    parser.add_argument("--waiting-seconds", type=float, default=20.0, help="most time for each waiting run")
    options = parser.parse_args()
    with LocalCloud(CloudSettings(partitions=1, commit_delay_s=options.commit_delay)) as cloud:
        cloud.hub.seed("0", options.events, body_bytes=BODY_BYTES)
        turns = [_turn(cloud, options.events, number) for number in range(options.rounds)]
        waiting = [Line(f"waiting, {batch:,} a batch", _waiting(cloud, options, batch)) for batch in WAITING_BATCHES]
    raw, moved = (median(side) for side in zip(*turns, strict=True))
    _report(Line("raw SDK receive", raw), Line("evsup, one worker", moved), waiting)
    ratios = ", ".join(f"{tree_run.per_s / raw_run.per_s:.1f} ×" for raw_run, tree_run in turns)
    costs = ", ".join(f"{tree_run.cpu_us / raw_run.cpu_us:.2f} ×" for raw_run, tree_run in turns)
    Console().print(
        f"Memory: worker {max(run.rss_bytes for _, run in turns) / MEBIBYTE:.0f} MiB,"
        f" supervisor {max(run.supervisor_rss_bytes for _, run in turns) / MEBIBYTE:.0f} MiB at most."
        f" {options.events:,} events of {BODY_BYTES} B, commit delay {options.commit_delay:g} s."
        f" Medians of {options.rounds} turns; evsup of raw turn by turn: {ratios} in events,"
        f" {costs} in processor time for each."
    )
    return 0


def _turn(cloud: LocalCloud, events: int, number: int) -> tuple[Run, EvsupRun]:
    directory = cloud.directory / f"turn-{number}"
    directory.mkdir()
    fresh = {
        "CONTROL_SQLITE_PATH": str(directory / "control.db"),
        "SNOWFLAKE_CHANNEL_PREFIX": f"turn{number}",
    }
    return _module(cloud, "raw", "0", min(events, RAW_EVENTS)), move(cloud.environment | fresh, directory, events)


def _waiting(cloud: LocalCloud, options: argparse.Namespace, batch: int) -> Run:
    return _module(cloud, "waiting", "0", options.events, batch, options.waiting_seconds)


def _module(cloud: LocalCloud, name: str, *arguments: object) -> Run:
    """Run one of the other sides in a process of its own, with a control store of its own."""
    store = {"CONTROL_SQLITE_PATH": str(cloud.directory / f"{name}-{'-'.join(map(str, arguments))}.db")}
    done = subprocess.run(
        [sys.executable, "-m", f"scripts.bench.{name}", *map(str, arguments)],
        env=os.environ | cloud.environment | store,
        check=True,
        stdout=subprocess.PIPE,
    )
    return msgspec.convert(json.loads(done.stdout), Run)


def _report(raw: Line, evsup: Line, waiting: list[Line]) -> None:
    table = Table(box=None, pad_edge=False)
    for name in ("", "EVENTS", "SECONDS", "EVENTS/S", "OF RAW", "EVSUP IS", "CPU AN EVENT", "MEMORY"):
        table.add_column(name, justify="left" if not name else "right", no_wrap=True)
    for line in (raw, evsup, *waiting):
        run = line.run
        table.add_row(
            line.name,
            f"{run.events:,}",
            f"{run.seconds:.1f}",
            f"{run.per_s:,.0f}",
            f"{run.per_s / raw.run.per_s:.0%}",
            f"{evsup.run.per_s / run.per_s:.1f} ×",
            f"{run.cpu_us:.1f} µs",
            f"{run.rss_bytes / MEBIBYTE:.0f} MiB",
        )
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
