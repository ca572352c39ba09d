"""How many turns are taken."""

from scripts.bench.lab.budget import Budget


def test_all_turns_are_taken_while_time_lasts() -> None:
    assert list(Budget(5, 1, 60.0).rounds()) == [0, 1, 2, 3, 4]
    assert list(Budget(5, 1, 60.0).rounds(3)) == [0, 1, 2]


def test_one_turn_is_taken_however_late_it_is() -> None:
    assert list(Budget(5, 1, -1.0).rounds()) == [0]
