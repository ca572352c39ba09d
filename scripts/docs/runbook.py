"""Write the runbook that a supervisor serves from docs/operations.md, or check that it is up to date.

The page is a part of the package, so that a link to it leads somewhere also where nothing but the supervisor can be
reached. Without `--write` exit code 1 says that it differs.
"""

import html
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from markdown_it import MarkdownIt

from scripts.docs.generated import ROOT, run, text_of
from scripts.docs.links import slug

PAGE = "supervisor/status/http/runbook.html"
SOURCE = "docs/operations.md"
SECTIONS = ("Alerts and what to do", "What evsup status shows", "Exit codes")

_SECTION = re.compile(r"^## (.+)\n((?:(?!## ).*\n?)*)", re.MULTILINE)
_HEADING = re.compile(r"<h([23])>(.*?)</h\1>")
_LINK = re.compile(r'<a href="([^"]*)">(.*?)</a>', re.DOTALL)
_TAG = re.compile(r"<[^>]+>")

FRAME = """<!doctype html>
<!-- Written by python -m scripts.docs.runbook from docs/operations.md. -->
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>evsup runbook</title>
<link rel="icon" href="data:,">
<style>
body {{ margin: 0 auto; padding: 1rem; max-width: 48rem; font: 1rem/1.5 system-ui, sans-serif; }}
body {{ overflow-wrap: anywhere; }}
h1 {{ font-size: 1.25rem; }}
h2 {{ font-size: 1.125rem; margin-top: 2rem; }}
h3 {{ font-size: 1rem; margin: 1.5rem 0 0; }}
:target {{ outline: 2px solid; outline-offset: 4px; }}
p, ul {{ margin: 0.5rem 0; }}
code, pre {{ font: 0.9em ui-monospace, monospace; white-space: pre-wrap; }}
table {{ border-collapse: collapse; }}
th, td {{ padding: 0.25rem 0.5rem 0.25rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid; }}
</style>
</head>
<body>
<h1>evsup runbook</h1>
<p><a href="./">Back to the supervisor</a></p>
{body}</body>
</html>
"""


def runbook(operations: str) -> str:
    """The page from the text of docs/operations.md."""
    sections = dict(_SECTION.findall(operations))
    text = "".join(f"## {name}\n{sections[name]}" for name in SECTIONS)
    body = _HEADING.sub(_with_anchor, MarkdownIt("commonmark", {"html": False}).enable("table").render(text))
    anchors = set(re.findall(r'id="([^"]*)"', body))
    return FRAME.format(body=_LINK.sub(lambda link: _followable(link[1], link[2], anchors), body))


def documents(root: Path) -> Iterator[tuple[Path, str]]:
    """The one page."""
    yield root / PAGE, runbook(text_of(root / SOURCE))


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Write or check; the exit code."""
    return run("scripts.docs.runbook", __doc__, documents, arguments, root)


def _with_anchor(heading: re.Match[str]) -> str:
    level, text = heading.groups()
    return f'<h{level} id="{slug(html.unescape(_TAG.sub("", text)))}">{text}</h{level}>'


def _followable(target: str, text: str, anchors: set[str]) -> str:
    """A link within the page or to a web site; of what stands only in the checkout its name."""
    if target.startswith("https:") or target.removeprefix("#") in anchors:
        return f'<a href="{target}">{text}</a>'
    name, _, anchor = target.partition("#")
    path = f"docs/{name}" if name and not name.startswith("../") else name.removeprefix("../") or SOURCE
    return f"{text} ({path}{f'#{anchor}' if anchor else ''})"


if __name__ == "__main__":
    sys.exit(main())
