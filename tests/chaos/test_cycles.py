"""A tree that was drained leaves nothing behind; `python -m scripts.chaos.cycles` does it fifty times."""

from scripts.chaos import cycles


def test_a_tree_that_was_drained_leaves_nothing_behind() -> None:
    said: list[str] = []
    cycles.repeat(3, said.append, partitions=1)
    assert len(said) == 3
