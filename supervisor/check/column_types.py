"""Whether the columns of the target table take the values of recent events as they are."""

from collections.abc import Sequence

from shared.errors import OwnershipLost
from shared.ipc.messages import Sampled
from supervisor.check.runner import Outcome
from supervisor.target.key_types import type_misfits
from supervisor.target.sample import sample
from supervisor.target.target_check import TargetCheck
from worker.rows.column_keys import ColumnKeys

PARTITIONS, EVENTS = 4, 25  # a look, not a proof: each partition takes a second


def column_types(partition_ids: Sequence[str], target: TargetCheck) -> Outcome:
    """What a sample of recent events says of the columns. Beside a running supervisor there is no sample."""
    try:
        return types_outcome(sample(partition_ids[:PARTITIONS], EVENTS), target)
    except OwnershipLost:
        return Outcome("no sample, because a supervisor reads the events in this consumer group", "skipped")


def types_outcome(sampled: Sampled, target: TargetCheck) -> Outcome:
    """A warning for each value that Snowflake would reject or change in the column that takes it."""
    if not sampled.objects:
        return Outcome("no recent event is a JSON object", "skipped")
    columns, keys = {column.name: column for column in target.stored}, ColumnKeys(target.filled)
    taken = [(columns[name], shape) for shape in sampled.keys if (name := keys.column_of(shape.key))]
    found = [misfit for column, shape in taken for misfit in type_misfits(column, shape, target.table)]
    if found:
        fixes = " ".join(dict.fromkeys(each.fix for each in found))
        return Outcome("; ".join(each.problem for each in found), "warn", fixes)
    return Outcome(f"{sampled.objects} recent events fit the columns")
