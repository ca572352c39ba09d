"""The queries of the target table and of the quarantine beside it."""

from functools import cache

from shared.queries import qmark, source, without_comments


@cache
def counting(name: str, *rows: str) -> tuple[str, tuple[str, ...]]:
    """A query to run, with a `?` for each parameter, and the names of the parameters in that order.

    `rows` are named queries: the first stands where this one says {rows}, the next where that one does. The names of
    the tables are still to be filled in.
    """
    text = _query(name)
    for inner in rows:
        text = text.replace("{rows}", _query(inner))
    return qmark(text)


def _query(name: str) -> str:
    return without_comments(source("shared.snowflake", name))
