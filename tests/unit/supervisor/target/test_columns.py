"""A table fits evsup's rows, or each misfit comes with the statement that removes it."""

from dataclasses import astuple, replace
from typing import Any

import pytest

from shared.snowflake.tables import envelope_columns
from supervisor.target.columns import Misfit, StoredColumn, misfits

DESCRIBED = {
    "VARCHAR": "VARCHAR(16777216)",
    "BINARY": "BINARY(8388608)",
    "TIMESTAMP_TZ": "TIMESTAMP_TZ(9)",
}
TABLE = '"D"."S"."T"'


def described(**changes: dict[str, Any] | None) -> list[StoredColumn]:
    """Our own table as DESCRIBE shows it, with columns changed, added, or (None) left out."""
    own = {
        name: StoredColumn(name, DESCRIBED.get(kind, kind), not is_required)
        for name, kind, is_required, _ in map(astuple, envelope_columns())
    }
    for name, change in changes.items():
        if change is None:
            del own[name]
        else:
            added = StoredColumn(name, "FLOAT")
            own[name] = replace(own.get(name, added), **change)
    return list(own.values())


def found(*, filled: set[str] | None = None, **changes: dict[str, Any] | None) -> list[Misfit]:
    return list(misfits(described(**changes), envelope_columns(), TABLE, filled))


def renewed(name: str, kind: str) -> str:
    """A column of another type is put aside: Snowflake alters none into ours."""
    rename = f'ALTER TABLE {TABLE} RENAME COLUMN "{name}" TO "{name}_OLD";'
    return f'{rename} ALTER TABLE {TABLE} ADD COLUMN "{name}" {kind};'


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"SEQUENCE_NUMBER": {"type": "NUMBER(19,0)", "is_nullable": True}},
        {"MESSAGE_ID": {"type": "VARCHAR(134217728)"}, "RAW_BODY": {"type": "BINARY(67108864)"}},
        {"ENQUEUED_TIME": {"type": "TIMESTAMP_TZ(3)"}},
        {"THEIRS": {}},
        {"THEIRS": {"is_nullable": False, "is_computed": True}},
        {"PARTITION_ID": {"default": "'0'"}},
        {"PARTITION_ID": {"type": "VARCHAR(16777216) COLLATE 'en-ci'"}, "OFFSET": {"type": "VARCHAR COLLATE ''"}},
        {"CONTENT_TYPE": {"policy": "D.S.MASK"}, "THEIRS": {"policy": "D.S.MASK"}},
    ],
)
def test_a_table_that_takes_every_row_has_no_misfit(changes: dict[str, Any]) -> None:
    assert not found(**changes)


@pytest.mark.parametrize(
    ("changes", "problem", "statement"),
    [
        ({"PAYLOAD": None}, "there is no column PAYLOAD", f'ALTER TABLE {TABLE} ADD COLUMN "PAYLOAD" VARIANT;'),
        (
            {"PAYLOAD": None, "RAW_BODY": None},
            "there is no column PAYLOAD, RAW_BODY",
            f'ALTER TABLE {TABLE} ADD COLUMN "PAYLOAD" VARIANT, "RAW_BODY" BINARY;',
        ),
        (
            {"PAYLOAD": None, "payload": {"type": "VARIANT"}},
            'there is no column PAYLOAD, only "payload"',
            f'ALTER TABLE {TABLE} RENAME COLUMN "payload" TO "PAYLOAD";',
        ),
        (
            {"PAYLOAD": {"is_computed": True}},
            "PAYLOAD is computed by Snowflake, and nothing can be loaded into it",
            renewed("PAYLOAD", "VARIANT"),
        ),
        (
            {"PAYLOAD": {"type": "VARCHAR(16777216)"}},
            "PAYLOAD is VARCHAR(16777216), not VARIANT",
            renewed("PAYLOAD", "VARIANT"),
        ),
        (
            {"SEQUENCE_NUMBER": {"type": "NUMBER(10,0)"}},
            "SEQUENCE_NUMBER is NUMBER(10,0), not NUMBER(38,0)",
            renewed("SEQUENCE_NUMBER", "NUMBER(38,0)"),
        ),
        (
            {"MESSAGE_ID": {"is_nullable": False}},
            "MESSAGE_ID is NOT NULL, and evsup does not fill it in every row",
            f'ALTER TABLE {TABLE} ALTER COLUMN "MESSAGE_ID" DROP NOT NULL;',
        ),
        (
            {"THEIRS": {"is_nullable": False}},
            "THEIRS is NOT NULL, and evsup does not fill it in every row",
            f'ALTER TABLE {TABLE} ALTER COLUMN "THEIRS" DROP NOT NULL;',
        ),
    ],
)
def test_every_misfit_comes_with_the_statement_that_removes_it(
    changes: dict[str, Any], problem: str, statement: str
) -> None:
    assert found(**changes) == [Misfit(problem, statement)]


