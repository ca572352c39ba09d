"""A tree in words: what it reads and writes, what is wrong with it and what to do, and a line for each partition.

The screen of `evsup status` and the page at `/` show the same words. They come from here.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal, TypeAlias, TypeVar

from msgspec import Struct

from shared.command_line import complete
from shared.counted import counted, ranges
from shared.model import by_number
from supervisor.ownership.balance import by_owner
from supervisor.status.health import complaints
from supervisor.status.model import PartitionStatus, Sort, TreeStatus
from supervisor.status.words.columns import Column, age, count, left, mib, number
from supervisor.status.words.findings import findings, named

LOSS_NEAR_S = 6 * 3600.0  # as the alert EvsupLossNear

ROOM = "Start another supervisor, or raise EVSUP_MAX_PARTITIONS"
EXITS = {65: "exit-65", 77: "exit-77"}  # by exit code: the section of the runbook; others are in the table of all

Verdict: TypeAlias = Literal["well", "changing", "warning", "degraded"]
Row = TypeVar("Row")


class Line(Struct, frozen=True):
    """One line about the tree."""

    label: str
    """What it is about, in a word."""
    text: str
    """What is said."""


class Trouble(Line, frozen=True):
    """A line about something that is wrong: what it is, and what to do."""

    section: str
    """Of the runbook: its anchor in docs/operations.md."""
    stops: bool = False
    """Whether the tree stops because of it."""


def headline(tree: TreeStatus) -> str:
    """The state in a few words, without numbers that change every second."""
    warnings = sum(not trouble.stops for trouble in troubles(tree))
    return ", ".join([tree.state, *_health(tree), *([counted(warnings, "warning")] if warnings else [])])


def _health(tree: TreeStatus) -> Iterator[str]:
    if tree.healthy:
        yield "healthy"
    elif not _is_as_asked(tree):
        yield "degraded"
    elif tree.state == "draining":
        yield "as it was asked to"


def _is_as_asked(tree: TreeStatus) -> bool:
    """A start, a partition that is opened, and a drain that was asked for: not healthy, and yet no trouble."""
    opened = {f"partition {row.partition} is opening" for row in tree.partitions}
    return set(complaints(tree)) <= {"starting", "draining", *opened}


def verdict(tree: TreeStatus) -> Verdict:
    """Whether somebody should look: a healthy tree may have something wrong with it that stops nothing."""
    if not tree.healthy and not _is_as_asked(tree):
        return "degraded"
    if any(troubles(tree)):
        return "warning"
    return "well" if tree.healthy else "changing"


def facts(tree: TreeStatus) -> Iterator[Line]:
    """The lines that are always there."""
    yield Line("from", f"{tree.source} ({tree.consumer_group})")
    yield Line("to", tree.target)
    held = f"{len(tree.partitions)} of {counted(tree.partitions_total, 'partition')}"
    yield Line("tree", f"{held}, pid {tree.pid} on {tree.host}, up {age(tree.uptime_s)}, store {tree.store}")
    for owner_id, partitions in by_owner(tree.elsewhere).items():
        yield Line("others", f"{owner_id} holds {ranges(partitions)}{_free_in(tree, owner_id)}")
    if tree.partitions:
        yield Line("total", _total(tree.partitions))
        yield Line("time", _times(tree.partitions))
    if (loss := _next_loss(tree)) and loss[0] >= LOSS_NEAR_S:
        yield Line("loss", _loss_text(*loss))


def _free_in(tree: TreeStatus, owner_id: str) -> str:
    """For a standby, which may wait for a supervisor that was killed on this host a moment ago."""
    if tree.state != "standby":
        return ""
    ends_in_s = max(lease.ends_in_s for lease in tree.elsewhere if lease.owner_id == owner_id)
    return f"; if it was killed, they are free in {age(ends_in_s)}"


def troubles(tree: TreeStatus) -> Iterator[Trouble]:
    """All that is wrong, the worst first."""
    if tree.cause:
        yield Trouble("stopping", tree.cause, EXITS.get(tree.exit_code, "exit-codes"), stops=True)
    for finding in findings(tree):
        yield Trouble("now", complete(str(finding)), finding.section)
    for waits_for in sorted({row.waits_for for row in tree.partitions if row.waits_for}):
        held = [row.partition for row in tree.partitions if row.waits_for == waits_for]
        yield Trouble("waits", f"{named(held, len(tree.partitions))}: {waits_for}", "evsupunhealthy")
    if tree.store_trouble:
        left = min((row.lease_s for row in tree.partitions), default=0.0)
        text = f"leases cannot be renewed, and the tree stops in {age(max(left, 0.0))}: {tree.store_trouble}"
        yield Trouble("store", text, "evsupleaseending")
    if tree.hub_trouble:
        text = f"last listed its partitions {age(tree.hub_age_s)} ago: {tree.hub_trouble}"
        yield Trouble("hub", text, "evsuphubsilent")
    if (loss := _next_loss(tree)) and loss[0] < LOSS_NEAR_S:
        yield Trouble("loss", _loss_text(*loss), "evsuplossnear")
    if tree.table_unseen:
        yield Trouble("table", f"columns cannot be seen: {tree.table_unseen}", "evsuptableunseen")
    if tree.unowned:
        text = f"{named(tree.unowned, tree.partitions_total)}: held by nobody, and no supervisor has room. {ROOM}"
        yield Trouble("unowned", text, "evsupunowned")


def troubled(tree: TreeStatus) -> frozenset[str]:
    """The partitions that a finding is about."""
    return frozenset[str]().union(*(finding.partitions for finding in findings(tree)))


def worst_first(tree: TreeStatus, sort: Sort = "lag") -> list[PartitionStatus]:
    """The partitions in the order in which people see them."""
    bad = troubled(tree)
    return sorted(tree.partitions, key=order(sort, lambda row: row.partition not in bad, lambda row: row.row_age_s))


def order(
    sort: Sort, is_well: Callable[[Any], bool], age_s: Callable[[Any], float | None]
) -> Callable[[Any], tuple[bool, float, tuple[int, str]]]:
    """The worst first: what something is wrong with, then by lag or age; what is alike by its partition."""

    def key(row: Any) -> tuple[bool, float, tuple[int, str]]:
        if sort == "partition":
            return False, 0.0, by_number(row.partition)
        bad = row.lag if sort == "lag" else age_s(row)
        return is_well(row), 1.0 if bad is None else -bad, by_number(row.partition)

    return key


def known(rows: Iterable[Row], value: Callable[[Row], float | None]) -> list[float]:
    """The values of those rows that have one."""
    return [number for row in rows if (number := value(row)) is not None]


def _total(rows: Sequence[PartitionStatus]) -> str:
    lags, behind_s = known(rows, lambda row: row.lag), max(known(rows, lambda row: row.lag_s), default=None)
    rate, inflight = sum(row.rows_per_s for row in rows), sum(row.rows_inflight for row in rows)
    behind = "" if behind_s is None else f", {age(behind_s)} behind"
    lag = f"{count(sum(lags))} events" if lags else "-"
    return f"lag {lag}{behind}, {count(rate)} rows/s, {count(inflight)} rows in flight"


def _times(rows: Sequence[PartitionStatus]) -> str:
    """The newest of all partitions, but of the hub the one that was not heard for longest: each has its connection."""
    newest, events, commits = (
        known(rows, lambda row: row.row_age_s),
        known(rows, lambda row: row.event_age_s),
        known(rows, lambda row: row.commit_age_s),
    )
    heard = known(rows, lambda row: row.frame_age_s)
    parts = [f"newest row {age(min(newest))} old"] if newest else ["no row yet"]
    parts += [f"last event {age(min(events))}"] if events else []
    parts += [f"commit {age(min(commits))}"] if commits else []
    parts += [f"hub heard {age(max(heard))} ago"] if heard else []
    return ", ".join(parts)


def _next_loss(tree: TreeStatus) -> tuple[float, str] | None:
    """Where events leave the hub first: in how many seconds, and of which partition."""
    return min(
        ((row.time_to_loss_s, row.partition) for row in tree.partitions if row.time_to_loss_s is not None),
        default=None,
    )


def _loss_text(seconds: float, partition: str) -> str:
    return f"of events of partition {partition} that are not loaded: {left(seconds)}"


# --- the table of partitions ------------------------------------------------------------------------------------------


def _column(
    name: str, justify: Literal["left", "right"], field: str, text: Callable[[Any], str] = str, rank: int = 0
) -> Column[PartitionStatus]:
    """A column of a field, whose value `text` writes."""
    return Column(name, justify, lambda row: text(getattr(row, field)), rank, field)


PARTITIONS: tuple[Column[PartitionStatus], ...] = (
    _column("PART", "left", "partition"),
    _column("STATE", "left", "state"),
    _column("LAG", "right", "lag", count),
    _column("BEHIND", "right", "lag_s", age, 1),
    _column("ROW AGE", "right", "row_age_s", age, 2),
    _column("ROWS/S", "right", "rows_per_s", count, 4),
    _column("EVENT", "right", "event_age_s", age, 7),
    _column("HEARD", "right", "frame_age_s", age, 6),
    _column("COMMIT", "right", "commit_age_s", age, 5),
    _column("RECEIVED", "right", "received", number, 8),
    _column("APPENDED", "right", "appended", number, 10),
    _column("DURABLE", "right", "durable", number, 3),
    _column("CHECKPT", "right", "checkpointed", number, 9),
    _column("PID", "right", "pid", rank=11),
    _column("EPOCH", "right", "epoch", rank=12),
    _column("REPORT", "right", "report_age_s", age, 13),
    _column("MEMORY", "right", "rss_bytes", mib, 14),
)
