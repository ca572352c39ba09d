"""Whether the control store has room for all processes of a tree."""

from shared.model import Sessions
from supervisor.check.runner import Answer


def with_room(found: str, sessions: Sessions | None, partitions: int) -> Answer:
    """`found`, and where sessions are limited how many there are and how many a tree of all partitions takes."""
    if sessions is None:
        return Answer(found)
    needed = partitions + 1
    told = f"{found}; {sessions.most} sessions, others use {sessions.others}, all partitions take {needed}"
    if sessions.others + needed <= sessions.most:
        return Answer(told)
    fix = "Raise max_connections, or put PgBouncer in between and ignore this."
    return Answer(told, "warn", fix)
