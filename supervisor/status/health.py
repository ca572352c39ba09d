"""Whether a tree is alive and healthy: pure decisions over its status.

A tree is alive while its loop turns; one that is not needs a restart. It is healthy while every partition is read, here
or by another supervisor; a restart would only interrupt that.

`http/responses.py` serves the decisions as `/healthz` and `/readyz`.
"""

from collections.abc import Iterator

from supervisor.status.model import TreeStatus

# The loop turns every second. On a loaded host, or while many workers start, a turn may take a few.
STUCK_AFTER_S = 10.0
WORKING = ("running", "draining")  # a worker that drains is being handed over


def stuck(tree: TreeStatus, now_s: float) -> str | None:
    """Why the loop counts as stuck; None while it turns. `now_s` is on the monotonic clock."""
    silent_s = now_s - tree.described_at_s
    return f"the loop has not turned for {silent_s:.0f} s" if silent_s > STUCK_AFTER_S else None


def complaints(tree: TreeStatus) -> Iterator[str]:
    """Why the tree is not healthy, one clause each; none while it is."""
    if tree.cause:
        yield f"stopping: {tree.cause}"
    elif tree.state in ("starting", "draining"):
        yield tree.state
    if tree.unowned:
        yield f"nobody holds partitions {', '.join(tree.unowned)}, and no supervisor has room for them"
    for row in tree.partitions:
        if row.state not in WORKING:
            yield f"partition {row.partition} is {row.state}"
        elif row.waits_for:
            yield f"partition {row.partition} waits: {row.waits_for}"


def sentence(tree: TreeStatus) -> str:
    """The tree in one sentence, without the numbers that change every second."""
    held = f"{len(tree.partitions)} of {tree.partitions_total} partitions of {tree.source} ({tree.consumer_group})"
    return f"{held}: {'; '.join(complaints(tree)) or f'{tree.state}, healthy'}"
