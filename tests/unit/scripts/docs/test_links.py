"""A link of a page, or a page that a message names, leads to a file and to a heading in it."""

from pathlib import Path

import pytest

from scripts.docs.links import broken, main, slug

DOCS = "docs"  # so that the links in this file are none for the check itself


def tree(root: Path, **texts: str) -> Path:
    """A checkout with a page `there.md` among its documents that has one heading, and these files."""
    (root / DOCS).mkdir()
    (root / DOCS / "there.md").write_text("# A `heading`, with: signs\n")
    for name, text in texts.items():
        (root / name.replace("__", ".")).write_text(text)
    return root


def test_every_link_of_the_project_leads_somewhere() -> None:
    assert main([]) == 0


@pytest.mark.parametrize(
    "link",
    [
        f"{DOCS}/there.md",
        f"{DOCS}/there.md#a-heading-with-signs",
        DOCS,
        "#here",
        "https://example.com/x.md",
        "mailto:a@b",
    ],
)
def test_a_link_to_what_is_there_is_fine(link: str, tmp_path: Path) -> None:
    assert not list(broken(tree(tmp_path, README__md=f"# Here\n\n[text]({link})\n")))


@pytest.mark.parametrize(
    "link", [f"{DOCS}/gone.md", f"{DOCS}/there.md#another", "#there", "../gone.md", "docs#heading"]
)
def test_a_link_that_leads_nowhere_is_named_with_its_page(link: str, tmp_path: Path) -> None:
    assert list(broken(tree(tmp_path, README__md=f"# Here\n\n[text]({link})\n"))) == [f"README.md: {link}"]


def test_what_a_message_names_is_looked_for_from_the_root(tmp_path: Path) -> None:
    text = f'FIX = "{DOCS}/there.md#a-heading-with-signs, {DOCS}/gone.md says more"  # {DOCS}/there.md#no'
    named = [f"errors.py: {DOCS}/gone.md", f"errors.py: {DOCS}/there.md#no"]
    assert list(broken(tree(tmp_path, errors__py=text))) == named


@pytest.mark.parametrize(
    ("text", "nowhere"),
    [("`tests/here.py`", []), ("`tests/here`", []), ("`tests/gone.py`", ["README.md: tests/gone.py"])],
)
def test_a_file_that_a_page_names_is_looked_for_from_the_root(text: str, nowhere: list[str], tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "here.py").touch()
    assert list(broken(tree(tmp_path, README__md=text))) == nowhere


def test_what_stands_in_a_fence_is_no_link_and_no_heading(tmp_path: Path) -> None:
    page = "[up](#shell)\n\n```\n# shell\n[text](gone.md)\n```\n"
    assert list(broken(tree(tmp_path, README__md=page))) == ["README.md: #shell"]


def test_hidden_folders_belong_to_others(tmp_path: Path) -> None:
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "README.md").write_text("[text](gone.md)")
    assert not list(broken(tmp_path))


def test_an_anchor_is_spelled_as_github_does() -> None:
    assert slug("`evsup verify`: the proof") == "evsup-verify-the-proof"
