"""Whoever will not wait for calls side by side leaves them behind."""

import threading

import pytest

from shared.timeout import side_by_side


def test_a_block_that_fails_waits_for_no_call() -> None:
    released = threading.Event()
    with pytest.raises(KeyboardInterrupt), side_by_side(1, "test") as pool:
        begun, waiting = pool.submit(released.wait), pool.submit(released.wait)
        raise KeyboardInterrupt
    assert not begun.done()
    assert waiting.cancelled()
    released.set()
    assert begun.result(10)
