"""Check that docs/events.md has every log event of the code, with its levels and its fields.

It prints what differs. Exit code 1: something does.
"""

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from scripts.command_line import Parser
from scripts.docs.generated import ROOT

FOLDERS = ("shared", "supervisor", "worker")
LEVELS = ("debug", "info", "warning", "error")
ANY_LEVEL = "any"  # the record of a library says it
SHOWN_AS = {"exc_info": "exception"}
ROW = re.compile(r"^\| `(\w+)` \| ([\w, ]+) \| ([^|]*) \|", re.MULTILINE)


@dataclass
class Event:
    """A log event: the levels that it may have, and the fields of its own."""

    levels: set[str] = field(default_factory=set)
    fields: set[str] = field(default_factory=set)

    def __str__(self) -> str:
        return f"{', '.join(sorted(self.levels))} | {', '.join(f'`{each}`' for each in sorted(self.fields))}"


def logged(root: Path) -> dict[str, Event]:
    """By name, from every call of a logger in the product's code."""
    events: dict[str, Event] = {}
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*.py")):
            for name, level, fields in _calls(ast.parse(path.read_text(encoding="utf-8"))):
                event = events.setdefault(name, Event())
                event.levels.add(level)
                event.fields |= fields
    return events


def documented(page: str) -> dict[str, Event]:
    """By name, from the page's rows."""
    return {
        name: Event(set(levels.split(", ")), set(re.findall(r"`(\w+)`", fields)))
        for name, levels, fields in ROW.findall(page)
    }


def differences(root: Path) -> Iterator[str]:
    """One line for each event that the page lacks, has wrong, or has too much."""
    there, said = logged(root), documented((root / "docs" / "events.md").read_text(encoding="utf-8"))
    for name in sorted(there.keys() | said.keys()):
        if name not in there:
            yield f"`{name}` is logged nowhere"
        elif there[name] != said.get(name):
            yield f"the row of `{name}` has to begin with: | `{name}` | {there[name]} |"


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Print what differs; the exit code."""
    Parser("scripts.docs.events", __doc__).parse_args(arguments)
    lines = list(differences(root))
    for line in lines:
        print(f"docs/events.md: {line}")
    return 1 if lines else 0


def _calls(tree: ast.Module) -> Iterator[tuple[str, str, set[str]]]:
    """Name, level and fields of each call; those of `Logger.log` have the level before the name."""
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _is_logger(node.func.value)):
            continue
        level, arguments = node.func.attr, node.args
        if level == "log":
            level, arguments = ANY_LEVEL, arguments[1:]
        if level in (*LEVELS, ANY_LEVEL):
            (name,) = (each.value for each in arguments if isinstance(each, ast.Constant))
            yield str(name), level, {SHOWN_AS.get(each.arg, each.arg) for each in node.keywords if each.arg}


def _is_logger(node: ast.expr) -> bool:
    if isinstance(node, ast.Call):  # get_logger() or logger.get_logger()
        return getattr(node.func, "attr", getattr(node.func, "id", "")) == "get_logger"
    return isinstance(node, ast.Name) and node.id == "log"


if __name__ == "__main__":
    sys.exit(main())
