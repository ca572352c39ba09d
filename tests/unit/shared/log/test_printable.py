"""Texts of others are shown on a terminal, which acts on none of them."""

import os
from io import StringIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from shared.log import logger
from shared.log.printable import printable
from shared.log.stderr import Stderr
from supervisor.ownership.balance import HeldElsewhere
from supervisor.status.group import GroupStatus, GroupSupervisor
from supervisor.status.screens.status import group_screen, tree_screen
from tests.unit.supervisor.status.statuses import a_partition, a_tree

# A title of the window, a line erased, the writing turned around, half a character; and rich's own marks, one of them
# never opened.
HOSTILE = "\x1b]0;owned\x07 \x9b2K \u202e \udcff [red]x[/] [/nothing]"
SHOWN = r"\x1b]0;owned\x07 \x9b2K \u202e \udcff [red]x[/] [/nothing]"


def test_control_characters_are_shown() -> None:
    assert printable(HOSTILE) == SHOWN
    assert printable("a\tb\nc é 😀") == "a\tb\nc é 😀"


@given(st.text())
def test_nothing_that_moves_a_cursor_is_left(text: str) -> None:
    left = [char for char in printable(text) if not char.isprintable() and ord(char) < 256]
    assert set(left) <= {"\t", "\n", "\xa0", "\xad"}


@pytest.mark.parametrize("say", [logger.relay, logger.final_line])
def test_no_line_on_stderr_carries_them(monkeypatch: pytest.MonkeyPatch, say: object) -> None:
    reader, writer = os.pipe()
    monkeypatch.setattr(logger, "_stderr", Stderr(writer))
    assert callable(say)
    say(HOSTILE)
    assert logger.flush(30)
    assert os.read(reader, 4096).decode() == SHOWN + "\n"
    os.close(reader)
    os.close(writer)


def drawn(screen: object) -> str:
    console = Console(file=StringIO(), width=1000, force_terminal=False)
    console.print(screen)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_no_screen_of_a_tree_carries_them() -> None:
    elsewhere = (HeldElsewhere("1", HOSTILE, 1.0),)
    screen = drawn(tree_screen(a_tree(a_partition(HOSTILE), cause=HOSTILE, hub_trouble=HOSTILE, elsewhere=elsewhere)))
    assert screen.count(SHOWN) == 5
    assert "\x1b" not in screen


def test_no_screen_of_a_group_carries_them() -> None:
    facts: dict[str, Any] = {"pid": 1, "capacity": None, "partitions": 0, "age_s": 0.0, "is_live": True}
    supervisor = GroupSupervisor(owner_id=HOSTILE, host=HOSTILE, evsup=HOSTILE, **facts)
    group = GroupStatus(
        healthy=True, source="ns/hub", consumer_group="g", store="sqlite", supervisors=(supervisor,), partitions=()
    )
    assert drawn(group_screen(group)).count(SHOWN) == 3
