"""Checks of what the trees, the control store and Snowflake report at the same time."""

from collections.abc import Iterable, Mapping

from scripts.chaos.judging.broken import InvariantBroken
from supervisor.status.model import PartitionStatus

NOTHING = -1  # a mark below every sequence number


def require_marks_in_order(row: PartitionStatus) -> None:
    """I3: checkpointed ≤ durable ≤ appended ≤ received, in one report of a worker."""
    marks = [NOTHING if mark is None else mark for mark in (row.checkpointed, row.durable, row.appended, row.received)]
    if marks != sorted(marks):
        raise InvariantBroken("I3", f"partition {row.partition}: checkpointed, durable, appended, received are {marks}")


def require_checkpoints_behind(checkpoints: Mapping[str, int | None], tokens: Mapping[str, str | None]) -> None:
    """I3 from outside: no checkpoint is beyond what Snowflake has committed. The checkpoints are to be read first."""
    for partition, checkpoint in checkpoints.items():
        token = int(tokens.get(partition) or NOTHING)
        if checkpoint is not None and checkpoint > token:
            raise InvariantBroken(
                "I3", f"partition {partition}: the checkpoint {checkpoint} is beyond the token {token}"
            )


class Owners:
    """I5 from outside: once a worker of a newer epoch has reported, none of an older one reports any more.

    A worker checks its trust in every turn before it reports, so with a report it claims the partition at that time.
    """

    def __init__(self) -> None:
        self._began: dict[tuple[str, int], tuple[int, float]] = {}

    def see(self, rows: Iterable[PartitionStatus]) -> None:
        """Take the reports of every tree, and raise when two terms of a partition lived at once."""
        for row in rows:
            if row.reported_at_s:
                pid, _ = self._began.setdefault((row.partition, row.epoch), (row.pid, row.reported_at_s))
                self._require_alone(row, pid)

    def _require_alone(self, row: PartitionStatus, pid: int) -> None:
        if row.pid != pid:
            raise InvariantBroken("I5", f"partition {row.partition}: {pid} and {row.pid} both have epoch {row.epoch}")
        for (partition, epoch), (other, began_s) in self._began.items():
            if partition == row.partition and epoch > row.epoch and row.reported_at_s > began_s:
                raise InvariantBroken(
                    "I5",
                    f"partition {partition}: {row.pid} of epoch {row.epoch} reported"
                    f" {row.reported_at_s - began_s:.1f} s after {other} of epoch {epoch}",
                )
