"""Check that what the pages and the code refer to exists: links, headings, files, and pages that a message names.

It prints those that lead nowhere. Exit code 1: there is one.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from scripts.command_line import Parser
from scripts.docs.generated import ROOT

LINK = re.compile(r"\]\(([^)\s]+)\)")  # [text](target)
MENTION = re.compile(r"\bdocs/[\w./-]+\.md(?:#[\w-]+)?")  # as an error message or a comment names a page
# As a page names a file, with or without .py.
PATH = re.compile(r"`((?:scripts|shared|supervisor|tests|worker)/[\w./-]+)`")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
ELSEWHERE = re.compile(r"[a-z]+:")  # https:, mailto:
CODE = {".py", ".sql", ".toml", ".yaml", ".service", ".example"}


def broken(root: Path) -> Iterator[str]:
    """`file: link`, for each that leads nowhere."""
    for path in _files(root):
        text = path.read_text(encoding="utf-8")
        links = _of_page(root, path, text) if path.suffix == ".md" else _of_code(root, text)
        yield from (f"{path.relative_to(root)}: {link}" for link, target in links if not _exists(target))


def slug(heading: str) -> str:
    """The anchor that GitHub gives a heading: small letters, hyphens for spaces, no other punctuation."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Print what leads nowhere; the exit code."""
    Parser("scripts.docs.links", __doc__).parse_args(arguments)
    lines = list(broken(root))
    for line in lines:
        print(f"{line} leads nowhere")
    return 1 if lines else 0


def _files(root: Path) -> Iterator[Path]:
    """What is the project's own: hidden folders (.venv, .git) are not."""
    for top in sorted(root.iterdir()):
        if top.is_dir() and not top.name.startswith("."):
            yield from (path for path in sorted(top.rglob("*.*")) if _has_links(path))
        elif _has_links(top):
            yield top


def _has_links(path: Path) -> bool:
    return path.suffix in {".md", *CODE} and path.is_file()


def _of_page(root: Path, path: Path, text: str) -> Iterator[tuple[str, str]]:
    prose = FENCED.sub("", text)
    for link in LINK.findall(prose):
        if not ELSEWHERE.match(link):
            yield link, f"{path}{link}" if link.startswith("#") else f"{path.parent}/{link}"
    yield from ((link, f"{root}/{link}") for link in PATH.findall(prose))


def _of_code(root: Path, text: str) -> Iterator[tuple[str, str]]:
    return ((link, f"{root}/{link}") for link in MENTION.findall(text))


def _exists(target: str) -> bool:
    name, _, anchor = target.partition("#")
    path = Path(name)
    if not anchor:
        return path.exists() or path.with_name(f"{path.name}.py").exists()
    return path.is_file() and anchor in map(slug, HEADING.findall(FENCED.sub("", path.read_text(encoding="utf-8"))))


if __name__ == "__main__":
    sys.exit(main())
