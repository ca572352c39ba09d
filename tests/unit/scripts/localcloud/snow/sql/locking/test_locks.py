"""Who holds a row."""

from scripts.localcloud.snow.sql.locking.locks import WHOLE, Locks

TABLE = ("DB", "S", "T")


def test_a_row_is_held_by_one_and_the_whole_table_by_all_its_rows() -> None:
    locks = Locks()
    locks.take(TABLE, [("0",), ("1",)], owner=1)
    assert locks.holder(TABLE, [("1",)], owner=2) == 1
    assert locks.holder(TABLE, [WHOLE], owner=2) == 1
    assert locks.holder(TABLE, [("2",)], owner=2) is None
    assert locks.holder(TABLE, [("1",)], owner=1) is None
    locks.take(("DB", "S", "OTHER"), [WHOLE], owner=2)
    assert locks.holder(("DB", "S", "OTHER"), [("7",)], owner=1) == 2
    locks.release(1)
    assert locks.holder(TABLE, [WHOLE], owner=2) is None
