"""Rows that Snowflake rejects, and both tables: a count is seen later than the token that passed its row.

So are the bound that goes with it and, now and then, a whole status, as a cache gives it.
"""

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from shared.ipc.messages import ChannelStatus, Quarantined
from shared.snowflake.quarantine_table import Coverage, EventIdentity, RecentQuarantine, Rejected
from tests.simulation.services.network import skewed
from worker.tasks import quarantine
from worker.tasks.quarantine import Order

if TYPE_CHECKING:
    from tests.simulation.processes.worker import WorkerProcess
    from tests.simulation.world import World

REJECTED = 0.04  # of the rows
LATE_S = 30.0  # an event is settled after twice that
STALE = 0.05  # of the statuses
STATEMENT_S = 1.0


class Rejections:
    """Which rows of one channel were rejected, and what its status says of them."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.table: set[int] = set()
        self.rejected: set[int] = set()
        self.quarantine: list[int] = []
        self._shown = 0
        self._bound: str | None = None
        self._past: list[ChannelStatus] = []

    def commit(self, numbers: Sequence[int], end: int) -> None:
        """Take some of the rows and reject the others; each is counted in its own time."""
        for number in numbers:
            if self._world.rng.random() >= REJECTED:
                self.table.add(number)
                continue
            self.rejected.add(number)
            self._world.after(skewed(self._world.rng, LATE_S), self._count)
            self._world.after(skewed(self._world.rng, LATE_S), lambda: self._name(end))

    def status(self, token: int | None) -> ChannelStatus:
        """As the service says it."""
        return ChannelStatus(
            token, self._shown, last_error="too long" if self._bound else None, last_error_up_to=self._bound
        )

    def cached(self, token: int | None) -> ChannelStatus:
        """As a cache says it."""
        self._past.append(self.status(token))
        rng = self._world.rng
        return rng.choice(self._past[-5:]) if rng.random() < STALE else self._past[-1]

    @property
    def unknown(self) -> set[int]:
        """Rejected rows that are nowhere."""
        return self.rejected - set(self.quarantine)

    def _count(self) -> None:
        self._shown += 1

    def _name(self, end: int) -> None:
        self._bound = str(max(end, int(self._bound or 0)))


class Tables:
    """Stands for `shared.snowflake.quarantine_table.Quarantine`."""

    name = "EVENTS_QUARANTINE"

    def __init__(self, process: "WorkerProcess", rejections: Rejections) -> None:
        self._process, self._rejections = process, rejections

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Nothing to close."""

    def missing(self, _: str, numbers: range) -> list[int]:
        self._run()
        return [number for number in numbers if number not in self._rejections.table]

    def without_row(self, _: str, events: Sequence[EventIdentity]) -> list[int]:
        self._run()
        return [event.sequence_number for event in events if event.sequence_number not in self._rejections.table]

    def recent(self, *_: object) -> RecentQuarantine:
        return RecentQuarantine(0, 0)

    def logged(self, *_: object) -> dict[int, Rejected]:
        self._run()
        return {}

    def insert(self, _: str, events: Sequence[Rejected], **__: object) -> None:
        self._run()
        known = self._rejections.quarantine
        known += [event.sequence_number for event in events if event.sequence_number not in known]

    def coverage(self, _: str, numbers: range) -> Coverage:
        self._run()
        both = [*self._rejections.table, *self._rejections.quarantine]
        twice = [number for number in numbers if number in self._rejections.quarantine and both.count(number) > 1]
        return Coverage(len(set(both) & set(numbers)), min(twice, default=None))

    def _run(self) -> None:
        self._process.wait(skewed(self._process.world.rng, STATEMENT_S))


def reread(_: object, __: object, numbers: Sequence[int], ___: object) -> Iterator[Sequence[Rejected]]:
    """Stands for `worker.tasks.reread.reread`."""
    for number in numbers:
        yield [Rejected(sequence_number=number, offset=None, enqueued_time="", body=None, row_json="")]


def identified(_: object, __: object, numbers: range) -> Iterator[Sequence[EventIdentity]]:
    """Stands for `worker.tasks.reread.identified`."""
    yield [EventIdentity(sequence_number=number, enqueued_time="") for number in numbers]


def carried_out(process: "WorkerProcess", order: Order) -> Quarantined:
    """The task, which ends with its worker."""
    process.wait(skewed(process.world.rng, STATEMENT_S))
    return quarantine.carry_out(order.rejection)
