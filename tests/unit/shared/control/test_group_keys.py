"""Which checkpoint row is kept of a partition whose group has rows under two spellings."""

import pytest

from shared.control.database import Row
from shared.control.group_keys import StoredPartition


def row(sequence_number: int | None, begins_after: int | None) -> Row:
    return {
        "sequence_number": sequence_number,
        "begins_after": begins_after,
        "channel_generation": 0,
        "opened_generation": 0,
    }


@pytest.mark.parametrize(
    ("kept", "other"),
    [
        (row(7, None), row(5, None)),
        (row(0, None), row(None, None)),
        (row(None, 100), row(None, None)),
        (row(None, 100), row(None, 50)),
        (row(5, None), row(None, 100)),
        (row(5, 3), row(None, 100)),
    ],
)
def test_the_furthest_row_is_kept(kept: Row, other: Row) -> None:
    for rows in ([kept, other], [other, kept]):
        assert StoredPartition(checkpoints=rows).furthest() == kept