OURS = {column.name for column in envelope_columns()}


@pytest.mark.parametrize(("name", "kind"), [("MESSAGE_ID", "VARCHAR(40)"), ("RAW_BODY", "BINARY(40)")])
@pytest.mark.parametrize("filled", [None, OURS])
def test_a_short_text_or_binary_rejects_some_rows_only(name: str, kind: str, filled: set[str] | None) -> None:
    fix = f'ALTER TABLE {TABLE} ALTER COLUMN "{name}" SET DATA TYPE {kind.partition("(")[0]};'
    expected = Misfit(f"{name} is {kind}: longer values are rejected", fix, is_doubtful=True)
    assert found(filled=filled, **{name: {"type": kind}}) == [expected]


def test_text_is_made_longer_with_its_collation_because_snowflake_alters_none() -> None:
    (misfit,) = found(MESSAGE_ID={"type": "VARCHAR(40) COLLATE 'en-ci'"})
    assert misfit.fix.endswith("SET DATA TYPE VARCHAR COLLATE 'en-ci';")
    assert misfit.is_doubtful


@pytest.mark.parametrize("name", ["PAYLOAD", "RAW_BODY", "PARTITION_ID", "SEQUENCE_NUMBER", "ENQUEUED_TIME"])
def test_a_policy_over_what_evsup_reads_is_a_doubt(name: str) -> None:
    policy: dict[str, dict[str, Any] | None] = {name: {"policy": "D.S.MASK"}}
    (misfit,) = misfits(described(**policy), envelope_columns(), TABLE)
    assert misfit.problem == f"{name} has the masking policy D.S.MASK, and `evsup verify` and the quarantine read it"
    assert misfit.is_doubtful


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("ENQUEUED_TIME", "DATE"),
        ("ENQUEUED_TIME", "TIMESTAMP_NTZ(9)"),
        ("ENQUEUED_TIME", "TIMESTAMP_TZ(0)"),
        ("SEQUENCE_NUMBER", "FLOAT"),
        ("SEQUENCE_NUMBER", "NUMBER(38,20)"),
        ("PAYLOAD", "VARCHAR(10)"),
        ("PROPERTIES", "OBJECT"),
    ],
)
@pytest.mark.parametrize("filled", [None, OURS])
def test_a_column_of_a_type_that_changes_values_is_refused_whatever_the_pipe(
    name: str, kind: str, filled: set[str] | None
) -> None:
    (misfit,) = found(filled=filled, **{name: {"type": kind}})
    assert misfit.problem.startswith(f"{name} is {kind}, not ")
    assert not misfit.is_doubtful


@pytest.mark.parametrize(
    ("change", "then"),
    [
        ({"default": "'x'", "is_nullable": False}, "every row is rejected"),
        ({"default": "'x'"}, "it stays NULL"),
        ({"default": "CURRENT_TIMESTAMP()"}, "compiled the pipe"),
        ({"default": "IDENTITY START 1 INCREMENT 1 NOORDER", "is_nullable": False}, "every row is rejected"),
    ],
)
def test_what_the_vendors_pages_disagree_on_is_a_doubt_that_says_both_and_how_to_try_it(
    change: dict[str, Any], then: str
) -> None:
    (misfit,) = found(THEIRS=change)
    assert misfit.is_doubtful
    assert "some accounts use it, others write NULL instead" in misfit.problem
    assert then in misfit.problem
    assert misfit.fix == "docs/target-table.md#columns-with-a-default says how to try it."


def test_a_default_of_a_column_that_some_rows_leave_empty_is_a_doubt() -> None:
    (misfit,) = found(PAYLOAD={"default": "'{}'"})
    assert misfit == Misfit(
        "PAYLOAD has a DEFAULT, which an event without a value may get",
        f'ALTER TABLE {TABLE} ALTER COLUMN "PAYLOAD" DROP DEFAULT;',
        is_doubtful=True,
    )


def test_a_pipe_that_selects_values_leaves_defaults_to_the_table() -> None:
    fits: dict[str, Any] = {"PAYLOAD": {"default": "'{}'"}, "THEIRS": {"default": "1", "is_nullable": False}}
    assert not found(filled=OURS, **fits)
    assert not found(filled=OURS | {"THEIRS"}, THEIRS={"is_nullable": False})
    (misfit,) = found(filled=OURS, THEIRS={"is_nullable": False})
    assert misfit.problem == "THEIRS is NOT NULL, and evsup does not fill it in every row"
