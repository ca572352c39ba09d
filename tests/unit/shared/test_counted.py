"""How many things there are, and which."""

from shared.counted import counted, ranges


def test_one_thing_is_one() -> None:
    assert [counted(1, "row"), counted(2, "row")] == ["1 row", "2 rows"]


def test_many_partitions_are_named_as_ranges() -> None:
    assert ranges([str(each) for each in range(1024)]) == "0-1023"
    assert ranges(["10", "2", "3", "4", "7", "8"]) == "2-4, 7, 8, 10"
    assert ranges(["1", "x", "2"]) == "1, x, 2"
