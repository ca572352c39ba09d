"""docs/events.md has every event that the code logs, with its levels and fields, and no other."""

import json
from pathlib import Path

import pytest

from scripts.docs.events import differences, logged, main
from scripts.docs.generated import ROOT
from shared.log.secret import mask

LOGGED = """
from shared.log.logger import get_logger

log = get_logger()


def f(number, level):
    log.warning("disk_full", size_bytes=number, place="here")
    log.info("disk_full", size_bytes=number)
    get_logger().log(level, "told", exc_info=number)
    logger.get_logger().error("ended")
    other.warning("nothing_of_ours")
"""
RIGHT = """
| Event | Level | Fields | Means | Do |
|---|---|---|---|---|
| `disk_full` | info, warning | `place`, `size_bytes` | | |
| `told` | any | `exception` | | |
| `ended` | error |  | | |
"""


def checkout(root: Path, page: str) -> Path:
    for folder in ("docs", "shared", "supervisor", "worker"):
        (root / folder).mkdir()
    (root / "worker" / "disk.py").write_text(LOGGED)
    (root / "docs" / "events.md").write_text(page)
    return root


def test_the_page_of_the_project_is_complete() -> None:
    assert main([]) == 0


@pytest.mark.parametrize("value", [7, None, True, "a b", [1]])
def test_no_field_of_an_event_is_taken_for_a_credential_where_a_supervisor_passes_a_line_on(value: object) -> None:
    fields = {name for event in logged(ROOT).values() for name in event.fields}
    line = json.dumps(dict.fromkeys(sorted(fields), value))
    assert mask(line) == line


def test_a_page_that_says_what_is_logged_is_right(tmp_path: Path) -> None:
    assert not list(differences(checkout(tmp_path, RIGHT)))


@pytest.mark.parametrize(
    ("page", "said"),
    [
        (RIGHT.replace("| `told` | any | `exception` | | |", ""), "| `told` | any | `exception` |"),
        (RIGHT.replace("info, warning", "warning"), "| `disk_full` | info, warning | `place`, `size_bytes` |"),
        (RIGHT.replace("`place`, ", ""), "| `disk_full` | info, warning | `place`, `size_bytes` |"),
        (RIGHT + "| `gone` | info |  | | |", "`gone` is logged nowhere"),
    ],
    ids=["an event that it lacks", "a level", "a field", "an event that is gone"],
)
def test_what_differs_is_named_with_the_row_to_write(page: str, said: str, tmp_path: Path) -> None:
    (line,) = differences(checkout(tmp_path, page))
    assert said in line
