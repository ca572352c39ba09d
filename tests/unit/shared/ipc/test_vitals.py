"""What the kernel says of a process is a figure: that it cannot be read ends nothing."""

import os

from shared.ipc.vitals import parent_and_state, rss_bytes, vitals
from tests.unit.descriptors import no_descriptor_left


def test_a_process_is_looked_at() -> None:
    assert rss_bytes() > 1_000_000
    assert parent_and_state(os.getpid()) == (os.getppid(), "R")
    seen = vitals(os.getpid())
    assert seen
    assert seen.wants_cpu


def test_without_a_descriptor_nothing_is_known_and_nothing_fails() -> None:
    with no_descriptor_left():
        assert (rss_bytes(), vitals(os.getpid()), parent_and_state(os.getpid())) == (0, None, None)
