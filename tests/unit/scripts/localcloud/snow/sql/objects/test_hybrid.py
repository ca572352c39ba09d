"""How Hybrid Tables and standard tables are declared."""

import pytest
import sqlglot
from sqlglot import exp

from scripts.localcloud.snow.sql.objects import hybrid


def create(sql: str) -> exp.Create:
    tree = sqlglot.parse_one(sql, read="snowflake")
    assert isinstance(tree, exp.Create)
    return tree


@pytest.mark.parametrize("declared", ["A INT PRIMARY KEY, B INT UNIQUE", "A INT, B INT, CONSTRAINT k PRIMARY KEY (A)"])
def test_the_keys_of_a_standard_table_are_not_enforced(declared: str) -> None:
    plain = hybrid.unenforced(create(f"CREATE TABLE t ({declared})")).sql("snowflake")
    assert plain == "CREATE TABLE t (A INT, B INT)"


@pytest.mark.parametrize(
    "declared", ["A INT PRIMARY KEY", "A INT, B INT, PRIMARY KEY (A, B)", "a DATE, PRIMARY KEY (A)"]
)
def test_a_hybrid_table_with_a_key_is_accepted(declared: str) -> None:
    hybrid.check(create(f"CREATE TABLE t ({declared})"))
