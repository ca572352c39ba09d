"""A host of its own as far as the kernel's network goes: interfaces, routes, sockets, and a name.

It has no name in the file system and no process that keeps it. Two open files of this process do, so that nothing of it
outlives this process and those in it, however they end (https://man7.org/linux/man-pages/man7/namespaces.7.html).
"""

import ctypes
import os
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor

from scripts.chaos.hosts.unshare import NotPossible

CLONE_NEWUTS, CLONE_NEWNET = 0x04000000, 0x40000000  # linux/sched.h; `os.unshare` is there from Python 3.12 on


class Namespace:
    """Made when constructed. Raises NotPossible when this process may not."""

    def __init__(self, name: str) -> None:
        with ThreadPoolExecutor(1) as thread:
            self._network, self._name = thread.submit(_new, name).result()

    @property
    def path(self) -> str:
        """What `ip link set … netns` takes."""
        return _path(self._network)

    @property
    def entrance(self) -> tuple[str, ...]:
        """The command with which a program gets there."""
        return ("nsenter", f"--net={_path(self._network)}", f"--uts={_path(self._name)}")

    def close(self) -> None:
        """Keep it no longer."""
        os.close(self._network)
        os.close(self._name)


def run(*command: str, entrance: tuple[str, ...] = ()) -> str:
    """Run a program of the system and give its output. Raises NotPossible with what it said when it fails."""
    done = subprocess.run([*entrance, *command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotPossible(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def _new(name: str) -> tuple[int, int]:
    """Move this thread, and only it, into namespaces of its own, and give the files that keep them."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET | CLONE_NEWUTS):
        raise NotPossible(f"unshare: {os.strerror(ctypes.get_errno())}")
    socket.sethostname(name)
    network, uts = (os.open(f"/proc/thread-self/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC) for kind in ("net", "uts"))
    return network, uts


def _path(descriptor: int) -> str:
    return f"/proc/{os.getpid()}/fd/{descriptor}"
