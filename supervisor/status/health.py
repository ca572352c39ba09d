"""Whether a tree does its work, and what is in the way: a pure decision over its status.

Alive is one whose loop turns: a restart helps one that does not. Healthy is one whose partitions are all read or in
other hands: what a restart would only interrupt.
"""

from collections.abc import Iterator

from supervisor.status.model import TreeStatus

# The loop turns every second; ten of them are no pause for a loaded host or a burst of workers to start.
STUCK_AFTER_S = 10.0
WORKING = ("running", "draining")  # the second: one that is handed over


def stuck(tree: TreeStatus, now_s: float) -> str | None:
    """Why the loop counts as stuck; None while it turns."""
    silent_s = now_s - tree.described_at_s
    return f"the loop has not turned for {silent_s:.0f} s" if silent_s > STUCK_AFTER_S else None


def complaints(tree: TreeStatus) -> Iterator[str]:
    """What keeps the tree from being healthy, one clause each."""
    if tree.cause:
        yield f"stopping: {tree.cause}"
    elif tree.state in ("starting", "draining"):
        yield tree.state
    if tree.unowned:
        yield f"nobody holds partitions {', '.join(tree.unowned)}, and no supervisor has room for them"
    for row in tree.partitions:
        if row.state not in WORKING:
            yield f"partition {row.partition} is {row.state}"
