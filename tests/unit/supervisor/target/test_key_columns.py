"""A table with a column for each key: what it has to have, what it may have, and where keys can go."""

from collections.abc import Callable
from typing import Any

import pytest

from shared.errors import NotPermitted, RowsDoNotFit, SnowflakeUnavailable
from shared.snowflake.session import Row
from supervisor.target.target_check import TargetCheck, check_target
from tests.unit.plain_settings import snowflake

BY_NAME = "COPY INTO FLIGHTS FROM TABLE(DATA_SOURCE(TYPE => 'STREAMING')) MATCH_BY_COLUMN_NAME = {}"
EVSUP = {"name": "_EVSUP", "type": "VARIANT", "null?": "N"}
ON, OFF = {"name": "FLIGHTS", "enable_schema_evolution": "Y"}, {"name": "FLIGHTS", "enable_schema_evolution": "N"}


class Answering:
    """A session that describes one table and one pipe, and knows grants on the table."""

    def __init__(self, *columns: dict[str, Any], pipe: str, table: dict[str, Any], grants: Callable[[], list[Row]]):
        self._columns, self._pipe, self._table, self._grants = columns, pipe, table, grants

    def query(self, statement: str, /) -> list[Row]:
        match statement.split()[:2]:
            case ["DESCRIBE", "TABLE"]:
                return [{"type": "VARCHAR(16777216)", "null?": "Y", "default": None} | each for each in self._columns]
            case ["DESCRIBE", "PIPE"]:
                return [{"definition": self._pipe}]
            case ["SHOW", "TABLES"]:
                return [self._table]
            case _:
                return self._grants()


def checked(
    *columns: dict[str, Any],
    pipe: str = "",
    table: dict[str, Any] = ON,
    grants: Callable[[], list[Row]] = list,
    **settings: Any,
) -> TargetCheck:
    """The check of a table with `_EVSUP` and these columns."""
    wanted = snowflake(row_format="columns", role="LOADER", pipe="MINE" if pipe else None, **settings)
    return check_target(Answering(*columns, pipe=pipe, table=table, grants=grants), wanted)


def refused(check: TargetCheck) -> RowsDoNotFit:
    with pytest.raises(RowsDoNotFit) as error:
        check.refuse()
    return error.value


def test_rows_fill_every_column_but_those_that_are_computed() -> None:
    check = checked(EVSUP, {"name": "A"}, {"name": "b c"}, {"name": "SUM", "expression": "A || A"})
    check.refuse()
    assert list(check.doubts) == []
    assert check.filled.names == ("_EVSUP", "A", "b c")
    assert check.filled.order == (("_EVSUP", "VARIANT"), *((name, "VARCHAR") for name in ("A", "b c", "SUM")))


def test_the_column_of_evsup_has_to_be_there_as_a_variant() -> None:
    error = refused(checked({"name": "A"}))
    assert error.why == "there is no column _EVSUP"
    assert error.fix == 'ALTER TABLE "EVENTS"."PUBLIC"."FLIGHTS" ADD COLUMN "_EVSUP" VARIANT;'
    assert "_EVSUP is VARCHAR(16777216), not VARIANT" in refused(checked({"name": "_EVSUP"})).why
    assert 'only "_evsup"' in refused(checked(EVSUP | {"name": "_evsup"})).why


def test_columns_that_differ_in_case_alone_are_refused_unless_the_pipe_tells_them_apart() -> None:
    twins = (EVSUP, {"name": "DELAY"}, {"name": "delay"})
    error = refused(checked(*twins))
    assert error.why == 'the pipe cannot tell the columns "delay" and "DELAY" apart'
    assert 'RENAME COLUMN "delay" TO "DELAY_2";' in error.fix
    check = checked(*twins, pipe=BY_NAME.format("CASE_SENSITIVE"))
    check.refuse()
    assert check.filled.names == ("_EVSUP", "DELAY", "delay")
    assert check.filled.are_case_sensitive


def test_columns_that_differ_in_case_alone_are_renamed_to_names_that_are_free() -> None:
    error = refused(checked(EVSUP, *({"name": name} for name in ("Ab", "aB", "ab", "ab_2"))))
    assert [part.split(";")[0] for part in error.fix.split(" TO ")[1:]] == ['"AB_3"', '"AB_4"']
    assert '"Ab"' not in error.fix


def test_a_pipe_that_selects_values_cannot_take_keys() -> None:
    selecting = "COPY INTO FLIGHTS (_EVSUP) FROM (SELECT $1:_EVSUP FROM TABLE(DATA_SOURCE(TYPE => 'STREAMING')))"
    assert "keys are matched with columns by name" in refused(checked(EVSUP, pipe=selecting)).why


@pytest.mark.parametrize(
    ("column", "doubt"),
    [
        ({"name": "A", "null?": "N"}, "A is NOT NULL: Snowflake rejects an event without it"),
        ({"name": "A", "default": "'x'"}, "A has a DEFAULT: for an event without it some accounts use that"),
    ],
)
def test_a_column_that_rejects_or_replaces_an_absent_key_is_a_doubt(column: dict[str, Any], doubt: str) -> None:
    check = checked(EVSUP, column)
    check.refuse()
    [said] = check.doubts
    assert said.startswith(doubt)


def test_evolve_needs_a_table_that_evolves() -> None:
    checked(EVSUP, table=OFF).refuse()
    error = refused(checked(EVSUP, table=OFF, on_unknown_key="evolve"))
    assert error.fix == 'ALTER TABLE "EVENTS"."PUBLIC"."FLIGHTS" SET ENABLE_SCHEMA_EVOLUTION = TRUE;'


def grant(privilege: str, role: str = "LOADER") -> Row:
    return {"privilege": privilege, "grantee_name": role}


def refuse() -> list[Row]:
    raise NotPermitted("Grants cannot be seen")


@pytest.mark.parametrize(
    ("grants", "is_doubtful"),
    [
        (lambda: [grant("INSERT"), grant("EVOLVE SCHEMA")], False),
        (lambda: [grant("OWNERSHIP")], False),
        (lambda: [grant("INSERT"), grant("EVOLVE SCHEMA", "OTHER")], True),
        (refuse, False),
    ],
)
def test_evolve_needs_a_grant_which_the_role_may_inherit(grants: Callable[[], list[Row]], is_doubtful: bool) -> None:
    check = checked(EVSUP, grants=grants, on_unknown_key="evolve")
    check.refuse()
    said = 'GRANT EVOLVE SCHEMA ON TABLE "EVENTS"."PUBLIC"."FLIGHTS" TO ROLE "LOADER";'
    assert [said in doubt for doubt in check.doubts] == [True] * is_doubtful


def test_a_service_that_does_not_answer_is_no_table_without_a_grant() -> None:
    def silent() -> list[Row]:
        raise SnowflakeUnavailable("No answer")

    with pytest.raises(SnowflakeUnavailable):
        checked(EVSUP, grants=silent, on_unknown_key="evolve")
