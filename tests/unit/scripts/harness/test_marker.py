"""Processes of a run are found by what the kernel says of them."""

import os

from scripts.harness.marker import grouped

MOST_PIDS = 2**22  # of Linux: https://man7.org/linux/man-pages/man5/proc_sys_kernel.5.html


def test_a_process_is_found_by_its_group() -> None:
    assert os.getpid() in grouped(os.getpgrp())
    assert grouped(MOST_PIDS + 1) == []
