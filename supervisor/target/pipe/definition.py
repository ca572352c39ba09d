"""Whether a named pipe makes one row of one event, and leaves evsup's columns as they are: decided by its definition.

A pipe is a COPY statement, and may filter, flatten, join, rename and compute:
https://docs.snowflake.com/en/user-guide/snowpipe-streaming/snowpipe-streaming-pipe-object,
https://docs.snowflake.com/en/sql-reference/sql/copy-into-table and, for what a pipe may do to its rows,
https://docs.snowflake.com/LIMITEDACCESS/streaming-transformations/reference. Two shapes are known to be right:

    COPY INTO t FROM TABLE(DATA_SOURCE(TYPE => 'STREAMING')) MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE
    COPY INTO t (…) FROM (SELECT $1:PAYLOAD::VARIANT, … FROM TABLE(DATA_SOURCE(TYPE => 'STREAMING')))

Each column of evsup takes its own key, which may be cast to the column's own type. Other columns take any expression
that gives one value for each event. Everything else is reported: as a problem where its effect is known, otherwise as
not understood.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from shared.snowflake.tables import Column
from supervisor.target.pipe.sql_tokens import (
    NotUnderstood,
    Tokens,
    closing,
    outside_brackets,
    shown,
    split_at_commas,
    tokenize,
)
from supervisor.target.pipe.value import PipeValue, parse_value

FEWER, MORE, TOGETHER = "leaves events out", "makes more rows of one event", "makes one row of many events"
_EFFECTS = {
    "WHERE": FEWER, "HAVING": FEWER, "QUALIFY": FEWER, "LIMIT": FEWER, "FETCH": FEWER, "OFFSET": FEWER, "TOP": FEWER,
    "SAMPLE": FEWER, "TABLESAMPLE": FEWER, "INTERSECT": FEWER, "EXCEPT": FEWER, "MINUS": FEWER,
    "DISTINCT": "leaves out rows that look alike",
    "GROUP": TOGETHER, "PIVOT": TOGETHER, "MATCH_RECOGNIZE": TOGETHER,
    "JOIN": "makes none or several rows of one event", "LATERAL": MORE, "FLATTEN": MORE, "SPLIT_TO_TABLE": MORE,
    "UNPIVOT": MORE, "UNION": MORE, "CONNECT": MORE,
}  # fmt: skip
_SOURCE = ("TABLE", "(", "DATA_SOURCE", "(", "TYPE", "=>", "STREAMING", ")", ")")
# Options of COPY that change no row: https://docs.snowflake.com/en/sql-reference/sql/copy-into-table#copy-options-copyoptions
_HARMLESS = {
    "CLUSTER_AT_INGEST_TIME": ("TRUE", "FALSE"),
    "ON_ERROR": ("CONTINUE",),  # the one that streaming has, and what it skips is counted
    "TRUNCATECOLUMNS": ("FALSE",),
    "ENFORCE_LENGTH": ("TRUE",),
    "FORCE": ("TRUE", "FALSE"),
    "PURGE": ("TRUE", "FALSE"),
}
CASE_SENSITIVE = "CASE_SENSITIVE"
BY_NAME = (CASE_SENSITIVE, "CASE_INSENSITIVE")


@dataclass(frozen=True, slots=True)
class PipeCheck:
    """What a pipe does to rows. `problems` lose, change or multiply something, or may do so."""

    problems: tuple[str, ...] = ()
    filled: frozenset[str] | None = None
    """The table's columns that it gives values to; None: those whose names are keys of a row."""
    is_case_sensitive: bool = False
    """Whether such a name has to be spelled as the key is."""


def check_definition(
    definition: str, table: tuple[str, str, str], stored: Sequence[str], wanted: Sequence[Column]
) -> PipeCheck:
    """Check the pipe's statement. `table` is the target table's stored name, `stored` are its columns in order."""
    try:
        copy = _parse_copy(tokenize(definition))
    except NotUnderstood as error:
        return PipeCheck((f"evsup does not understand its definition: {error}",), filled=frozenset())
    problems = [*_other_table(copy.table, table), *copy.problems]
    if copy.values is None:
        return PipeCheck(tuple(problems), filled=None, is_case_sensitive=copy.is_case_sensitive)
    # Without a list of columns, values go into those of the table in their order.
    columns = stored if copy.columns is None else copy.columns
    if copy.columns is not None and len(columns) != len(copy.values):
        problems.append(f"it names {len(columns)} columns and gives {len(copy.values)} values")
    filled = dict(zip(columns, map(parse_value, copy.values), strict=False))
    problems += _lost_columns(wanted, filled)
    problems += [f"{name}: {each}" for name, value in filled.items() for each in value.problems]
    return PipeCheck(tuple(dict.fromkeys(problems)), frozenset(filled))


