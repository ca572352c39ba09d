"""What the kernel says of a process."""

import os
import threading
import time

from scripts.bench.parts.overhead import pss_bytes, threads


def test_a_thread_that_works_and_one_that_waits_are_told_apart() -> None:
    done = threading.Event()
    waiting = threading.Thread(target=done.wait)
    waiting.start()
    before = threads(os.getpid())
    until_s = time.thread_time() + 0.05
    while time.thread_time() < until_s:
        pass
    after = threads(os.getpid())
    done.set()
    waiting.join()
    own, other = str(threading.get_native_id()), str(waiting.native_id)
    assert after[own].ran_ns - before[own].ran_ns > 25e6  # the kernel may count the last tick of it, 10 ms, later
    assert after[other].ran_ns - before[other].ran_ns < 5e6


def test_memory_is_there() -> None:
    assert pss_bytes(os.getpid()) > 1_000_000
