"""No core file: the memory of these processes holds keys, and a core would put them on a disk, or into a collector."""

import resource

# A limit of 0 keeps the kernel from writing a file, but not from feeding a program (systemd-coredump, apport) that
# `core_pattern` names; at exactly 1 it does neither: https://github.com/torvalds/linux/blob/master/fs/coredump.c.
# PR_SET_DUMPABLE would do it too, and would take /proc/PID and debuggers from the operator who runs evsup.
NEITHER = 1


def forbid() -> None:
    """For this process and all that it starts; it cannot be undone."""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    limit = NEITHER if hard == resource.RLIM_INFINITY else min(NEITHER, hard)
    resource.setrlimit(resource.RLIMIT_CORE, (limit, limit))
