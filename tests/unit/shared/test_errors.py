"""An error is one sentence after another, whatever the texts are that it is made of."""

import pytest

from shared.errors import EvsupError, StoreUnavailable


@pytest.mark.parametrize(
    ("why", "said"),
    [
        ("it is away", "No connection: it is away. Start it."),
        ("it is away.", "No connection: it is away. Start it."),
        ("is it accepting connections?", "No connection: is it accepting connections? Start it."),
        ("it stopped!", "No connection: it stopped! Start it."),
        ("", "No connection. Start it."),
    ],
)
def test_a_reason_ends_with_one_mark_before_what_to_do(why: str, said: str) -> None:
    assert str(StoreUnavailable("No connection", why, "Start it.")) == said


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("Partition 3: the token is behind", "the token is behind: why"),
        ("Partition 3 cannot be read", "cannot be read: why"),
        ("Partition 31: the token is behind", "Partition 31: the token is behind: why"),
        ("The hub does not answer", "The hub does not answer: why"),
    ],
)
def test_a_line_that_begins_with_a_partition_names_it_once(what: str, said: str) -> None:
    assert EvsupError(what, "why").beside("partition 3") == said
