"""Stand for `worker.pipeline.background.Background`: a blocking call whose result arrives when the world lets it."""

from collections.abc import Callable
from contextlib import suppress
from typing import Generic, NoReturn, TypeVar, cast

from shared.errors import EvsupError, StoreUnavailable
from tests.simulation.processes.process import Process
from tests.simulation.services.network import TIMEOUT_S

T = TypeVar("T")


class Background(Generic[T]):
    """Runs one call at a time on a fiber, where it may wait; `wake` is called when its result can be taken."""

    def __init__(self, process: Process, wake: Callable[[], None]) -> None:
        self.process, self._wake = process, wake
        self._is_done = False
        self._result: T | None = None
        self._error: Exception | None = None
        self.is_busy = False

    def fileno(self) -> int:
        return 0

    def submit(self, call: Callable[[], T]) -> None:
        assert not self.is_busy
        self.is_busy = True
        self.begin(call)

    def begin(self, call: Callable[[], T]) -> None:
        """Have it run."""
        self.process.start(lambda: self.finish(call))

    def finish(self, call: Callable[[], T]) -> None:
        """Run it, and say that it is done."""
        self.run(call)
        self.done()

    def run(self, call: Callable[[], T]) -> None:
        """Keep what comes of it."""
        try:
            self._result = call()
        except Exception as error:  # noqa: BLE001 (whoever takes the result raises it)
            self._error = error

    def done(self) -> None:
        """The result can be taken."""
        self._is_done = True
        self._wake()

    def take(self) -> T | None:
        if not self._is_done:
            return None
        self.is_busy = self._is_done = False
        result, error, self._result, self._error = self._result, self._error, None, None
        if error:
            raise error
        return cast("T", result)


class Exchange(Background[T]):
    """For calls that are one request and its answer: they need no fiber, which is what a simulation spends most on."""

    def __init__(self, process: Process, wake: Callable[[], None], delay_s: Callable[[], float]) -> None:
        super().__init__(process, wake)
        self._delay_s = delay_s

    def begin(self, call: Callable[[], T]) -> None:
        self.process.after(self._delay_s(), lambda: self._send(call))

    def _send(self, call: Callable[[], T]) -> None:
        """The request arrives whatever becomes of its sender, also after the sender gave it up."""
        delay_s = self._delay_s()
        if delay_s > TIMEOUT_S:
            self.process.after(TIMEOUT_S, lambda: self.finish(_give_up))
            self.process.world.after(delay_s, lambda: _arrive_late(call))
        else:
            self.process.world.after(delay_s, lambda: self._arrive(call))

    def _arrive(self, call: Callable[[], T]) -> None:
        self.run(call)
        self.process.after(self._delay_s(), self.done)


def _give_up() -> NoReturn:
    raise StoreUnavailable("The control store does not answer")


def _arrive_late(call: Callable[[], object]) -> None:
    with suppress(EvsupError):  # nobody waits for the answer
        call()
