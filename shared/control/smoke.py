# ruff: noqa: D102 (each method is described where it is declared)
"""A diagnostic store: ownership in the memory of one consumer, checkpoints in standard tables of Snowflake.

It shows that events flow in an account that has no Hybrid Tables. It is no way to run evsup: only the start of a second
consumer fences the first, whose next checkpoint is then refused. Standard tables do not enforce keys, so a partition
for which two consumers made a row at once is refused as well.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from shared.config.settings import ControlSettings, SnowflakeSettings
from shared.control import schema
from shared.control.database import Mode, Row, Run
from shared.control.snowflake import SnowflakeDatabase
from shared.control.sqlite import MemoryDatabase
from shared.errors import DataRefused

_CLAIMS = frozenset(("claim", "compare_and_set"))
_IN_MEMORY = _CLAIMS | {
    "all_ownerships",
    "all_supervisors",
    "create_ownership",
    "create_supervisor",
    "drop_ownership",
    "heartbeat",
    "ownerships",
    "release",
    "renew",
    "retire",
    "supervisors",
}
# Of tables that the memory creates in their newest form.
_NOT_THERE = frozenset(("add_lease_expiration", "add_heartbeat_expiration"))


class SmokeDatabase(SnowflakeDatabase):
    """Two databases that answer as one. The one in memory belongs to this object; a worker needs nothing of it."""

    dialect = "smoke"
    kind = "standard"
    reason = "CONTROL_OWNERSHIP_MODE=local_single_consumer_smoke would fence their owners"
    instead = "Set CONTROL_OWNERSHIP_MODE=durable to use these tables, or CONTROL_SNOWFLAKE_SCHEMA to another schema."

    def __init__(self, snowflake: SnowflakeSettings, control: ControlSettings) -> None:
        super().__init__(snowflake, control)
        self._memory = MemoryDatabase()
        schema.create(self._memory)

    @contextmanager
    def transaction(self, mode: Mode = "write") -> Iterator[Run]:
        with super().transaction(mode) as there, self._memory.transaction(mode) as here:
            yield _Both(here, there)

    def close(self) -> None:
        self._memory.close()
        super().close()


class _Both:
    def __init__(self, here: Run, there: Run) -> None:
        self._here, self._there = here, there

    def __call__(self, name: str, /, **values: object) -> list[Row]:
        if name in _CLAIMS:
            self._learn_epoch(values)
        if name in _NOT_THERE:
            return []
        rows = self._here(name, **values) if name in _IN_MEMORY else self._there(name, **values)
        if name == "checkpoints":
            _require_one_row_each(rows)
        return rows

    def _learn_epoch(self, values: dict[str, object]) -> None:
        """Claims stay above the checkpoint's epoch, which has outlived the memory of the consumer that wrote it."""
        for row in self._there("checkpoints", **values):
            self._here("fence", **values, epoch=row["epoch"])


def _require_one_row_each(rows: list[Row]) -> None:
    for partition_id, count in Counter(row["partition_id"] for row in rows).items():
        if count > 1:
            raise DataRefused(
                f"The checkpoint of partition {partition_id} cannot be read",
                f"evsup_checkpoint has {count} rows of it: two consumers began at once",
                "Delete all but the newest, and run one consumer only.",
            )
