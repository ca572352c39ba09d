"""A control store on a file of its own, whose clock, absence and lost replies a test decides."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from shared.control import sqlite
from shared.control.database import Mode
from shared.control.sqlite import SqliteDatabase
from shared.control.store import ControlStore
from shared.errors import StoreUnavailable
from shared.model import ConsumerGroup

GROUP = ConsumerGroup("ns.servicebus.windows.net", "flights", "$Default")
EXPIRATION_S = 60.0


class Clock:
    """Stands still until it is moved."""

    def __init__(self, now_s: float = 1000.0) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s

    def move(self, seconds: float) -> None:
        self.now_s += seconds


class Wire(SqliteDatabase):
    """The database behind a network: `away`, or losing replies after the commit, or slow."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self.away = self.loses_replies = False
        self.on_call: Callable[[], None] = lambda: None

    @contextmanager
    def transaction(self, mode: Mode = "write") -> Iterator["sqlite._Transaction"]:
        if self.away:
            raise StoreUnavailable("The control store is away")
        with super().transaction(mode) as run:
            yield run
        self.on_call()
        if self.loses_replies:
            raise StoreUnavailable("The reply was lost")


class Stores:
    """Stores on one file, one for each supervisor, all on the clock of the database."""

    def __init__(self, path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("now", "clock_timestamp"):
            monkeypatch.setitem(sqlite._FUNCTIONS, (name, 0), clock)
        self._path = path
        self._opened: list[ControlStore] = []
        self.open()[0].initialise()

    def open(self) -> tuple[ControlStore, Wire]:
        """One more store, and the wire it speaks over."""
        wire = Wire(self._path)
        self._opened.append(ControlStore(wire, GROUP, EXPIRATION_S))
        return self._opened[-1], wire

    def close(self) -> None:
        """Close all."""
        for store in self._opened:
            store.close()
