"""Write `.env.example` and the tables of docs/settings.md from the structs, or check that they are up to date.

Without `--write` exit code 1 says that something differs.
"""

import re
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from textwrap import wrap

from msgspec import inspect

from scripts.docs.generated import ROOT, between, run, text_of
from shared.config.variables import VARIABLES, Variable, as_text, shown

BEGIN, END = "<!-- settings:begin -->", "<!-- settings:end -->"
WIDTH = 100
PAGE_NAME = re.compile(r"docs/([\w-]+\.md)")  # as a meaning names a page, which the settings' own is beside
NOTE_MARK = "## "  # of what holds for several settings

# What most people need besides the settings that have no default: identity's half of the source, and a key.
USUALLY_NEEDED = ("EVENTHUB_NAMESPACE", "EVENTHUB_NAME", "SNOWFLAKE_PRIVATE_KEY_FILE")

HEADER = """\
Settings of evsup. Copy this file to `.env`, fill in the lines that are not commented out, and run `evsup config`, which
shows the effective settings, or every fault at once. scripts/docs/settings.py writes this file.

The environment overrides the file, and options of the command line override both. Empty means unset. A commented line
shows the default, or an example if there is no default. Nothing is interpolated: a `$` is a `$`. Put a value that has a
`#`, quotes or line breaks between single quotes."""

# What a group of settings is about, before its first one.
NOTES = {
    "EVENTHUB_CONNECTION_STRING": """\
Signing in. By default evsup uses Microsoft Entra ID: EVENTHUB_NAMESPACE and EVENTHUB_NAME say what to read, and
EVENTHUB_IDENTITY who reads it. The identity needs the role `Azure Event Hubs Data Receiver`. A connection string
overrides all of that: namespace, identity and client id are then not used, and the event hub is its `EntityPath`
or EVENTHUB_NAME. If both are set, they must agree.""",
    "EVENTHUB_STARTING_POSITION": "Where a partition begins if it has neither a checkpoint nor a channel token.",
    "EVENTHUB_PREFETCH": "Options of the Azure SDK: reading, retries, transport.",
    "EVENTHUB_LOAD_BALANCING_INTERVAL": "Sharing the partitions with other supervisors.",
    "SNOWFLAKE_ACCOUNT": "Target. Names that need double quotes in SQL keep them here: SNOWFLAKE_TABLE='\"My Table\"'.",
    "SNOWFLAKE_PRIVATE_KEY_FILE": "Key pair: exactly one of the file and the key itself.",
    "SNOWFLAKE_OAUTH_CLIENT_ID": """\
OAuth instead of the key pair: the client, exactly one of the secret's file and the secret itself, and the token
endpoint of an authorization server. A security integration (External OAuth) in Snowflake has to trust that server.""",
    "SNOWFLAKE_URL": "How evsup reaches the account, and what it does there.",
}


def env_example() -> str:
    """The text of `.env.example`."""
    return "\n".join(_env_lines()) + "\n"


def with_table(page: str) -> str:
    """`page` with the tables, one a section, between its markers."""
    return between(page, BEGIN, END, "\n".join([*_table_lines(), ""]))


def documents(root: Path) -> Iterator[tuple[Path, str]]:
    """Each file that is made here, with the text it should have."""
    yield root / ".env.example", env_example()
    page = root / "docs" / "settings.md"
    yield page, with_table(text_of(page))


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Write or check; the exit code."""
    return run("scripts.docs.settings", __doc__, documents, arguments, root)


def _env_lines() -> Iterator[str]:
    yield from _comment(HEADER)
    for title, variables in groupby(VARIABLES.values(), key=lambda variable: variable.title):
        yield from ("", f"# --- {title} ".ljust(WIDTH, "-"))
        for variable in variables:
            yield ""
            if variable.name in NOTES:
                yield from (*_comment(NOTES[variable.name], NOTE_MARK), "")
            yield from _comment(_meaning(variable))
            yield _assignment(variable)


def _assignment(variable: Variable) -> str:
    if _needed(variable):
        return f"{variable.name}="
    return f"#{variable.name}={_default(variable) or next(iter(variable.examples), '')}"


def _meaning(variable: Variable) -> str:
    """The description, what may be typed, and an example where the line has none."""
    parts = [variable.meaning, *_limits(variable.kind)]
    if _needed(variable):
        parts.append(f"Example: {variable.examples[0]}")
    return " ".join(parts)


def _limits(kind: inspect.Type) -> Iterator[str]:
    """Values or bounds, where the default does not say enough."""
    match kind:
        case inspect.LiteralType(values=values):
            yield f"One of {', '.join(f'`{value}`' for value in values)}."
        case inspect.IntType() | inspect.FloatType() if kind.ge is not None and kind.le is not None:
            yield f"From {_figure(kind.ge)} to {_figure(kind.le)}."


def _figure(bound: float) -> str:
    return f"{bound:.0f}" if bound == int(bound) else f"{bound:g}"


def _table_lines() -> Iterator[str]:
    for title, variables in groupby(VARIABLES.values(), key=lambda variable: variable.title):
        yield from ("", f"## {title}", "", "| Variable | Default | Meaning |", "|---|---|---|")
        yield from map(_row, variables)


def _row(variable: Variable) -> str:
    default = _default(variable)
    shown_default = "required" if variable.required else f"`{default}`" if default else ""
    meaning = PAGE_NAME.sub(r"[\1](\1)", _meaning(variable).replace("|", "\\|"))
    return f"| `{variable.name}` | {shown_default} | {meaning} |"


def _needed(variable: Variable) -> bool:
    return variable.required or variable.name in USUALLY_NEEDED


def _default(variable: Variable) -> str:
    return "" if variable.required else as_text(shown(variable.default))


def _comment(text: str, mark: str = "# ") -> Iterator[str]:
    for number, paragraph in enumerate(text.split("\n\n")):
        if number:
            yield mark.rstrip()
        yield from wrap(paragraph, WIDTH, initial_indent=mark, subsequent_indent=mark, break_on_hyphens=False)


if __name__ == "__main__":
    sys.exit(main())
