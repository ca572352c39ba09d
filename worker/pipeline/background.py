"""A blocking call on a thread of its own, so that the loop always answers the supervisor."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

from shared.ipc.wakeup import Wakeup

T = TypeVar("T")


class Background(Generic[T]):
    """Runs one call at a time; `fileno` becomes readable when its result can be taken.

    Vendors' calls block in native code, where no signal and no deadline reaches them: an open for up to 120 s, a status
    of a server that does not answer for ever, a checkpoint on a locked row until the store gives up.
    """

    def __init__(self, name: str) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._future: Future[T] | None = None
        self._done = Wakeup()

    def fileno(self) -> int:
        """For `multiprocessing.connection.wait`."""
        return self._done.fileno()

    @property
    def is_busy(self) -> bool:
        """Whether a call runs, or its result was not taken yet."""
        return self._future is not None

    def submit(self, call: Callable[[], T]) -> None:
        """Start a call; only when not busy."""
        assert self._future is None, "one call at a time"  # noqa: S101 (a bug of the loop, not an input)
        self._future = self._executor.submit(call)
        self._future.add_done_callback(lambda _: self._done.set())

    def take(self) -> T | None:
        """The result of a call that has ended, once; None while it runs. Raises what the call raised."""
        # By the wakeup, not by the future: a future is done shortly before its callback has run, and a wakeup that is
        # set after the result was taken would be taken for that of the next call.
        if self._future is None or not self._done.clear():
            return None
        future, self._future = self._future, None
        return future.result()
