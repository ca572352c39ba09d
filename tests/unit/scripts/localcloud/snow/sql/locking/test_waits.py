"""Who waits for whom, and for how long."""

import pytest

from scripts.localcloud.snow.sql.locking.locks import Blocked
from scripts.localcloud.snow.sql.locking.waits import Waits, left_s
from scripts.localcloud.snow.sql.statements.parameter import Parameters
from scripts.localcloud.snow.sql.statements.refusal import SqlRefusal

TABLE = ("DB", "S", "T")


def test_a_circle_of_waiters_is_refused() -> None:
    waits = Waits()
    waits.begin(1, 2)
    waits.begin(2, 3)
    with pytest.raises(SqlRefusal, match="000634"):
        waits.begin(3, 1)
    waits.end(2)
    waits.begin(3, 1)


def test_a_wait_is_as_long_as_the_shorter_of_its_limits() -> None:
    parameters = Parameters()
    parameters.set("HYBRID_TABLE_LOCK_TIMEOUT", 10)
    row, table = Blocked(TABLE, 2, hybrid=True), Blocked(TABLE, 2, hybrid=False)
    assert left_s(parameters, row, 4.0) == 6.0
    assert left_s(parameters, table, 4.0) == 43_196.0
    with pytest.raises(SqlRefusal, match="000625"):
        left_s(parameters, row, 10.0)
    parameters.set("STATEMENT_TIMEOUT_IN_SECONDS", 5)
    with pytest.raises(SqlRefusal, match="000630"):
        left_s(parameters, row, 5.0)
    parameters.set("STATEMENT_TIMEOUT_IN_SECONDS", 0)
    assert left_s(parameters, row, 5.0) == 5.0
