"""A blocking call on a thread of its own, so that the loop always answers the supervisor."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

from shared.ipc.wakeup import Wakeup

T = TypeVar("T")


class Background(Generic[T]):
    """Runs one call at a time; `fileno` becomes readable when its result can be taken.

    Vendor calls block in native code, where no signal and no deadline reaches them: opening a channel up to 120 s, a
    status on a dead server for ever, a checkpoint on a locked row until the store gives up.
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
        if self._future is None or not self._done.clear():  # a future is done a moment before its callback has run
            return None
        future, self._future = self._future, None
        return future.result()
