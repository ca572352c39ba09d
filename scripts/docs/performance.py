"""Write the figures of docs/performance.md, and its charts, from the results of the bench, or check that they are so.

`make bench` writes after it has measured. Without `--write` exit code 1 says that something differs.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from scripts.bench.parts.throughput import SMALL
from scripts.bench.results import Machine, Results, read
from scripts.bench.tables import Shown, tables
from scripts.docs.bars import Bar, chart
from scripts.docs.generated import ROOT, between, run, text_of

PAGE, FOLDER, RESULTS = "performance.md", "performance", "results.json"
NOT_MEASURED = "not measured in this run"  # figures of two runs do not stand on one page
EVSUP, RAW = "evsup, to the table", "SDK's receive loop, receive only"
SHORT = {
    "the SDK's asyncio client, receive only": "SDK's asyncio client, receive only",
    "a script that waits for each commit, 300 a batch": "waiting script, 300 a batch",
    "a script that waits for each commit, 1,000 a batch": "waiting script, 1,000 a batch",
    "a script that waits for each commit, 50,000 a batch": "waiting script, 50,000 a batch",
}


def documents(root: Path) -> Iterator[tuple[Path, str]]:
    """The page and its charts."""
    results = read(root / "docs" / FOLDER / RESULTS)
    page = text_of(root / "docs" / PAGE)
    for name, text in (
        ("machine", _machine(results.machine)),
        *((one.name, _markdown(one)) for one in tables(results)),
    ):
        page = between(page, f"<!-- {name}:begin -->", f"<!-- {name}:end -->", text)
    yield root / "docs" / PAGE, page
    for name, (title, bars) in _charts(results).items():
        yield root / "docs" / FOLDER / f"{name}.svg", chart(title if bars else f"{title}: {NOT_MEASURED}", bars)


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Write or check; the exit code."""
    return run("scripts.docs.performance", __doc__, documents, arguments, root)


def _machine(one: Machine) -> str:
    packages = ", ".join(f"{name} {number}" for name, number in one.packages.items())
    return (
        f"\nMeasured on {one.day} on {one.cores} cores ({one.processor}) with {one.memory_gib} GiB,"
        f" Python {one.python}, {packages}.\nThe same cores run the local services."
        f" On average {one.load:.1f} other processes wanted a core when the bench began.\n"
    )


def _markdown(shown: Shown) -> str:
    if not shown.rows:
        return f"\n{NOT_MEASURED.capitalize()}.\n"
    rules = "|".join(["---", *["---:"] * (len(shown.head) - 1)])
    return "\n".join(["", _line(shown.head), f"|{rules}|", *map(_line, shown.rows), ""])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _charts(results: Results) -> dict[str, tuple[str, list[Bar]]]:
    return {
        "cpu": ("Processor time for an event of 250 B", _sides(results, cpu=True)),
        "speed": ("Events of 250 B a second", _sides(results, cpu=False)),
        "latency": ("From enqueued to durable, by load", _latency(results)),
    }


def _sides(results: Results, *, cpu: bool) -> list[Bar]:
    small = next((one for one in results.shapes if one.name == SMALL), None)
    if not small:
        return []
    sides = {EVSUP: small.evsup, RAW: small.raw} | {SHORT.get(one.name, one.name): one.side for one in results.rivals}
    return [
        Bar(name, side.cpu_us, f"{side.cpu_us:,.1f} µs", name == EVSUP)
        if cpu
        else Bar(name, side.per_s, f"{side.per_s:,.0f}", name == EVSUP)
        for name, side in sides.items()
    ]


def _latency(results: Results) -> list[Bar]:
    return [
        Bar(f"{one.load:.0%} load, {name}", seconds, f"{seconds:.2f} s", is_own=True, begins_group=name == "p50")
        for one in results.latency
        for name, seconds in (("p50", one.p50_s), ("p90", one.p90_s), ("p99", one.p99_s))
    ]


if __name__ == "__main__":
    sys.exit(main())
