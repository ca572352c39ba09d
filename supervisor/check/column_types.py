"""Whether the columns of the target table take the values of recent events as they are."""

from collections.abc import Sequence
from string import ascii_lowercase, ascii_uppercase

from shared.errors import OwnershipLost
from shared.ipc.messages import Sampled
from supervisor.check.runner import Outcome
from supervisor.target.columns import StoredColumn
from supervisor.target.key_types import type_misfits
from supervisor.target.sample import sample

PARTITIONS, EVENTS = 4, 25  # a look, not a proof: each partition takes a second
LIMIT_S = 60.0

_UPPER = str.maketrans(ascii_lowercase, ascii_uppercase)


def column_types(partition_ids: Sequence[str], columns: Sequence[StoredColumn], table: str) -> Outcome:
    """What a sample of recent events says of the columns. Beside a running supervisor there is no sample."""
    try:
        return types_outcome(sample(partition_ids[:PARTITIONS], EVENTS), columns, table)
    except OwnershipLost:
        return Outcome("no sample, because a supervisor reads the events in this consumer group", "skipped")


def types_outcome(sampled: Sampled, columns: Sequence[StoredColumn], table: str) -> Outcome:
    """A warning for each value that Snowflake would reject or change; `table` is quoted."""
    if not sampled.objects:
        return Outcome("no recent event is a JSON object", "skipped")
    by_name = {column.name.translate(_UPPER): column for column in columns}
    matched = [(by_name.get(shape.key.translate(_UPPER)), shape) for shape in sampled.keys]
    found = [misfit for column, shape in matched if column for misfit in type_misfits(column, shape, table)]
    if found:
        fixes = " ".join(dict.fromkeys(each.fix for each in found))
        return Outcome("; ".join(each.problem for each in found), "warn", fixes)
    return Outcome(f"{sampled.objects} recent events fit the columns")
