"""Whether hosts can be made on this machine, and how."""

import os
import shutil
import subprocess
import sys

WAYS = (
    ("unshare", "--net"),
    ("unshare", "--net", "--user", "--map-current-user", "--keep-caps"),  # without root, where the kernel lets users
)
REHEARSAL = "scripts.chaos.hosts.rehearsal"


class NotPossible(Exception):
    """Something that the kernel or a program of the system refused; the message says what."""


def way() -> tuple[str, ...]:
    """The command that makes this process the router of a network. Raises NotPossible when there is none."""
    for program, package in (("unshare", "util-linux"), ("ip", "iproute2"), ("tc", "iproute2")):
        if shutil.which(program) is None:
            raise NotPossible(f"network namespaces may not be made here: there is no {program} (package {package})")
    refusals = []
    for command in WAYS[os.geteuid() != 0 :]:
        done = subprocess.run([*command, sys.executable, "-m", REHEARSAL], capture_output=True, text=True, check=False)
        if done.returncode == os.EX_OK:
            return command
        refusals.append(done.stderr.strip().rpartition("\n")[2])
    raise NotPossible(f"network namespaces may not be made here: {'; '.join(refusals)}")
