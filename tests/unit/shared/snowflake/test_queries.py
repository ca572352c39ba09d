import pytest

from shared.snowflake.queries import counting


@pytest.mark.parametrize("name", ["count_range", "missing", "coverage", "without_row"])
def test_rows_of_a_range_are_looked_for_between_its_ends(name: str) -> None:
    statement, names = counting(name)
    assert "SEQUENCE_NUMBER BETWEEN ? AND ?" in statement, "a partition may have billions"
    assert {"first", "last"} <= set(names)


def test_a_query_of_rows_stands_where_another_one_names_them() -> None:
    statement, _ = counting("count", "of_hub", "in_table")
    assert "{rows}" not in statement
