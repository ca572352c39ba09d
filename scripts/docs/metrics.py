"""Write docs/metrics.md's table from `supervisor.status.metrics.catalogue`, or check that it is up to date.

Without `--write` exit code 1 says that it differs.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from scripts.docs.generated import ROOT, between, run, text_of
from supervisor.status.metrics.catalogue import METRICS
from supervisor.status.metrics.metric import Metric

BEGIN, END = "<!-- metrics:begin -->", "<!-- metrics:end -->"


def with_table(page: str) -> str:
    """`page` with the table between its markers."""
    head = ("", "| Metric | Type | Unit | Labels | Meaning |", "|---|---|---|---|---|")
    return between(page, BEGIN, END, "\n".join([*head, *map(_row, METRICS), ""]))


def documents(root: Path) -> Iterator[tuple[Path, str]]:
    """The one page."""
    page = root / "docs" / "metrics.md"
    yield page, with_table(text_of(page))


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Write or check; the exit code."""
    return run("scripts.docs.metrics", __doc__, documents, arguments, root)


def _row(metric: Metric) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    return f"| `{metric.name}` | {metric.kind} | {metric.unit} | {labels} | {metric.meaning} |"


if __name__ == "__main__":
    sys.exit(main())
