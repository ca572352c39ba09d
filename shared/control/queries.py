"""The queries of the control tables, for every database alike.

They are written in the dialect that PostgreSQL and SQLite share: upserts with RETURNING, `:name` parameters, functions
with plain arguments. SQLite is taught the few functions of PostgreSQL it lacks (`shared.control.sqlite`).
"""

from functools import cache

from shared import queries

_BASES = {"smoke": ("snowflake",)}  # dialects that differ from another one in a few statements and a keyword
_KEYWORDS = {"smoke": ("CREATE HYBRID TABLE", "CREATE TABLE")}


def source(name: str, dialect: str) -> str:
    """The text of a query as it stands in its file, with its comments."""
    text = queries.source("shared.control", name, dialect, *_BASES.get(dialect, ()))
    return text.replace(*_KEYWORDS.get(dialect, ("", "")))


@cache
def query(name: str, dialect: str) -> str:
    """A query to run, with `:name` parameters."""
    return queries.without_comments(source(name, dialect))


@cache
def pyformat(name: str, dialect: str) -> str:
    """A query to run, with `%(name)s` parameters: for psycopg."""
    return queries.pyformat(query(name, dialect))


@cache
def qmark(name: str, dialect: str) -> tuple[str, tuple[str, ...]]:
    """A query to run, with a `?` for each parameter, and the names of the parameters in that order: for Snowflake."""
    return queries.qmark(query(name, dialect))
