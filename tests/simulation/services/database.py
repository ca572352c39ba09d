"""The control store: the real SQL of `shared/control` on SQLite in memory, on the world's clock, behind a network."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from shared.clock import HostClock
from shared.control.database import Database, Mode, Run
from shared.control.sqlite import MemoryDatabase
from shared.errors import StoreUnavailable
from tests.simulation.invariants import Invariants
from tests.simulation.processes.fiber import Fiber
from tests.simulation.processes.process import Process
from tests.simulation.services.network import TIMEOUT_S, Network
from tests.simulation.world import World

# Every change of a row is shown to the invariants by the database itself, whoever made it.
AUDIT = """
CREATE TRIGGER audit_claim AFTER INSERT ON evsup_ownership BEGIN
    SELECT owner_changed(NEW.partition_id, 0, NEW.epoch, NEW.owner_id);
END;
CREATE TRIGGER audit_owner AFTER UPDATE ON evsup_ownership BEGIN
    SELECT owner_changed(NEW.partition_id, OLD.epoch, NEW.epoch, NEW.owner_id);
END;
CREATE TRIGGER audit_checkpoint AFTER UPDATE ON evsup_checkpoint BEGIN
    SELECT checkpointed(
        NEW.partition_id, OLD.epoch, OLD.sequence_number, NEW.epoch, NEW.sequence_number, NEW.begins_after
    );
END;
"""


class WorldClock(HostClock):
    """The clock of a database on a host of its own: SQLite stands for Postgres here, which takes it as it is."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.ahead_s = 0.0
        """Of the true time; a fault may change it."""

    def unix_s(self) -> float:
        return self.since_boot_s()

    def since_boot_s(self) -> float:
        return self._world.now_s + self.ahead_s


class Memory(MemoryDatabase):
    """One connection for all processes: a transaction takes no time of the world."""

    def __init__(self, world: World, invariants: Invariants) -> None:
        self.clock = WorldClock(world)
        super().__init__(self.clock)
        self._invariants = invariants
        self._opened_once: sqlite3.Connection | None = None

    def connect(self) -> sqlite3.Connection:
        self._opened_once = connection = super().connect()
        connection.create_function("owner_changed", 4, self._invariants.owner_changed)
        connection.create_function("checkpointed", 6, self._invariants.checkpointed)
        return connection

    def audit(self) -> None:
        """From now on; the tables have to be there."""
        assert self._opened_once
        self._opened_once.executescript(AUDIT)


class Wire(Database):
    """The database as a process reaches it, from a thread that may wait."""

    dialect, address = "sqlite", "memory"

    def __init__(self, process: Process, network: Network, database: Memory) -> None:
        self._process, self._network, self._database = process, network, database

    @contextmanager
    def transaction(self, mode: Mode = "write") -> Iterator[Run]:
        self._process.wait(self._network.delay_s())
        arrives = self._network.carries_requests
        if mode != "read":  # a late reply to a read is the same as a late request
            self._process.travel(self._network.delay_s())
        if not arrives:
            self._fail()
        try:
            with self._database.transaction(mode) as run:
                yield run
        finally:
            is_answered = self._network.carries_answers
            self._process.wait(self._answer_s(mode) if is_answered else 0)
        if not is_answered:
            self._fail()

    def _answer_s(self, mode: Mode) -> float:
        return self._network.last_answer_s() if mode == "write" and Fiber.current else self._network.delay_s()

    def _fail(self) -> NoReturn:
        self._process.wait(TIMEOUT_S)
        raise StoreUnavailable("The control store does not answer")

    def close(self) -> None:
        """Nothing to give back."""
