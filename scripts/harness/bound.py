"""`python -m scripts.harness.bound PROGRAM …`: become a program that the kernel kills with its parent.

After Ctrl-C the parent cleans up. After `kill -9` of the parent only the kernel can.
"""

import os
import signal
import sys

from scripts.localcloud.service import leave_with_parent


def become(program: str, *arguments: str) -> None:
    """Replace this process by the program. The kernel keeps the setting, and evsup's workers end with evsup."""
    leave_with_parent(signal.SIGKILL)
    os.execv(program, [program, *arguments])  # noqa: S606 (there is no shell on purpose)


if __name__ == "__main__":
    become(*sys.argv[1:])
