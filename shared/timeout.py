"""A time limit for a call that may block without end."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
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

    threading.Thread(target=run, name="within", daemon=True).start()
    try:
        return answer.result(limit_s)
    except TimeoutError as error:
        raise TimeoutError(f"no answer for {limit_s:.0f} s") from error
