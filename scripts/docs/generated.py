"""Files, or parts of them, that are written from the code: brought up to date, or checked."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

from scripts.command_line import Parser

ROOT = Path(__file__).resolve().parents[2]

Documents: TypeAlias = Callable[[Path], Iterator[tuple[Path, str]]]
"""From the root of a checkout to each file, with the text it should have."""


def between(text: str, begin: str, end: str, part: str) -> str:
    """`text` with `part` between its markers, or at its end when it has none."""
    part = f"{begin}\n{part}\n{end}"
    if begin not in text or end not in text:
        return f"{text.rstrip()}\n\n{part}\n".lstrip()
    before, _, rest = text.partition(begin)
    return before + part + rest.partition(end)[2]


def text_of(path: Path) -> str:
    """What stands there; nothing when it is not there yet."""
    return path.read_text(encoding="utf-8") if path.exists() else ""


def run(module: str, about: str | None, documents: Documents, arguments: list[str] | None, root: Path) -> int:
    """The command line of `python -m MODULE`: write or check; the exit code."""
    parser = Parser(module, about)
    parser.add_argument("--write", action="store_true", help="write the files instead of checking them")
    write = parser.parse_args(arguments).write
    stale = [(path, text) for path, text in documents(root) if text_of(path) != text]
    for path, text in stale:
        if write:
            path.write_text(text, encoding="utf-8")
        print(f"{path.name}: {'written' if write else f'differs; run .venv/bin/python -m {module} --write'}")
    return 1 if stale and not write else 0
