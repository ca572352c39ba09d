"""Named queries: `sql/<name>.sql` in the package that uses them, one statement a file.

Where databases must differ, `sql/<dialect>/<name>.sql` is found first. Parameters are written as `:name`.
"""

import re
from functools import cache
from importlib.resources import files

from shared.errors import Bug

# In small letters: casts (`::FLOAT`) and paths into JSON (`VALUE:REASON`) are written in capitals in all files.
_PARAMETER = re.compile(r":([a-z_]+)")
_NAME = re.compile(r"[a-z_]+")


@cache
def source(package: str, name: str, *dialects: str) -> str:
    """The text of a query as it stands in its file, with its comments; of the first dialect that has one of its own."""
    if not _NAME.fullmatch(name):
        raise Bug(f"{name!r} cannot be the name of a query")
    folder = files(package) / "sql"
    for place in (*dialects, "."):
        candidate = folder.joinpath(place, f"{name}.sql")
        if candidate.is_file():
            return candidate.read_text(encoding="utf-8").strip()
    raise Bug(f"There is no query {name!r} of {package} for {', '.join(dialects) or 'any database'}")


def without_comments(text: str) -> str:
    """The statement alone: drivers look for parameters in comments, too."""
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("--"))


def pyformat(statement: str) -> str:
    """The statement with `%(name)s` parameters, as psycopg wants them."""
    return _PARAMETER.sub(r"%(\1)s", statement.replace("%", "%%"))


def qmark(statement: str) -> tuple[str, tuple[str, ...]]:
    """The statement with a `?` for each parameter, and the names of the parameters in that order: for Snowflake."""
    return _PARAMETER.sub("?", statement), tuple(_PARAMETER.findall(statement))
