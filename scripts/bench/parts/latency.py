"""How long an event is on its way, while events come at a steady rate: from its enqueued time until it is durable."""

import os
import time
from collections import deque
from dataclasses import dataclass

from scripts.bench.lab.budget import Budget
from scripts.bench.lab.lab import Events, Lab, Turn
from scripts.bench.lab.moving import cpu_s, family, running
from scripts.bench.parts.throughput import Say
from scripts.bench.results import Latency
from scripts.harness.evsup import Evsup
from scripts.harness.failure import NotAsPromised
from shared.clock import Deadline, monotonic

LOADS = (0.1, 0.5, 0.9)
WARM_UP_S, STEADY_S, LAST_S = 4.0, 12.0, 60.0
TICK_S = 0.05  # events are published so often, and tokens are read so often


@dataclass(frozen=True, slots=True)
class Published:
    """Events that got their enqueued time together."""

    at_s: float
    events: int
    last: int


def latency(lab: Lab, per_s: float, budget: Budget, say: Say) -> list[Latency]:
    """At shares of a throughput of `per_s`, with commits at once: what evsup and the SDK add to Snowflake's time."""
    del budget  # its time is fixed
    lab.cloud.snow.set_commit_delay(0)
    found = []
    for load in LOADS:
        lab.fill(Events(0))
        turn = lab.turn()
        with running(turn.environment, turn.directory, 1) as evsup:
            evsup.await_running(1)
            found.append(_measured(turn, evsup, load, per_s * load))
        say(f"{load:.0%} load: p50 {found[-1].p50_s:.2f} s, p90 {found[-1].p90_s:.2f} s, p99 {found[-1].p99_s:.2f} s")
    return found


def _measured(turn: Turn, evsup: Evsup, load: float, per_s: float) -> Latency:
    waiting: deque[Published] = deque()
    seen: list[tuple[float, int]] = []
    others = [turn.cloud.hub_service.pid, turn.cloud.snow_service.pid, os.getpid()]
    own_s, other_s = cpu_s(family(evsup.pid)), cpu_s(others)
    began_s = monotonic()
    published, ends = 0, Deadline.after(WARM_UP_S + STEADY_S + LAST_S)
    while waiting or monotonic() - began_s < WARM_UP_S + STEADY_S:
        if not evsup.is_running or ends.passed():
            raise NotAsPromised(f"{len(waiting)} ticks of events are not durable", evsup.last_lines())
        now_s = monotonic()
        due = min(int((now_s - began_s) * per_s), int((WARM_UP_S + STEADY_S) * per_s)) - published
        if due > 0:
            turn.cloud.hub.seed("0", due, first_n=published)
            published += due
            waiting.append(Published(now_s, due, published - 1))
        durable = max(turn.durable().values(), default=-1)
        now_s = monotonic()
        while waiting and waiting[0].last <= durable:
            one = waiting.popleft()
            if one.at_s - began_s >= WARM_UP_S:
                seen.append((now_s - one.at_s, one.events))
        time.sleep(max(0.0, TICK_S - (monotonic() - now_s)))
    seconds = monotonic() - began_s
    return Latency(
        load=load,
        per_s=per_s,
        p50_s=share(seen, 0.5),
        p90_s=share(seen, 0.9),
        p99_s=share(seen, 0.99),
        evsup_cores=(cpu_s(family(evsup.pid)) - own_s) / seconds,
        other_cores=(cpu_s(others) - other_s) / seconds,
    )


def share(seen: list[tuple[float, int]], part: float) -> float:
    """The seconds within which this share of all events was durable; `seen` has seconds, and how many events."""
    left = part * sum(events for _, events in seen)
    for seconds, events in sorted(seen):
        left -= events
        if left <= 0:
            return seconds
    raise ValueError("nothing was seen")
