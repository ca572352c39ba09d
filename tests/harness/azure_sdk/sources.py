"""A source that runs inside a block."""

from collections.abc import Iterator
from contextlib import contextmanager

from scripts.harness.waiting import PATIENCE_S
from shared.clock import Deadline
from worker.source.receiver import Receiver


@contextmanager
def running(source: Receiver) -> Iterator[Receiver]:
    """Start it, and stop it whatever happens."""
    source.start()
    try:
        yield source
    finally:
        source.stop()
        source.join(Deadline.after(PATIENCE_S))
