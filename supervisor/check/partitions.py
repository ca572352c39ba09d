"""Who holds the partitions of the hub, and which were never read: a pure look at the control store's rows."""

from collections.abc import Collection, Iterable, Mapping

from shared.model import Checkpoint, Ownership, SupervisorRow
from supervisor.check.runner import Answer

_NOT_HELD = (
    "Start another supervisor, or raise EVSUP_MAX_PARTITIONS. An older evsup does not know partitions that were added"
    " since its start: restart it."
)


def held(
    partition_ids: Collection[str],
    ownerships: Iterable[Ownership],
    checkpoints: Mapping[str, Checkpoint],
    supervisors: Iterable[SupervisorRow],
) -> Answer:
    """A warning when supervisors run and some partition has no owner; before a start nobody holds any."""
    rows = {row.partition_id: row for row in ownerships}
    unowned = [each for each in partition_ids if each not in rows or not rows[each].is_live]
    never_read = [each for each in partition_ids if not _was_read(checkpoints.get(each))]
    gone = [each for each in sorted({*rows, *checkpoints}) if each not in partition_ids]
    counted = {"held by nobody": unowned, "never read": never_read, "that the hub does not have": gone}
    clauses = [f"{len(found)} {what} ({', '.join(found)})" for what, found in counted.items() if found]
    detail = ", ".join([f"{len(partition_ids)} in the hub", *clauses])
    if unowned and any(row.is_live for row in supervisors):
        return Answer(detail, "warn", _NOT_HELD)
    return Answer(detail)


def _was_read(checkpoint: Checkpoint | None) -> bool:
    return checkpoint is not None and (checkpoint.sequence_number is not None or checkpoint.channel_generation > 0)
