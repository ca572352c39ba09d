"""Calls that wait in the middle of product code until the world resumes them."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ClassVar


class Ended(BaseException):
    """The simulation is over: nothing of the product catches this."""


class Fiber:
    """A thread that runs only while the world waits for it: one baton, so one seed gives one history."""

    current: ClassVar["Fiber | None"] = None
    _idle: ClassVar[list["Fiber"]] = []

    def __init__(self) -> None:
        self._call: Callable[[], None] | None = None
        self._go, self._back = threading.Lock(), threading.Lock()
        self._go.acquire()
        self._back.acquire()
        self._is_ending = False
        self._failure: BaseException | None = None
        threading.Thread(target=self._run, name="fiber", daemon=True).start()

    @classmethod
    def of(cls, call: Callable[[], None]) -> "Fiber":
        """One that runs this when it is resumed; threads are used again, for a new one costs as much as ten turns."""
        fiber = cls._idle.pop() if cls._idle else cls()
        fiber._call, fiber._is_ending, fiber._failure = call, False, None
        return fiber

    def resume(self) -> None:
        """Run it until it pauses or ends; raises what it raised."""
        Fiber.current = self
        self._go.release()
        self._back.acquire()
        Fiber.current = None
        if self._failure:
            raise self._failure

    def pause(self) -> None:
        """On the fiber: give the baton back until `resume`."""
        self._back.release()
        self._go.acquire()
        if self._is_ending:
            raise Ended

    def end(self) -> None:
        """Unwind it, wherever it is."""
        self._is_ending = True
        while self._call:
            self.resume()

    def _run(self) -> None:
        while True:
            self._go.acquire()
            if self._call and not self._is_ending:
                self._obey(self._call)
            self._call = None
            self._idle.append(self)
            self._back.release()

    def _obey(self, call: Callable[[], None]) -> None:
        try:
            call()
        except Ended:
            return
        except BaseException as error:  # noqa: BLE001 (it is raised where the fiber was resumed)
            self._failure = error


@contextmanager
def on_one_core() -> Iterator[None]:
    """Hand the baton on within one core: 6 µs a time, and 70 from one core to another."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {sorted(before)[os.getpid() % len(before)]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
