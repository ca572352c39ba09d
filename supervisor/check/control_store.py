"""Whether the control store has enough sessions for every process of a tree."""

from shared.model import Sessions
from supervisor.check.runner import Outcome


def with_sessions(detail: str, sessions: Sessions | None, partitions: int) -> Outcome:
    """`detail`, and where sessions are limited how many there are and how many a tree of all partitions needs."""
    if sessions is None:
        return Outcome(detail)
    needed = partitions + 1  # the supervisor's
    detail = f"{detail}; {sessions.most} sessions, others use {sessions.others}, all partitions need {needed}"
    if sessions.others + needed <= sessions.most:
        return Outcome(detail)
    return Outcome(detail, "warn", "Raise max_connections, or put PgBouncer in between and ignore this.")
