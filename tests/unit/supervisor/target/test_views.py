"""What the views say of tables that differ; that they run is tried by `tests/integration/target/test_views.py`."""

import re

import pytest

from shared.errors import ConfigurationError
from supervisor.target.columns import StoredColumn
from supervisor.target.key_columns import table_columns
from supervisor.target.pipe.definition import PipeCheck
from supervisor.target.views import LatestBy, view_statements
from tests.unit.plain_settings import snowflake

BODY, UNKNOWN = '"_EVSUP":"body"', '"_EVSUP":"unknown"."records"'


@pytest.mark.parametrize("length", [240, 255])
def test_a_view_whose_name_would_be_too_long_is_named(length: int) -> None:
    settings = snowflake(table="T" * length)
    if length == 240:
        assert len(view_statements(settings, [], LatestBy(), replace=False)) == 2
        return
    with pytest.raises(ConfigurationError) as error:
        view_statements(settings, [], LatestBy(), replace=False)
    assert str(error.value).startswith(
        "SNOWFLAKE_TABLE is too long for the name of _RECORDS beside it: that would have 263"
    )
    assert "at most 247 characters" in error.value.fix


@pytest.mark.parametrize(
    ("columns", "is_case_sensitive", "places"),
    [
        ([], False, [BODY, UNKNOWN]),
        ([("RECORDS", "VARIANT")], False, [BODY, '"RECORDS"', UNKNOWN]),
        ([("Records", "ARRAY")], False, [BODY, '"Records"', UNKNOWN]),
        ([("RECORDS", "VARCHAR(16777216)")], False, [BODY, UNKNOWN]),
        ([("RECORDS", "VARIANT")], True, [BODY, UNKNOWN]),
        ([("RECORDS", "VARIANT"), ("records", "VARIANT")], True, [BODY, '"records"', UNKNOWN]),
    ],
)
def test_records_are_read_from_the_column_that_takes_the_key_and_from_the_rows_before_it(
    columns: list[tuple[str, str]], is_case_sensitive: bool, places: list[str]
) -> None:
    stored = [StoredColumn("_EVSUP", "VARIANT"), *(StoredColumn(*each) for each in columns)]
    filled = table_columns(stored, PipeCheck(is_case_sensitive=is_case_sensitive), None)
    statements = view_statements(snowflake(row_format="columns"), stored, LatestBy(), filled, replace=False)
    [records] = (statement for name, statement in statements.items() if name.endswith('_RECORDS"'))
    assert re.findall(r"WHEN IS_ARRAY\((.*)\) THEN \1\n", records) == places
