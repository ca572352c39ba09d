"""A call that may block without end, and whoever cannot wait so long."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

Answer = TypeVar("Answer")


def within(limit_s: float, ask: Callable[[], Answer]) -> Answer:
    """What `ask` gives, or `TimeoutError`: for a service that accepts and is silent most clients wait without end."""
    answer: Future[Answer] = Future()

    def run() -> None:
        try:
            answer.set_result(ask())
        except Exception as error:  # noqa: BLE001 (raised again by whoever waits)
            answer.set_exception(error)

    threading.Thread(target=run, name="within", daemon=True).start()
    try:
        return answer.result(limit_s)
    except TimeoutError as error:
        raise TimeoutError(f"no answer for {limit_s:.0f} s") from error
