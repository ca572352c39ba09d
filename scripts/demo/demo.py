"""The demo, act by act."""

import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass

from scripts.demo import report
from scripts.demo.flights import Flight, airlines
from scripts.demo.proof import Proof, prove
from scripts.demo.publisher import PacedPublication, Publisher
from scripts.demo.screen import Progress, Screen
from scripts.demo.watch import Watch
from scripts.harness.evsup import Evsup
from scripts.harness.failure import NotAsPromised
from scripts.harness.host import BOUND, Host
from scripts.harness.table import EVENTS
from scripts.localcloud.snow.admin import SnowAdmin
from shared.clock import monotonic
from shared.errors import ExitCode
from supervisor.status.model import PartitionStatus, TreeStatus

FIRST_SHARE = 0.4  # of the flights are there before evsup starts; the others come while it runs
PACE_PER_S = 1200.0
NOBODY_LEFT = "None of its processes is left"
# The same question to a table with the envelope, and to one with a column for each key.
BY_CARRIER = f"""\
SELECT PAYLOAD->>'carrier' AS carrier, count(*) AS flights,
       count(*) - count(PAYLOAD->>'departure_delay') AS cancelled,
       avg((PAYLOAD->>'departure_delay')::INT) AS delay
FROM {EVENTS} GROUP BY carrier ORDER BY flights DESC"""  # noqa: S608 (a constant)

BY_COLUMN = f"""\
SELECT CARRIER, count(*) AS flights, count(*) - count(DEPARTURE_DELAY) AS cancelled, avg(DEPARTURE_DELAY) AS delay
FROM {EVENTS} GROUP BY CARRIER ORDER BY flights DESC"""  # noqa: S608 (a constant)


