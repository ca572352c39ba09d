"""A sample of recent events is compared with the columns that its keys go to."""

from shared.ipc.messages import KeyShape, Sampled
from supervisor.check.column_types import types_outcome
from supervisor.target.columns import StoredColumn
from supervisor.target.key_columns import table_columns
from supervisor.target.pipe.definition import PipeCheck
from supervisor.target.target_check import TargetCheck

COLUMNS = [StoredColumn("_EVSUP", "VARIANT"), StoredColumn("ACTIVE", "BOOLEAN"), StoredColumn("Mixed", "DATE")]


def target(*columns: StoredColumn, is_case_sensitive: bool = False) -> TargetCheck:
    stored, pipe = columns or COLUMNS, PipeCheck(is_case_sensitive=is_case_sensitive)
    return TargetCheck('"T"', "P", stored, (), pipe, table_columns(stored, pipe, None))


def sampled(*shapes: KeyShape) -> Sampled:
    return Sampled(events=5, objects=len(shapes), keys=shapes)


def test_each_value_that_does_not_fit_is_a_warning_with_its_fix() -> None:
    outcome = types_outcome(
        sampled(
            KeyShape(key="active", kinds={"0 or 1": 3}),
            KeyShape(key="mixed", kinds={"timestamp": 3}),
            KeyShape(key="other", kinds={"text": 3}),
        ),
        target(),
    )
    assert outcome.verdict == "warn"
    assert "ACTIVE is BOOLEAN, and the key 'active' has a value that is the number 0 or 1" in outcome.detail
    assert "Mixed is DATE, and the key 'mixed' has a value that is a timestamp" in outcome.detail
    assert outcome.fix.count("RENAME COLUMN") == 2


def test_values_that_fit_are_ok_and_without_an_object_nothing_is_said() -> None:
    assert types_outcome(sampled(KeyShape(key="active", kinds={"boolean": 1})), target()).verdict == "ok"
    assert types_outcome(sampled(), target()).verdict == "skipped"


def test_a_column_is_compared_with_the_keys_that_it_takes_alone() -> None:
    text = [KeyShape(key=key, kinds={"text": 3}) for key in ("active", "ACTIVE", "_EVSUP")]
    regarded = types_outcome(sampled(*text), target(is_case_sensitive=True)).detail
    assert (regarded.count("'ACTIVE'"), regarded.count("'active'")) == (1, 0)
    computed = target(StoredColumn("_EVSUP", "VARIANT"), StoredColumn("ACTIVE", "BOOLEAN", is_computed=True))
    assert types_outcome(sampled(*text), computed).verdict == "ok"