@dataclass(frozen=True, slots=True)
class _CopyStatement:
    """A COPY statement in its parts. `values` is None where columns are matched by name."""

    table: tuple[str, ...]
    columns: tuple[str, ...] | None
    values: Sequence[Tokens] | None
    problems: Sequence[str]
    is_case_sensitive: bool


def _parse_copy(statement: Tokens) -> _CopyStatement:
    rest: Tokens = statement[:-1] if statement and statement[-1].matches(";") else statement
    if [token.name for token in rest[:2]] != ["COPY", "INTO"]:
        raise NotUnderstood(f"it is not COPY INTO … but {shown(rest)}")
    table, rest = _name(rest[2:])
    columns = None
    if rest and rest[0].matches("("):
        end = closing(rest, 0)
        columns, rest = tuple(_column(part) for part in split_at_commas(rest[1:end])), rest[end + 1 :]
    if not rest or not rest[0].matches("FROM"):
        raise NotUnderstood(f"FROM has to be where {shown(rest)!r} is")
    return _parse_from(table, columns, rest[1:])


def _parse_from(table: tuple[str, ...], columns: tuple[str, ...] | None, rest: Tokens) -> _CopyStatement:
    values: Sequence[Tokens] | None = None
    problems: list[str] = []
    if rest and rest[0].matches("("):
        end = closing(rest, 0)
        values, problems = _query(rest[1:end])
        options = _options(rest[end + 1 :])
    else:
        options = _options(_after_source(rest))
    match_by = options.pop("MATCH_BY_COLUMN_NAME", "NONE")
    if values is None and match_by not in BY_NAME:
        raise NotUnderstood("it neither selects values nor has MATCH_BY_COLUMN_NAME")
    if values is None and columns is not None:
        raise NotUnderstood("MATCH_BY_COLUMN_NAME beside a list of columns")
    if values is not None and match_by in BY_NAME:
        raise NotUnderstood("MATCH_BY_COLUMN_NAME beside a SELECT")
    problems = [*problems, *_unknown_options(options)]
    return _CopyStatement(table, columns, values, problems, is_case_sensitive=match_by == CASE_SENSITIVE)


def _query(body: Tokens) -> tuple[Sequence[Tokens], list[str]]:
    """The values of a SELECT, and the effects of its other clauses."""
    if not body or not body[0].matches("SELECT"):
        raise NotUnderstood(f"SELECT has to be where {shown(body)!r} is")
    start = _first_value(body)
    effects = [*_effects(body[1:start])]
    source = next((at for at, token in outside_brackets(body) if token.matches("FROM")), None)
    if source is None:
        raise NotUnderstood("its SELECT has no FROM")
    effects += _effects(body[source + 1 :])
    try:
        _nothing_after(_after_source(body[source + 1 :]))
    except NotUnderstood:
        # A clause whose effect is known is named by that: what else is there makes it no better.
        if not effects:
            raise
    return split_at_commas(body[start:source]), effects


def _first_value(body: Tokens) -> int:
    """The index after SELECT, ALL, DISTINCT and TOP n."""
    at = 1
    while at < len(body) and body[at].matches("ALL", "DISTINCT", "TOP"):
        at += 2 if body[at].matches("TOP") else 1
    return at


def _after_source(rest: Tokens) -> Tokens:
    """The tokens after the stream that is read."""
    if rest and rest[0].matches("@"):
        raise NotUnderstood(f"it loads files from {shown(rest[:2])}, not a stream")
    found = tuple(token.text.upper() for token in rest[: len(_SOURCE)])
    if found != _SOURCE or rest[6].kind != "string":
        raise NotUnderstood(f"TABLE(DATA_SOURCE(TYPE => 'STREAMING')) has to be where {shown(rest)!r} is")
    return rest[len(_SOURCE) :]


def _nothing_after(rest: Tokens) -> None:
    """Raise unless only an alias of the stream follows."""
    named = rest[1:] if rest and rest[0].matches("AS") else rest
    if len(named) > 1 or any(token.kind not in ("name", "quoted") for token in named):
        raise NotUnderstood(f"what {shown(rest)!r} means")


