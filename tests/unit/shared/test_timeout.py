"""Whoever will not wait for calls side by side leaves them behind."""

import threading
from typing import TYPE_CHECKING

import pytest

from shared.timeout import side_by_side

if TYPE_CHECKING:
    from concurrent.futures import Future


def test_a_block_that_fails_waits_for_no_call() -> None:
    released = threading.Event()
    calls: list[Future[bool]] = []

    def interrupted() -> None:
        with side_by_side(1, "test") as pool:
            calls.extend([pool.submit(released.wait), pool.submit(released.wait)])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    begun, waiting = calls
    assert not begun.done()
    assert waiting.cancelled()
    released.set()
    assert begun.result(10)
