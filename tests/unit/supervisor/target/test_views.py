"""What the views say of tables that differ; that they run is tried by `tests/integration/test_views.py`."""

import re

import pytest

from supervisor.target.columns import StoredColumn
from supervisor.target.views import LatestBy, view_statements
from tests.unit.plain_settings import snowflake

BODY, UNKNOWN = '"_EVSUP":"body"', '"_EVSUP":"unknown"."records"'


@pytest.mark.parametrize(
    ("columns", "places"),
    [
        ([], [BODY, UNKNOWN]),
        ([("RECORDS", "VARIANT")], [BODY, '"RECORDS"', UNKNOWN]),
        ([("Records", "ARRAY")], [BODY, '"Records"', UNKNOWN]),
        ([("RECORDS", "VARCHAR(16777216)")], [BODY, UNKNOWN]),
    ],
)
def test_records_are_read_from_the_column_in_any_case_and_from_the_rows_before_it(
    columns: list[tuple[str, str]], places: list[str]
) -> None:
    stored = [StoredColumn("_EVSUP", "VARIANT"), *(StoredColumn(*each) for each in columns)]
    statements = view_statements(snowflake(row_format="columns"), stored, LatestBy(), replace=False)
    [records] = (statement for name, statement in statements.items() if name.endswith('_RECORDS"'))
    assert re.findall(r"WHEN IS_ARRAY\((.*)\) THEN \1\n", records) == places
