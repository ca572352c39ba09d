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
TICK_S = 0.05  # between two times that events are published and tokens are read


@dataclass(frozen=True, slots=True)
class Published:
    """Events that got their enqueued time together, `at_s` after the stream began."""

    at_s: float
    events: int
    last: int


class Stream:
    """Events that come at a steady rate from now on, and how long each of them takes until it is durable."""

    def __init__(self, turn: Turn, per_s: float) -> None:
        self._turn, self._per_s = turn, per_s
        self._began_s, self._published = monotonic(), 0
        self.waiting: deque[Published] = deque()
        self.seen: list[tuple[float, int]] = []
        """Seconds, and how many events took so long; without those of the warm-up."""

    @property
    def is_over(self) -> bool:
        """Whether all was published and is durable."""
        return not self.waiting and self._age_s() >= WARM_UP_S + STEADY_S

    def publish(self) -> None:
        """Publish what is due."""
        age_s = self._age_s()
        due = int(min(age_s, WARM_UP_S + STEADY_S) * self._per_s) - self._published
        if due > 0:
            self._turn.cloud.hub.seed("0", due, first_n=self._published)
            self._published += due
            self.waiting.append(Published(age_s, due, self._published - 1))

    def settle(self) -> None:
        """Note how long what is durable now took."""
        durable, age_s = max(self._turn.durable().values(), default=-1), self._age_s()
        while self.waiting and self.waiting[0].last <= durable:
            one = self.waiting.popleft()
            if one.at_s >= WARM_UP_S:
                self.seen.append((age_s - one.at_s, one.events))

    def _age_s(self) -> float:
        return monotonic() - self._began_s


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
    others = [turn.cloud.hub_service.pid, turn.cloud.snow_service.pid, os.getpid()]
    own_s, other_s, began_s = cpu_s(family(evsup.pid)), cpu_s(others), monotonic()
    seen = _seen(turn, evsup, per_s)
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


def _seen(turn: Turn, evsup: Evsup, per_s: float) -> list[tuple[float, int]]:
    """As `Stream.seen`, at its end. Raises NotAsPromised when evsup ends, or takes too long."""
    stream, limit = Stream(turn, per_s), Deadline.after(WARM_UP_S + STEADY_S + LAST_S)
    while not stream.is_over:
        if not evsup.is_running or limit.passed():
            raise NotAsPromised(f"{len(stream.waiting)} ticks of events are not durable", evsup.last_lines())
        stream.publish()
        stream.settle()
        time.sleep(TICK_S)
    return stream.seen


def share(seen: list[tuple[float, int]], part: float) -> float:
    """The seconds within which this share of all events was durable; `seen` has seconds, and how many events."""
    left = part * sum(events for _, events in seen)
    for seconds, events in sorted(seen):
        left -= events
        if left <= 0:
            return seconds
    raise ValueError("nothing was seen")
