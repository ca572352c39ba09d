"""How a log line looks to people and to machines."""

import json

import pytest

from shared.log.line import as_coloured_text, as_json, as_text, takes_colour

EVENT = {
    "timestamp": "2026-11-28T10:24:21.123456Z",
    "level": "warning",
    "event": "partition_claimed",
    "partition": "3",
    "epoch": 7,
    "hub": "flights\nforged",
    "exception": "Traceback\nValueError: no",
}
TEXT = r"2026-11-28T10:24:21.123456Z [warning  ] partition_claimed        partition='3' epoch=7 hub='flights\nforged'"


def test_json_is_one_line_with_the_keys_in_their_order() -> None:
    line = as_json({**EVENT, "surrogate": "\udcff", "huge": 10**40})
    assert "\n" not in line
    assert list(json.loads(line)) == [*EVENT, "surrogate", "huge"]
    assert line.isascii()


def test_text_is_columns_then_values_then_the_traceback_in_lines_of_its_own() -> None:
    assert as_text(EVENT) == f"{TEXT}\nTraceback\nValueError: no"


def test_text_without_values_ends_with_the_name() -> None:
    head = {key: EVENT[key] for key in ("timestamp", "level", "event")}
    assert as_text(head) == "2026-11-28T10:24:21.123456Z [warning  ] partition_claimed"


@pytest.mark.parametrize(("level", "colour"), [("info", 32), ("warning", 33), ("error", 31)])
def test_colours_on_a_terminal_change_nothing_but_the_colour(level: str, colour: int) -> None:
    event = {**EVENT, "level": level}
    line = as_coloured_text(event)
    assert f"\x1b[{colour}m" in line
    for code in (0, 1, 2, 31, 32, 33, 35, 36):
        line = line.replace(f"\x1b[{code}m", "")
    assert line == as_text(event)


@pytest.mark.parametrize(
    ("environ", "takes"),
    [({}, True), ({"TERM": "xterm", "NO_COLOR": ""}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)],
)
def test_who_asks_for_no_colours_gets_none(environ: dict[str, str], takes: bool) -> None:
    assert takes_colour(environ) == takes
