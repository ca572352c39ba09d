"""Calls that may block without end: with a time limit, and left behind by whoever will not wait for them."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

Result = TypeVar("Result")


def within(limit_s: float, call: Callable[[], Result]) -> Result:
    """What `call` returns. Raises `TimeoutError` after `limit_s` seconds; the call then goes on in its thread.

    Most clients wait forever for a service that accepts a connection and never answers.
    """
    answer: Future[Result] = Future()

    def run() -> None:
        try:
            answer.set_result(call())
        except Exception as error:  # noqa: BLE001 (raised again by whoever waits)
            answer.set_exception(error)

    # A daemon: a call that never returns must not keep the process from its end.
    threading.Thread(target=run, name="within", daemon=True).start()
    try:
        return answer.result(limit_s)
    except TimeoutError as error:
        raise TimeoutError(f"no answer for {limit_s:.0f} s") from error


@contextmanager
def side_by_side(most: int, name: str) -> Iterator[ThreadPoolExecutor]:
    """A pool for calls of a block that waits for each of them. A block that fails, as on Ctrl-C, waits for none."""
    pool = ThreadPoolExecutor(most, name)
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
