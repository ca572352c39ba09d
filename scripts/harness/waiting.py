"""Waiting for a condition, with a deadline."""

import time
from collections.abc import Callable
from typing import TypeVar

from scripts.harness.failure import NotAsPromised
from shared.clock import Deadline

POLL_S = 0.1  # many tests wait at the same time, and each look takes processor time from what they wait for
PATIENCE_S = 120.0  # far more than anything takes: beside twenty busy processes a command took a minute
BUSY_S = 15.0  # what a busy machine may add to a time that is a promise; half of what a drain may take by default

Truth = TypeVar("Truth")


def eventually(
    condition: Callable[[], Truth], what: str, timeout_s: float = PATIENCE_S, every_s: float = POLL_S
) -> Truth:
    """Ask again and again; the first true value of `condition`. Raises NotAsPromised when the time is over."""
    deadline = Deadline.after(timeout_s)
    while not (value := condition()):
        if deadline.passed():
            raise NotAsPromised(f"Not within {timeout_s:g} s: {what}")
        time.sleep(every_s)
    return value
