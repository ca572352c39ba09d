"""`python -m tests.harness.commands.server DESCRIPTOR`: the process that commands of evsup are copies of.

To import evsup and the SDKs takes most of what a command costs, so it is done once. Apart from that a copy is what the
console script is: arguments, environment, directory and streams are its own, and it ends as Python ends.
"""

import gc
import os
import signal
import socket
import sys
import threading
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType

import msgspec

from scripts.harness.evsup import EVSUP

LARGEST_BYTES = 256 * 1024  # of an order
DESCRIPTORS = 3  # standard output, standard error, and a socket for answers
# Else the connector loads a library of its own on a thread, for its telemetry alone.
WITHOUT_A_THREAD = "SNOWFLAKE_DISABLE_MINICORE"
IMPORTED = (
    *(
        f"supervisor.commands.{name}"
        for name in ("check", "checkpoints", "config", "init", "replay", "status", "verify")
    ),
    "shared.control.postgres.database",
    "shared.control.snowflake",
    "shared.control.sqlite",
    "supervisor.cli",
    "snowflake.connector",
)


class Order(msgspec.Struct, frozen=True):
    """A command to run."""

    arguments: Sequence[str]
    environment: Mapping[str, str]
    directory: str


def main() -> None:
    """Make a copy for each order, until nobody gives any more. Its standard input is that of this process."""
    os.environ[WITHOUT_A_THREAD] = "true"
    for name in IMPORTED:
        import_module(name)
    assert threading.active_count() == 1, "a lock that another thread holds would never be free in a copy"
    gc.freeze()  # or each copy would look through all of it at its end
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # whoever waits for a copy is reaped by the kernel
    with socket.socket(fileno=int(sys.argv[1])) as orders:
        while True:
            order, descriptors, _, _ = socket.recv_fds(orders, LARGEST_BYTES, DESCRIPTORS)
            if not order:
                return
            if not os.fork():
                break
            for descriptor in descriptors:
                os.close(descriptor)
    output, errors, answers = descriptors
    copy(answers)
    become(msgspec.json.decode(order, type=Order), output, errors)


def copy(answers: int) -> None:
    """Return in a copy. This process waits for it, and answers with its pid and then with its exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if pid := os.fork():
        os.write(answers, b"%d" % pid)
        _, status = os.waitpid(pid, 0)
        os.write(answers, b"%d" % os.waitstatus_to_exitcode(status))
        os._exit(0)
    os.close(answers)


def become(order: Order, output: int, errors: int) -> None:
    """Run the console script."""
    for stream, standard in ((output, sys.stdout), (errors, sys.stderr)):
        os.dup2(stream, standard.fileno())
        os.close(stream)
    os.chdir(order.directory)
    os.environ.clear()
    os.environ.update(order.environment)
    sys.argv = [EVSUP, *order.arguments]
    sys.path[0] = str(Path(EVSUP).parent)
    script = ModuleType("__main__")  # which its workers import again
    script.__file__ = EVSUP
    sys.modules["__main__"] = script
    import_module("supervisor.__main__").main()


if __name__ == "__main__":
    main()
