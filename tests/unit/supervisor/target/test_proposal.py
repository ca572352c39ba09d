"""A table is proposed with a column for each key that can have one."""

import pytest

from shared.errors import DataRefused
from shared.ipc.messages import KeyShape, Sampled
from supervisor.target.proposal import MOST_COLUMNS, propose


def sampled(*keys: str, objects: int = 3) -> Sampled:
    return Sampled(events=5, objects=objects, keys=tuple(KeyShape(key=key, kinds={"text": 1}) for key in keys))


def test_each_key_has_a_column_as_a_pipe_matches_its_name() -> None:
    made = propose(sampled("id", "flightNo", "gate open", "straße"))
    assert [(column.name, column.type) for column in made.columns] == [
        ("ID", "VARCHAR"),
        ("FLIGHTNO", "VARCHAR"),
        ("GATE OPEN", "VARCHAR"),
        ("STRAßE", "VARCHAR"),
    ]
    assert next(made.comments()).startswith("-- 3 of 5 recent events are JSON objects.")


@pytest.mark.parametrize("key", ["_evsup", "ID", "", 'a"b', "a\nb", "k" * 256])
def test_a_key_that_can_have_no_column_is_named_in_a_comment_on_one_line(key: str) -> None:
    made = propose(sampled("id", key))
    assert [column.name for column in made.columns] == ["ID"]
    [_, comment] = made.comments()
    assert repr(key) in comment
    assert "\n" not in comment


@pytest.mark.parametrize(("key", "other"), [("É", "é"), ("STRASSE", "straße"), ("id", "_evſup")])
def test_no_table_is_proposed_that_a_start_refuses(key: str, other: str) -> None:
    made = propose(sampled(key, other))
    assert [column.name for column in made.columns] == [key.upper()]
    assert list(made.left_out) == [other]


def test_a_body_that_is_a_map_does_not_make_a_table_of_thousands_of_columns() -> None:
    made = propose(sampled(*(f"k{number}" for number in range(MOST_COLUMNS + 7))))
    assert (len(made.columns), len(made.left_out)) == (MOST_COLUMNS, 7)


def test_without_an_object_nothing_is_proposed() -> None:
    with pytest.raises(DataRefused, match="none of 5 recent events is a JSON object"):
        propose(sampled(objects=0))
