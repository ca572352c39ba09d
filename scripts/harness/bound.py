"""`python -m scripts.harness.bound PROGRAM …`: become a program that the kernel kills with its parent.

Ctrl-C is for the parent to clean up after; nothing but the kernel can after `kill -9`.
"""

import os
import signal
import sys

from scripts.localcloud.service import leave_with_parent


def become(program: str, *arguments: str) -> None:
    """The setting outlives the exec, and evsup's workers die with evsup."""
    leave_with_parent(signal.SIGKILL)
    os.execv(program, [program, *arguments])  # noqa: S606 (there is no shell on purpose)


if __name__ == "__main__":
    become(*sys.argv[1:])
