"""What is wrong with a tree in words, each with what to do: what `evsup status` says above its table.

A tree may be healthy and still have findings: a restart would not help, but a person should know.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from shared.model import by_number
from supervisor.status.health import WORKING
from supervisor.status.model import PartitionStatus, TreeStatus
from supervisor.status.words.columns import age

# evsup tells the hub that it gives a connection up after 30 s of silence, so a heartbeat comes every 15 s or sooner.
# Some seconds more, so that one which is a little late is no finding.
HUB_SILENT_S = 20.0
# Snowflake takes some 5 to 10 s for a commit:
# https://docs.snowflake.com/en/user-guide/snowpipe-streaming/snowpipe-streaming-high-performance-overview
COMMIT_LATE_S = 12.0
REPORT_LATE_S = 5.0  # workers report every second
LATE_S = 300.0  # as the alert EvsupLate
MOST_NAMED = 6  # partitions in a sentence
LAG_OLD_S = 90.0  # a receiver that gets no event asks the hub every minute where the partition ends

Rows = tuple[PartitionStatus, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong: a sentence, what to do, the anchor of its section in the runbook, and the partitions."""

    text: str
    fix: str
    section: str
    partitions: frozenset[str]

    def __str__(self) -> str:
        return f"{self.text}. {self.fix}"


def findings(tree: TreeStatus) -> tuple[Finding, ...]:
    """All of them, the worst first."""
    return tuple(_findings(tree))


def _findings(tree: TreeStatus) -> Iterator[Finding]:
    total = len(tree.partitions)
    for rule in RULES:
        if rows := tuple(row for row in tree.partitions if rule.applies(row)):
            ids = frozenset(row.partition for row in rows)
            yield Finding(f"{rule.text(rows)} ({named(ids, total)})", rule.fix, rule.section, ids)


def named(partitions: Iterable[str], total: int) -> str:
    """Partitions in a few words: `all 32 partitions`, `partition 3`, `partitions 0, 1, 2, 3 and 12 more`."""
    ids = sorted(partitions, key=by_number)
    if len(ids) == 1:
        return f"partition {ids[0]}"
    if len(ids) == total:
        return f"all {total} partitions"
    more = f" and {len(ids) - MOST_NAMED} more" if len(ids) > MOST_NAMED else ""
    return f"partitions {', '.join(ids[:MOST_NAMED])}{more}"


@dataclass(frozen=True, slots=True)
class _Rule:
    """A kind of finding: which partitions have it, what is said of them together, and what to do.

    `section` is the anchor in docs/operations.md where the runbook says more.
    """

    applies: Callable[[PartitionStatus], bool]
    text: Callable[[Rows], str]
    fix: str
    section: str


def _longest(rows: Rows, seconds: Callable[[PartitionStatus], float | None]) -> str:
    return f"{max(seconds(row) or 0.0 for row in rows):.0f} s"


def _throttled(rows: Rows) -> str:
    refused = sum(row.snowflake_throttled_total for row in rows)
    return f"; Snowflake has refused {refused} requests as too many (429) since the workers started" if refused else ""


RULES = (
    _Rule(
        lambda row: row.state == "failed",
        lambda rows: "The worker has failed" if len(rows) == 1 else "Workers have failed",
        "The log says why (`worker_ended`).",
        "evsuprestarts",
    ),
    _Rule(
        lambda row: row.report_age_s > REPORT_LATE_S,
        lambda rows: f"No report from the worker for {_longest(rows, lambda row: row.report_age_s)}",
        "Look at the host's load; a worker that hangs is killed after 12 s.",
        "a-worker-that-does-not-report",
    ),
    _Rule(
        lambda row: row.state == "running" and (row.frame_age_s or 0.0) > HUB_SILENT_S,
        lambda rows: (
            f"Nothing heard from Event Hubs for {_longest(rows, lambda row: row.frame_age_s)}; lag is as of then"
        ),
        "Run `evsup check`.",
        "evsupunheard",
    ),
    _Rule(
        lambda row: row.commit_wait_s > COMMIT_LATE_S,
        lambda rows: (
            f"Rows are in flight and nothing was committed for {_longest(rows, lambda row: row.commit_wait_s)}"
            f"{_throttled(rows)}"
        ),
        "See https://status.snowflake.com, and run `evsup check`.",
        "evsupstalled",
    ),
    _Rule(
        lambda row: row.state == "running" and (row.lag_age_s or 0.0) > LAG_OLD_S,
        lambda rows: (
            "Event Hubs does not say where the partition ends; lag is as of"
            f" {_longest(rows, lambda row: row.lag_age_s)} ago"
        ),
        "Run `evsup check`.",
        "evsupunheard",
    ),
    _Rule(
        lambda row: row.state == "running" and (row.lag_s or 0.0) > LATE_S,
        lambda rows: f"The table is {age(max(row.lag_s or 0.0 for row in rows))} behind",
        "It catches up while BEHIND falls; if it rises, start another supervisor.",
        "evsuplate",
    ),
    _Rule(
        lambda row: row.state not in (*WORKING, "failed"),
        lambda rows: f"Not receiving yet: {rows[0].state}",
        "This may take two minutes after a crash; the log says what it waits for.",
        "evsupunhealthy",
    ),
)