@dataclass(frozen=True)
class Demo:
    """Everything that the acts need; `run` plays them."""

    screen: Screen
    flights: Sequence[Flight]
    publisher: Publisher
    host: Host
    snow: SnowAdmin
    partitions: int
    columns: Sequence[str] = ()
    """Of the table, where keys have columns."""

    def run(self) -> Proof:
        """Play all acts. Raises `NotAsPromised` as soon as something is not as promised."""
        first = int(len(self.flights) * FIRST_SHARE)
        self._publish(self.flights[:first])
        self._start("Start evsup as a user would")
        with PacedPublication(self.publisher, self.flights[first:], PACE_PER_S) as publication:
            self._run_to_half()
            victim = self._kill_one()
            self._start("Start it again")
            self._say_where(victim)
            self._run_to_end(publication)
        self._drain()
        proof = self._prove()
        self._ask()
        return proof

    @property
    def _evsup(self) -> Evsup:
        return self.host.started[-1]

    @property
    def _watch(self) -> Watch:
        return Watch(self.screen, self._evsup, self.snow, self.publisher, len(self.flights))

    # --- acts ---------------------------------------------------------------------------------------------------------

    def _publish(self, flights: Sequence[Flight]) -> None:
        self.screen.act("Publish the first flights with the Azure SDK's EventHubProducerClient")
        start_s = monotonic()
        with self.screen.waiting("publishing"):
            self.publisher.send(flights)
        self.screen.done(f"{len(flights):,} events in {monotonic() - start_s:.1f} s, the route as partition key")
        shares = ", ".join(f"{count:,}" for count in self.publisher.published().values())
        self.screen.done(f"The partitions hold {shares}; more comes while evsup runs")

    def _start(self, title: str) -> None:
        options = ("--max-partitions", str(self.partitions))
        self.screen.act(title, " ".join(("evsup", "start", *options)))
        start_s = monotonic()
        self.host.start(*options, command=BOUND)
        with self.screen.waiting("workers open their channels"):
            self._watch.until(lambda look: self._all_run(look.tree), "the workers run")
        self.screen.done(f"{self.partitions} workers run after {monotonic() - start_s:.1f} s, one for each partition")

    def _run_to_half(self) -> None:
        def is_half_way(look: Progress) -> bool:
            return look.rows >= look.total // 2 and _all_commit(look.tree)

        self._watch.live_until(is_half_way, "half of the events are in the table")
        self.screen.done("Half of the events are in the table, and more are on their way")

    def _kill_one(self) -> PartitionStatus:
        victim = max(self._tree().partitions, key=lambda one: one.rows_inflight)
        self.screen.act("Kill a worker half-way", f"kill -9 {victim.pid}")
        os.kill(victim.pid, signal.SIGKILL)
        self.screen.done(f"Partition {victim.partition}'s worker died with {_in_flight(victim)} events in flight")
        took_s = self._await_exit(ExitCode.TEMPORARY, "the tree stops")
        self.screen.done(f"The whole tree stopped after {took_s:.1f} s: exit code 75, try again")
        self.screen.done("The last line of its log says why:")
        self.screen.quote(self._evsup.last_line)
        self.screen.done(NOBODY_LEFT)
        return victim

    def _say_where(self, victim: PartitionStatus) -> None:
        partition, evsup = victim.partition, self._evsup
        [opened] = evsup.until(lambda: evsup.events("partition_opened", partition=partition), "the log says where")
        self.screen.done(f"Partition {partition} resumes after {opened['after']}: {opened['reason']}")

    def _run_to_end(self, publication: PacedPublication) -> None:
        def is_moved(look: Progress) -> bool:
            return publication.is_done and look.rows >= look.total and self._is_checkpointed(look.tree)

        self._watch.live_until(is_moved, "every event is in the table and checkpointed")
        self.screen.done("Every event is in the table, every checkpoint at the end of its partition")

    def _drain(self) -> None:
        self.screen.act("Stop it in order", f"kill -TERM {self._tree().pid}")
        self._evsup.send(signal.SIGTERM)
        took_s = self._await_exit(ExitCode.OK, "the tree drains")
        self.screen.done(f"Drained after {took_s:.1f} s, exit code 0")
        self.screen.done(NOBODY_LEFT)

    def _prove(self) -> Proof:
        self.screen.act("Count: what Event Hubs took, and what the table holds")
        proof = prove(self.snow, self.flights, self.publisher.published(), self.columns)
        self.screen.show(report.proof_table(proof, self.screen.console.width))
        say = self.screen.done if proof.contents.holds else self.screen.failed
        say(report.contents_line(proof.contents, len(self.flights)))
        return proof

    def _ask(self) -> None:
        self.screen.act("Ask the table: which airlines left New York in January 2013, and how late?")
        question = BY_COLUMN if self.columns else BY_CARRIER
        self.screen.quote(question)
        self.screen.gap()
        self.screen.show(report.carriers_table(self.snow.query(question), airlines()))

    # --- checks -------------------------------------------------------------------------------------------------------

    def _all_run(self, tree: TreeStatus | None) -> bool:
        return tree is not None and sum(one.state == "running" for one in tree.partitions) == self.partitions

    def _is_checkpointed(self, tree: TreeStatus | None) -> bool:
        """Whether each checkpoint is at the last event of its partition."""
        marks = {one.partition: one.checkpointed for one in tree.partitions} if tree else {}
        published = self.publisher.published()
        return all(marks.get(partition) == count - 1 for partition, count in published.items() if count)

    def _tree(self) -> TreeStatus:
        tree = self._evsup.status()
        if tree is None:
            raise NotAsPromised("evsup does not run", self._evsup.last_lines())
        return tree

    def _await_exit(self, expected: ExitCode, doing: str) -> float:
        """How many seconds it took. Raises `NotAsPromised` when one of its processes is left."""
        start_s = monotonic()
        with self.screen.waiting(doing):
            code = self._evsup.wait()
        if code != expected:
            raise NotAsPromised(
                f"evsup ended with exit code {code} instead of {int(expected)}", self._evsup.last_lines()
            )
        return monotonic() - start_s


def _all_commit(tree: TreeStatus | None) -> bool:
    """Whether each worker that has read anything knows of a commit."""
    return tree is not None and all(one.durable is not None for one in tree.partitions if one.received is not None)


def _in_flight(victim: PartitionStatus) -> str:
    """Events that it had read and Snowflake had not committed, as of its last report."""
    received, durable = (-1 if mark is None else mark for mark in (victim.received, victim.durable))
    return f"{received - durable:,}"
