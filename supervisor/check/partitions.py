"""Which partitions of the hub have no owner, were never read, or exist in the control store only."""

from collections.abc import Collection, Iterable, Mapping

from shared.counted import ranges
from shared.model import Checkpoint, Ownership, SupervisorRow
from supervisor.check.runner import Outcome

_START_ANOTHER = (
    "Start another supervisor, or raise EVSUP_MAX_PARTITIONS. An older evsup does not know partitions that were added"
    " since its start: restart it."
)


def ownership_outcome(
    partition_ids: Collection[str],
    ownerships: Iterable[Ownership],
    checkpoints: Mapping[str, Checkpoint],
    supervisors: Iterable[SupervisorRow],
) -> Outcome:
    """A warning when a partition has no owner although supervisors run. Before a start no partition has an owner."""
    rows = {row.partition_id: row for row in ownerships}
    without_owner = [each for each in partition_ids if each not in rows or not rows[each].is_live]
    never_read = [each for each in partition_ids if not _was_read(checkpoints.get(each))]
    not_in_hub = [each for each in sorted({*rows, *checkpoints}) if each not in partition_ids]
    groups = {"held by nobody": without_owner, "never read": never_read, "that the hub does not have": not_in_hub}
    clauses = [f"{len(ids)} {what} ({ranges(ids)})" for what, ids in groups.items() if ids]
    detail = ", ".join([f"{len(partition_ids)} in the hub", *clauses])
    if without_owner and any(row.is_live for row in supervisors):
        return Outcome(detail, "warn", _START_ANOTHER)
    return Outcome(detail)


def _was_read(checkpoint: Checkpoint | None) -> bool:
    return checkpoint is not None and (checkpoint.sequence_number is not None or checkpoint.channel_generation > 0)
