"""No core files: the memory of these processes holds keys, which a core file would write to a disk or a collector."""

import resource

# A limit of 0 keeps the kernel from writing a file, but not from feeding a program (systemd-coredump, apport) that
# `core_pattern` names; at exactly 1 it does neither: https://github.com/torvalds/linux/blob/master/fs/coredump.c.
# PR_SET_DUMPABLE would do it too, and would take /proc/PID and debuggers from the operator who runs evsup.
NEITHER = 1


def forbid() -> None:
    """Forbid core files for this process and all that it starts. This cannot be undone."""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    limit = NEITHER if hard == resource.RLIM_INFINITY else min(NEITHER, hard)
    resource.setrlimit(resource.RLIMIT_CORE, (limit, limit))
