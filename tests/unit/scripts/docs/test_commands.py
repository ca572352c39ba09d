"""Every command of evsup that a page shows exists, with its options."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from scripts.docs.generated import ROOT
from supervisor.cli import evsup

PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
CODE = re.compile(r"^```.*?^```|`[^`\n]+`", re.MULTILINE | re.DOTALL)
# What follows may also be the title of a process (`evsup worker flights p=3`).
COMMAND = re.compile(r"(?:^|[\s`/(])evsup ((?!supervisor|worker)[a-z]+\b[^\n`|&;#…]*)")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")


def shown(page: str) -> Iterator[str]:
    """What is typed after `evsup`, in code."""
    for code in CODE.findall(page):
        yield from COMMAND.findall(code.replace("\\\n", " "))


def problem(typed: str) -> str | None:
    """What of it does not exist."""
    command: click.Command = evsup
    context = click.Context(evsup)
    words = typed.split()
    while words and isinstance(command, click.Group):
        found = command.get_command(context, words[0])
        if found is None:
            return f"no command {words[0]}"
        command = found
        words = words[1:]
    known = {option for each in command.get_params(context) for option in (*each.opts, *each.secondary_opts)}
    unknown = set(OPTION.findall(" ".join(words))) - known
    return f"no option {min(unknown)}" if unknown else None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_that_a_page_shows_exists(page: Path) -> None:
    assert not [f"evsup {typed}: {why}" for typed in shown(page.read_text()) if (why := problem(typed))]


def test_commands_are_found_and_what_does_not_exist_is_named() -> None:
    page = "Run `evsup status --all` or\n\n```\n$ evsup strat --all\n/opt/bin/evsup checkpoints set --partion 0\n```\n"
    assert [problem(typed) for typed in shown(page)] == [None, "no command strat", "no option --partion"]
