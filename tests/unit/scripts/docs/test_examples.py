"""What the examples of the pages import from evsup is there: users copy them into programs of their own."""

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from scripts.docs.generated import ROOT

OURS = ("shared", "supervisor", "worker")
PAGES = sorted(page for page in (ROOT / "docs").rglob("*.md") if "```python" in page.read_text())


def imported(text: str) -> Iterator[tuple[str, str]]:
    """Module and name of each import of ours in the examples of a page."""
    for example in re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        for node in ast.walk(ast.parse(example)):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] in OURS:
                yield from ((node.module, name.name) for name in node.names)


@pytest.mark.parametrize("name", ["azure-sdk.md", "mapper.md"])
def test_the_pages_with_examples_are_looked_at(name: str) -> None:
    assert list(imported((ROOT / "docs" / name).read_text()))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_an_example_imports_of_ours_is_there(page: Path) -> None:
    for module, name in imported(page.read_text()):
        assert hasattr(import_module(module), name), f"{page.name}: from {module} import {name}"
