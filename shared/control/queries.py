"""Named queries: `sql/<name>.sql`, one statement a file, for every database alike.

They are written in the dialect that PostgreSQL and SQLite share: upserts with RETURNING, `:name` parameters, functions
with plain arguments. SQLite is taught the few functions of PostgreSQL it lacks (`shared.control.sqlite`). Where the two
must differ, `sql/<dialect>/<name>.sql` is found first.
"""

import re
from functools import cache
from importlib.resources import files

from shared.errors import Bug

_PARAMETER = re.compile(r":([a-z_]+)")
_BASES = {"smoke": ("snowflake",)}  # dialects that differ from another one in a few statements, and in a word
_WORDS = {"smoke": ("CREATE HYBRID TABLE", "CREATE TABLE")}
_NAME = re.compile(r"[a-z_]+")


@cache
def source(name: str, dialect: str) -> str:
    """The text of a query as it stands in its file, with its comments."""
    if not _NAME.fullmatch(name):
        raise Bug(f"{name!r} is no name of a query")
    folder = files("shared.control") / "sql"
    for place in (dialect, *_BASES.get(dialect, ()), "."):
        candidate = folder.joinpath(place, f"{name}.sql")
        if candidate.is_file():
            return candidate.read_text(encoding="utf-8").strip().replace(*_WORDS.get(dialect, ("", "")))
    raise Bug(f"There is no query {name!r} for {dialect}")


@cache
def query(name: str, dialect: str) -> str:
    """A query to run, with `:name` parameters. Comments are left out: drivers look for parameters in them too."""
    lines = source(name, dialect).splitlines()
    return "\n".join(line for line in lines if not line.lstrip().startswith("--"))


@cache
def pyformat(name: str, dialect: str) -> str:
    """A query to run, with `%(name)s` parameters, as psycopg wants them."""
    return _PARAMETER.sub(r"%(\1)s", query(name, dialect).replace("%", "%%"))


@cache
def qmark(name: str, dialect: str, *rows: str) -> tuple[str, tuple[str, ...]]:
    """A query to run, with a `?` for each parameter, and the names of the parameters in that order: for Snowflake.

    `rows` are named queries: the first stands where this one says {rows}, the next where that one does.
    """
    text = query(name, dialect)
    for inner in rows:
        text = text.replace("{rows}", query(inner, dialect))
    return _PARAMETER.sub("?", text), tuple(_PARAMETER.findall(text))