def _effects(rest: Tokens) -> Iterator[str]:
    """What clauses and table functions do to rows, each named once. A quoted name is neither."""
    for name in dict.fromkeys(token.name for at, token in enumerate(rest) if _is_clause(rest, at)):
        yield f"{name}{' BY' if name in ('GROUP', 'CONNECT') else ''} {_EFFECTS[name]}"
    # The comma before LATERAL joins nothing but what LATERAL makes of each event, and that has been named.
    if any(token.matches(",") for _, token in outside_brackets(rest)) and not any(
        token.matches("LATERAL") for token in rest
    ):
        yield "a second source in FROM makes none or several rows of one event"


def _is_clause(rest: Tokens, at: int) -> bool:
    """In `AT(OFFSET => -60)` the name is one of an argument."""
    return rest[at].matches(*_EFFECTS) and not (at + 1 < len(rest) and rest[at + 1].matches("=>"))


def _options(rest: Tokens) -> dict[str, str]:
    """All `NAME = VALUE`."""
    found: dict[str, str] = {}
    at = 0
    while at < len(rest):
        if at + 2 >= len(rest) or rest[at].kind != "name" or not rest[at + 1].matches("="):
            raise NotUnderstood(f"what {shown(rest[at:])!r} means")
        end = closing(rest, at + 2) if rest[at + 2].matches("(") else at + 2
        found[rest[at].name] = shown(rest[at + 2 : end + 1]).strip("'").upper()
        at = end + 1
        if at < len(rest) and rest[at].matches(","):
            at += 1
    return found


def _unknown_options(options: Mapping[str, str]) -> Iterator[str]:
    for name, value in options.items():
        if value not in _HARMLESS.get(name, ()):
            yield f"{name} = {value} is not known to keep every row as it is"


def _name(rest: Tokens) -> tuple[tuple[str, ...], Tokens]:
    """A name of one to three parts, perhaps in IDENTIFIER('…'), and the rest."""
    if len(rest) > 3 and rest[0].matches("IDENTIFIER") and rest[1].matches("(") and rest[2].kind == "string":
        name, more = _name(tokenize(rest[2].text))
        if more or not rest[3].matches(")"):
            raise NotUnderstood(f"which table {shown(rest[:4])!r} is")
        return name, rest[4:]
    parts: list[str] = []
    at = 0
    while at < len(rest) and rest[at].kind in ("name", "quoted"):
        parts.append(rest[at].name)
        at += 1
        if at >= len(rest) or not rest[at].matches("."):
            break
        at += 1
    if not 1 <= len(parts) <= 3:
        raise NotUnderstood(f"which table {shown(rest)!r} is")
    return tuple(parts), rest[at:]


def _column(part: Tokens) -> str:
    if len(part) != 1 or part[0].kind not in ("name", "quoted"):
        raise NotUnderstood(f"which column {shown(part)!r} is")
    return part[0].name


def _other_table(into: tuple[str, ...], table: tuple[str, str, str]) -> Iterator[str]:
    """A name with fewer parts means the pipe's own database and schema, which are the table's."""
    if into != table[3 - len(into) :]:
        yield f"it loads into {'.'.join(into)}, and SNOWFLAKE_TABLE is {'.'.join(table)}"


def _lost_columns(wanted: Sequence[Column], filled: Mapping[str, PipeValue]) -> Iterator[str]:
    """Why columns of evsup do not get what evsup sends for them."""
    ours = {column.name for column in wanted}
    elsewhere = {one.key: other for other, one in filled.items() if other not in ours}
    for column in wanted:
        found = filled.get(column.name)
        if found and not found.is_unchanged(column):
            yield f"{column.name} gets {found.text}{_case(column, found)}: write $1:{column.name}"
        elif not found and column.name in elsewhere:
            yield f"{column.name} goes into {elsewhere[column.name]}"
    if nowhere := [name for column in wanted if (name := column.name) not in filled and name not in elsewhere]:
        yield f"nothing fills {', '.join(nowhere)}"


def _case(column: Column, found: PipeValue) -> str:
    is_miswritten = found.key and found.key != column.name and found.key.upper() == column.name
    return ", which is always NULL, because keys are case-sensitive" if is_miswritten else ""
