"""What moves how many events a second, and what an event costs: evsup and others in turns, on the same events."""

from collections.abc import Callable
from statistics import median_low

import psutil

from scripts.bench.lab.budget import Budget
from scripts.bench.lab.lab import Events, Lab
from scripts.bench.lab.measure import Run, Side
from scripts.bench.lab.moving import move
from scripts.bench.results import Feed, Rival, Setting, Shape

PROPERTIES = {"tail": "N14228", "carrier": "UA", "origin": "EWR"}
SMALL = "250 B"
WAITING_BATCHES = (300, 1_000, 50_000)
WAITING_S = 10.0
COMMIT_DELAY_S = 2.0
DELAYS_S = (0.0, 2.0, 6.0)
DELAYED = 10  # times the events of other turns, so that they are more than fit the window
RAW_EVENTS = 40_000  # at most: enough to know its speed
Say = Callable[[str], None]


def feed(lab: Lab, budget: Budget, say: Say) -> Feed:
    """What the hub alone can do: nobody looks into an event."""
    lab.fill(Events(budget.events))
    hub = psutil.Process(lab.cloud.hub_service.pid)
    runs: list[Run] = []
    hub_cpu_us: list[float] = []
    for number in budget.rounds():
        before = hub.cpu_times()
        runs.append(lab.turn().rival("counting", 0, budget.events))
        after = hub.cpu_times()
        hub_cpu_us.append(1e6 * (after.user + after.system - before.user - before.system) / budget.events)
        say(f"turn {number + 1}: {runs[-1].per_s:,.0f} events/s, the hub {hub_cpu_us[-1]:.2f} µs an event")
    return Feed(reader=Side.of(runs), hub_cpu_us=median_low(hub_cpu_us))


def shapes(lab: Lab, budget: Budget, say: Say) -> list[Shape]:
    """Raw and evsup in turns on events of each shape."""
    each = {
        SMALL: Events(budget.events),
        "250 B, key and 3 properties": Events(budget.events, partition_key="EWR", properties=PROPERTIES),
        "1 kB": Events(budget.events // 2 or 1, 1_000),  # fewer, so that a turn takes as long
        "8 kB": Events(budget.events // 10 or 1, 8_000),
    }
    lab.cloud.snow.set_commit_delay(COMMIT_DELAY_S)
    return [_shape(lab, budget.part(1 / len(each)), say, name, events) for name, events in each.items()]


def _shape(lab: Lab, budget: Budget, say: Say, name: str, events: Events) -> Shape:
    lab.fill(events)
    raw: list[Run] = []
    evsup: list[Run] = []
    for number in budget.rounds():
        raw.append(lab.turn().rival("raw", 0, min(events.count, RAW_EVENTS)))
        evsup.append(move(lab.turn(), events.count))
        say(f"{name}, turn {number + 1}: raw {_figures(raw[-1])}; evsup {_figures(evsup[-1])}")
    return Shape(
        name=name,
        body_bytes=events.body_bytes,
        raw=Side.of(raw),
        evsup=Side.of(evsup),
        times_per_s=median_low([ours.per_s / theirs.per_s for ours, theirs in zip(evsup, raw, strict=True)]),
        times_cpu=median_low([ours.cpu_us / theirs.cpu_us for ours, theirs in zip(evsup, raw, strict=True)]),
    )


def rivals(lab: Lab, budget: Budget, say: Say) -> list[Rival]:
    """The other clients and designs, on events of 250 B."""
    lab.cloud.snow.set_commit_delay(COMMIT_DELAY_S)
    lab.fill(Events(budget.events))
    count = min(budget.events, RAW_EVENTS)
    found = [Rival(name="the SDK's asyncio client, receive only", side=_asyncio(lab, budget.part(0.5), count))]
    say(f"asyncio: {found[-1].side.per_s:,.0f} events/s, {found[-1].side.cpu_us:.1f} µs an event")
    for batch in WAITING_BATCHES:
        run = lab.turn().rival("waiting", 0, budget.events, batch, WAITING_S)
        found.append(Rival(name=f"a script that waits for each commit, {batch:,} a batch", side=Side.of([run])))
        say(f"waiting, {batch:,} a batch: {_figures(run)}")
    return found


def _asyncio(lab: Lab, budget: Budget, count: int) -> Side:
    return Side.of([lab.turn().rival("asynchronous", 0, count) for _ in budget.rounds()])


def delays(lab: Lab, budget: Budget, say: Say) -> list[Setting]:
    """One worker while Snowflake takes this or that time for a commit, on more events than fit the window."""
    count = DELAYED * budget.events
    lab.fill(Events(count))
    runs: dict[float, list[Run]] = {delay_s: [] for delay_s in DELAYS_S}
    for number in budget.rounds(3):
        for delay_s, done in runs.items():
            lab.cloud.snow.set_commit_delay(delay_s)
            done.append(move(lab.turn(), count))
            say(f"commits after {delay_s:g} s, turn {number + 1}: {_figures(done[-1])}")
    return [Setting(value=delay_s, side=Side.of(done)) for delay_s, done in runs.items()]


def workers(lab: Lab, budget: Budget, say: Say, *, on_shares: bool) -> list[Setting]:
    """Two workers against one, each on a partition of its own, and on a share of a core where that is possible."""
    lab.cloud.snow.set_commit_delay(COMMIT_DELAY_S)
    runs: dict[int, list[Run]] = {1: [], 2: []}
    for number in budget.rounds(3):
        for partitions, done in runs.items():
            lab.fill(Events(budget.events), partitions)
            done.append(move(lab.turn(), partitions * budget.events, partitions, on_shares=on_shares))
            say(f"workers: {partitions}, turn {number + 1}: {_figures(done[-1])}")
    return [Setting(value=partitions, side=Side.of(done)) for partitions, done in runs.items()]


def _figures(run: Run) -> str:
    return f"{run.per_s:,.0f} events/s, {run.cpu_us:.1f} µs an event"
