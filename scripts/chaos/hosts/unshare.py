"""Whether network namespaces can be made on this machine, and by which command."""

import os
import shutil
import subprocess
import sys
from typing import ClassVar

from scripts.failure import Failed

# A user needs a user namespace as well. Root does not want one: Postgres has to run as another user, who is not in it.
AS_ROOT, AS_USER = ("unshare", "--net"), ("unshare", "--net", "--user", "--map-current-user", "--keep-caps")
REHEARSAL = "scripts.chaos.hosts.rehearsal"


class NotPossible(Failed):
    """Something that the kernel or a program of the system refused; the message says what."""

    exit_code: ClassVar[int] = os.EX_UNAVAILABLE


def command() -> tuple[str, ...]:
    """The command that makes this process the router of a network. Raises NotPossible when there is none."""
    for program, package in (("unshare", "util-linux"), ("ip", "iproute2"), ("tc", "iproute2")):
        if shutil.which(program) is None:
            raise NotPossible(f"Network namespaces may not be made here: there is no {program} (package {package})")
    unshare = AS_USER if os.geteuid() else AS_ROOT
    done = subprocess.run([*unshare, sys.executable, "-m", REHEARSAL], capture_output=True, text=True, check=False)
    if done.returncode:
        reason = done.stderr.strip().rpartition("\n")[2]
        raise NotPossible(f"Network namespaces may not be made here: {reason}")
    return unshare
