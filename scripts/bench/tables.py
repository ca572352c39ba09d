"""The results as tables of text, which the terminal and the page show alike."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from scripts.bench.lab.measure import Side
from scripts.bench.parts.throughput import SMALL
from scripts.bench.results import Idle, Results, Shape, Threads

MEGABYTE, GIGABYTE = 1e6, 1e9


@dataclass(frozen=True)
class Shown:
    """A table; its first column is text, the others are figures."""

    name: str
    """Of the place in the page where it belongs."""
    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


def tables(results: Results) -> Sequence[Shown]:
    """All of them; one of a part that did not run has no rows."""
    return (
        _rivals(results),
        _shapes(results),
        _settings("delays", "Commit delay", "Snowflake commits after", results, "s"),
        _settings("workers", "Workers", _workers(results.worker_share), results, ""),
        _latency(results),
        _overhead(results),
        _rows(results),
    )


def _rivals(results: Results) -> Shown:
    small = next((one for one in results.shapes if one.name == SMALL), None)
    rows = []
    if results.feed:
        rows.append(("a reader that only counts frames: the bound of the local hub", *_side(results.feed.reader)))
    if small:
        rows.append(("**evsup, one worker, to the table**", *_side(small.evsup)))
        rows.append(("the SDK's `receive_batch`, receive only", *_side(small.raw)))
    rows += [(one.name, *_side(one.side)) for one in results.rivals]
    return Shown("rivals", "Events of 250 B", ("", "events/s", "CPU for an event", "memory", "turns"), rows)


def _side(side: Side) -> tuple[str, str, str, str]:
    return (f"{side.per_s:,.0f}", _us(side.cpu_us), f"{side.rss_bytes / MEGABYTE:.0f} MB", str(side.turns))


def _shapes(results: Results) -> Shown:
    head = ("events", "events/s", "MB/s", "CPU for an event", "CPU for a GB", "of raw's events/s", "of raw's CPU")
    return Shown("shapes", "One worker, whole, by kind of event", head, [_shape(one) for one in results.shapes])


def _shape(one: Shape) -> tuple[str, ...]:
    per_s, cpu_us = one.evsup.per_s, one.evsup.cpu_us
    return (
        one.name,
        f"{per_s:,.0f}",
        f"{per_s * one.body_bytes / MEGABYTE:.0f}",
        _us(cpu_us),
        f"{cpu_us / 1e6 * GIGABYTE / one.body_bytes:.1f} s",
        f"{one.times_per_s:.1f} ×",
        f"{one.times_cpu:.2f} ×",
    )


def _settings(name: str, title: str, head: str, results: Results, unit: str) -> Shown:
    settings = results.delays if name == "delays" else results.workers
    rows = [
        (
            f"{one.value:g} {unit}".strip(),
            f"{one.side.per_s:,.0f}",
            f"{one.side.per_s / settings[0].side.per_s:.2f} ×",
            _us(one.side.cpu_us),
            str(one.side.turns),
        )
        for one in settings
    ]
    return Shown(name, title, (head, "events/s", "of the first", "CPU for an event", "turns"), rows)


def _workers(share: float | None) -> str:
    return "Workers" if share is None else f"Workers, each with {share:g} of a core"


def _latency(results: Results) -> Shown:
    rows = [
        (
            f"{one.load:.0%}",
            f"{one.per_s:,.0f}",
            f"{one.p50_s:.2f} s",
            f"{one.p90_s:.2f} s",
            f"{one.p99_s:.2f} s",
            f"{one.evsup_cores:.1f}" if one.evsup_cores else "",
            f"{one.other_cores:.1f}" if one.other_cores else "",
        )
        for one in results.latency
    ]
    head = ("load", "events/s", "p50", "p90", "p99", "cores of evsup", "of services and sender")
    return Shown("latency", "From enqueued to durable", head, rows)


def _overhead(results: Results) -> Shown:
    rows = list(_idle(results.idle)) if results.idle else []
    rows += [
        (f"start to the first row in the table, {_partitions(one.partitions)}", f"{one.all_s:.1f} s")
        for one in results.starts
    ]
    rows += [
        (
            f"processor time of that start, {_partitions(one.partitions)}",
            f"{one.tree_cpu_s:.1f} s, the local services {one.services_cpu_s:.1f} s",
        )
        for one in results.starts
        if one.tree_cpu_s
    ]
    if memory := results.memory:
        each = memory.workers_bytes / memory.workers / MEGABYTE
        rows.append((f"memory of {memory.workers} workers (PSS)", f"{memory.workers_bytes / GIGABYTE:.2f} GB"))
        rows.append(("memory of one of them", f"{each:.0f} MB"))
        rows.append(("memory of the supervisor", f"{memory.supervisor_bytes / MEGABYTE:.0f} MB"))
        if memory.fork_server_bytes:
            rows.append(("memory of its fork server", f"{memory.fork_server_bytes / MEGABYTE:.0f} MB"))
    return Shown("overhead", "What a tree costs before and between events", ("", ""), rows)


def _partitions(count: int) -> str:
    return "1 partition" if count == 1 else f"each of {count} partitions"


def _idle(idle: Idle) -> Iterator[tuple[str, str]]:
    yield "idle worker, evsup's own threads", _threads(idle.own)
    yield "idle worker, the streaming SDK's threads", _threads(idle.sdk)


def _threads(threads: Threads) -> str:
    return f"{threads.core:.2%} of a core, {threads.wakeups_per_s:.1f} wake-ups/s"


def _rows(results: Results) -> Shown:
    return Shown(
        "rows", "From frame to row", ("event of 250 B", "CPU"), [(one.name, _us(one.cpu_us)) for one in results.rows]
    )


def _us(microseconds: float) -> str:
    return f"{microseconds:.1f} µs"
