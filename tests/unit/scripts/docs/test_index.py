"""The index of the documentation leads to every page, and that of the decisions to every decision."""

import re
from pathlib import Path

import pytest

from scripts.docs.generated import ROOT

DOCS = ROOT / "docs"


@pytest.mark.parametrize("folder", [DOCS, DOCS / "decisions"], ids=lambda folder: folder.name)
def test_an_index_leads_to_every_page(folder: Path) -> None:
    linked = set(re.findall(r"\]\(([\w-]+\.md)\)", (folder / "README.md").read_text()))
    assert linked == {page.name for page in folder.glob("*.md")} - {"README.md"}
