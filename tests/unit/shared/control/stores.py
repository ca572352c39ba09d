"""A control store on a file of its own, whose clock, absence and lost replies a test decides."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.clock import HostClock
from shared.control.database import Mode, Run
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


class Host(HostClock):
    """A host whose clocks a test moves: `set_s` is how far somebody has set the one that may be set."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self.set_s, self.boots = clock, 0.0, 1

    def boot_id(self) -> str:
        return f"boot {self.boots}"

    def unix_s(self) -> float:
        return self._clock() + self.set_s

    def since_boot_s(self) -> float:
        return self._clock()


class Wire(SqliteDatabase):
    """The database behind a network: `away`, or losing replies after the commit, or slow."""

    def __init__(self, path: Path, host: HostClock) -> None:
        super().__init__(str(path), host)
        self.away = self.loses_replies = False
        self.on_call: Callable[[], None] = lambda: None

    @contextmanager
    def transaction(self, mode: Mode = "write") -> Iterator[Run]:
        if self.away:
            raise StoreUnavailable("The control store is away")
        with super().transaction(mode) as run:
            yield run
        self.on_call()
        if self.loses_replies:
            raise StoreUnavailable("The reply was lost")


class Stores:
    """Stores on one file, one for each supervisor, all on the clock of the database."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path, self.host = path, Host(clock)
        self._opened: list[ControlStore] = []
        self.open()[0].initialise()

    def open(self, group: ConsumerGroup = GROUP) -> tuple[ControlStore, Wire]:
        """One more store, and the wire it speaks over."""
        wire = Wire(self._path, self.host)
        self._opened.append(ControlStore(wire, group, EXPIRATION_S))
        return self._opened[-1], wire

    def close(self) -> None:
        """Close all."""
        for store in self._opened:
            store.close()
