"""Reports to the service manager, where one asks: the tree has started, its loop turns, it stops.

systemd sets NOTIFY_SOCKET for a unit of `Type=notify`, and WATCHDOG_USEC with `WatchdogSec=`. A shell and Kubernetes
set neither, and then nothing is sent. https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html
"""

import math
import os
import socket
from collections.abc import MutableMapping
from textwrap import shorten

from shared.log.logger import get_logger
from shared.log.printable import printable
from supervisor.status.health import sentence
from supervisor.status.model import TreeStatus

SOCKET, LIMIT, LIMIT_FOR = "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"
FEEDS = 3  # within the limit of the watchdog
MOST_CHARACTERS = 500  # of a sentence: systemd ignores a message of more than 4096 bytes

log = get_logger()


class NotifySocket:
    """Sends to the socket at `address`: a path, or `@` and a name that no file has. None: nobody listens.

    `watchdog_s` is how many seconds the service manager waits for a message of the loop before it ends the process.
    """

    def __init__(self, address: str | None, watchdog_s: float = math.inf) -> None:
        self._address = address
        self._feed_every_s, self._feed_due_s = watchdog_s / FEEDS, 0.0 if watchdog_s < math.inf else math.inf
        self._sent: list[str] = []

    def follow(self, tree: TreeStatus, now_s: float) -> None:
        """After each turn of the loop: send what is new. What could not be sent is still new at the next turn."""
        if self._address is None:
            return
        facts = _facts(tree)
        new = [fact for fact in facts if fact not in self._sent]
        is_due = now_s >= self._feed_due_s
        if (new or is_due) and _send(self._address, [*new, *(["WATCHDOG=1"] if is_due else [])]):
            self._sent = facts
            if is_due:
                self._feed_due_s = now_s + self._feed_every_s


def take(environ: MutableMapping[str, str]) -> NotifySocket:
    """The socket that the environment names. It is taken out of it: no other process may report for this one."""
    address, limit, limit_for = (environ.pop(name, "") for name in (SOCKET, LIMIT, LIMIT_FOR))
    if not address.startswith(("/", "@")):  # none, or a kind that is for virtual machines
        return NotifySocket(None)
    is_limited = limit.isdecimal() and int(limit) > 0 and limit_for in ("", str(os.getpid()))
    return NotifySocket(address, int(limit) / 1e6 if is_limited else math.inf)


def _facts(tree: TreeStatus) -> list[str]:
    """What the service manager is to know of a tree. Each fact is one line: a line break would begin another one.

    It is ready when it holds a partition, or has once taken part in the group without getting one: hub, target and
    control store have answered, and all else is the group's matter.
    """
    is_up = tree.state != "starting" or tree.store_round_s > 0
    progress = ["STOPPING=1"] if tree.state == "draining" else ["READY=1"] * is_up
    return [*progress, f"STATUS={shorten(printable(sentence(tree)), MOST_CHARACTERS, placeholder=' …')}"]


def _send(address: str, lines: list[str]) -> bool:
    name = f"\0{address[1:]}" if address.startswith("@") else address
    try:
        # Without waiting for room: a service manager that does not read must not hold up the leases.
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto("\n".join(lines).encode(errors="replace"), socket.MSG_DONTWAIT, name)
    except OSError as error:
        log.debug("service_manager_unreachable", reason=str(error))
        return False
    return True
