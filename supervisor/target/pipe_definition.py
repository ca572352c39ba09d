"""Whether a named pipe makes one row of one event, and leaves evsup's columns as they are: a pure look at its text.

A pipe is a COPY statement, and may filter, flatten, join, rename and compute:
https://docs.snowflake.com/en/user-guide/snowpipe-streaming/snowpipe-streaming-pipe-object,
https://docs.snowflake.com/en/sql-reference/sql/copy-into-table and, for what a pipe may do to its rows,
https://docs.snowflake.com/LIMITEDACCESS/streaming-transformations/reference. Two shapes are known to be right:

    COPY INTO t FROM TABLE(DATA_SOURCE(TYPE => 'STREAMING')) MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE
    COPY INTO t (…) FROM (SELECT $1:PAYLOAD::VARIANT, … FROM TABLE(DATA_SOURCE(TYPE => 'STREAMING')))

A column of evsup's takes its own key, at most cast to the column's own type; a column of others takes any value that is
one for each event. Whatever else stands there is named: as a fault where its effect is known, else as not understood.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from shared.snowflake.tables import Column
from supervisor.target.pipe_column import Selected, selected
from supervisor.target.sql_words import NotUnderstood, Words, closing, outside, shown, split, words

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
BY_NAME = ("CASE_SENSITIVE", "CASE_INSENSITIVE")


@dataclass(frozen=True, slots=True)
class Judged:
    """What a pipe does to rows. `faults` lose, change or multiply something, or are not known not to."""

    faults: tuple[str, ...] = ()
    fills: frozenset[str] | None = None
    """The table's columns that it gives values to; None: those whose names are keys of a row."""


def judged(definition: str, table: tuple[str, str, str], stored: Sequence[str], wanted: Sequence[Column]) -> Judged:
    """Judge the pipe's statement. `table` are the stored names of ours, `stored` its columns in their order."""
    try:
        copied = _copied(words(definition))
    except NotUnderstood as unknown:
        return Judged(faults=(f"evsup does not understand its definition: {unknown}",), fills=frozenset())
    faults = [*_elsewhere(copied.table, table), *copied.faults]
    if copied.items is None:
        return Judged(tuple(faults), fills=None)
    targets = stored if copied.columns is None else copied.columns
    if copied.columns is not None and len(targets) != len(copied.items):
        faults.append(f"it names {len(targets)} columns and gives {len(copied.items)} values")
    filled = dict(zip(targets, map(selected, copied.items), strict=False))
    faults += _lost(wanted, filled)
    return Judged(
        tuple(dict.fromkeys([*faults, *(f"{name}: {each}" for name, one in filled.items() for each in one.faults)])),
        frozenset(filled),
    )


@dataclass(frozen=True, slots=True)
class _Copied:
    """A COPY statement in its parts; without `items` columns are matched by name."""

    table: tuple[str, ...]
    columns: tuple[str, ...] | None
    items: Sequence[Words] | None
    faults: Sequence[str]


def _copied(statement: Words) -> _Copied:
    rest: Words = statement[:-1] if statement and statement[-1].says(";") else statement
    if [word.name for word in rest[:2]] != ["COPY", "INTO"]:
        raise NotUnderstood(f"it is not COPY INTO … but {shown(rest)}")
    table, rest = _name(rest[2:])
    columns = None
    if rest and rest[0].says("("):
        end = closing(rest, 0)
        columns, rest = tuple(_column(part) for part in split(rest[1:end])), rest[end + 1 :]
    if not rest or not rest[0].says("FROM"):
        raise NotUnderstood(f"FROM has to be where {shown(rest)!r} is")
    return _from(table, columns, rest[1:])


def _from(table: tuple[str, ...], columns: tuple[str, ...] | None, rest: Words) -> _Copied:
    items: Sequence[Words] | None = None
    faults: list[str] = []
    if rest and rest[0].says("("):
        end = closing(rest, 0)
        items, faults = _query(rest[1:end])
        options = _options(rest[end + 1 :])
    else:
        options = _options(_after_source(rest))
    match_by = options.pop("MATCH_BY_COLUMN_NAME", "NONE")
    if items is None and match_by not in BY_NAME:
        raise NotUnderstood("it neither selects values nor has MATCH_BY_COLUMN_NAME")
    if items is None and columns is not None:
        raise NotUnderstood("MATCH_BY_COLUMN_NAME beside a list of columns")
    if items is not None and match_by in BY_NAME:
        raise NotUnderstood("MATCH_BY_COLUMN_NAME beside a SELECT")
    return _Copied(table, columns, items, [*faults, *_unknown_options(options)])


def _query(body: Words) -> tuple[Sequence[Words], list[str]]:
    """The values of a SELECT, and what it does beside selecting them."""
    if not body or not body[0].says("SELECT"):
        raise NotUnderstood(f"SELECT has to be where {shown(body)!r} is")
    start = _first_item(body)
    effects = [*_effects(body[1:start])]
    source = next((at for at, word in outside(body) if word.says("FROM")), None)
    if source is None:
        raise NotUnderstood("its SELECT has no FROM")
    effects += _effects(body[source + 1 :])
    try:
        _nothing_after(_after_source(body[source + 1 :]))
    except NotUnderstood:
        if not effects:
            raise
    return split(body[start:source]), effects


def _first_item(body: Words) -> int:
    """Behind SELECT, ALL, DISTINCT and TOP n."""
    at = 1
    while at < len(body) and body[at].says("ALL", "DISTINCT", "TOP"):
        at += 2 if body[at].says("TOP") else 1
    return at


def _after_source(rest: Words) -> Words:
    """What stands behind the stream that is read."""
    if rest and rest[0].says("@"):
        raise NotUnderstood(f"it loads files from {shown(rest[:2])}, not a stream")
    found = tuple(word.text.upper() for word in rest[: len(_SOURCE)])
    if found != _SOURCE or rest[6].kind != "string":
        raise NotUnderstood(f"TABLE(DATA_SOURCE(TYPE => 'STREAMING')) has to be where {shown(rest)!r} is")
    return rest[len(_SOURCE) :]


def _nothing_after(rest: Words) -> None:
    """Nothing but another name of the stream."""
    named = rest[1:] if rest and rest[0].says("AS") else rest
    if len(named) > 1 or any(word.kind not in ("name", "quoted") for word in named):
        raise NotUnderstood(f"what {shown(rest)!r} means")


def _effects(rest: Words) -> Iterator[str]:
    """What clauses and table functions do, each named once. Names that are quoted are none of them."""
    for name in dict.fromkeys(word.name for at, word in enumerate(rest) if _is_clause(rest, at)):
        yield f"{name}{' BY' if name in ('GROUP', 'CONNECT') else ''} {_EFFECTS[name]}"
    if any(word.says(",") for _, word in outside(rest)) and not any(word.says("LATERAL") for word in rest):
        yield "a second source in FROM makes none or several rows of one event"


def _is_clause(rest: Words, at: int) -> bool:
    """`AT(OFFSET => -60)` names an argument."""
    return rest[at].says(*_EFFECTS) and not (at + 1 < len(rest) and rest[at + 1].says("=>"))


def _options(rest: Words) -> dict[str, str]:
    """`NAME = VALUE`, as many as there are."""
    found: dict[str, str] = {}
    at = 0
    while at < len(rest):
        if at + 2 >= len(rest) or rest[at].kind != "name" or not rest[at + 1].says("="):
            raise NotUnderstood(f"what {shown(rest[at:])!r} means")
        end = closing(rest, at + 2) if rest[at + 2].says("(") else at + 2
        found[rest[at].name] = shown(rest[at + 2 : end + 1]).strip("'").upper()
        at = end + 1
        if at < len(rest) and rest[at].says(","):
            at += 1
    return found


def _unknown_options(options: Mapping[str, str]) -> Iterator[str]:
    for name, value in options.items():
        if value not in _HARMLESS.get(name, ()):
            yield f"{name} = {value} is not known to keep every row as it is"


def _name(rest: Words) -> tuple[tuple[str, ...], Words]:
    """A name of one to three parts, perhaps in IDENTIFIER('…'), and what stands behind it."""
    if len(rest) > 3 and rest[0].says("IDENTIFIER") and rest[1].says("(") and rest[2].kind == "string":
        name, more = _name(words(rest[2].text))
        if more or not rest[3].says(")"):
            raise NotUnderstood(f"which table {shown(rest[:4])!r} is")
        return name, rest[4:]
    parts: list[str] = []
    at = 0
    while at < len(rest) and rest[at].kind in ("name", "quoted"):
        parts.append(rest[at].name)
        at += 1
        if at >= len(rest) or not rest[at].says("."):
            break
        at += 1
    if not 1 <= len(parts) <= 3:
        raise NotUnderstood(f"which table {shown(rest)!r} is")
    return tuple(parts), rest[at:]


def _column(part: Words) -> str:
    if len(part) != 1 or part[0].kind not in ("name", "quoted"):
        raise NotUnderstood(f"which column {shown(part)!r} is")
    return part[0].name


def _elsewhere(into: tuple[str, ...], table: tuple[str, str, str]) -> Iterator[str]:
    """A name with fewer parts is completed by the pipe's own database and schema, which are the table's."""
    if into != table[3 - len(into) :]:
        yield f"it loads into {'.'.join(into)}, and SNOWFLAKE_TABLE is {'.'.join(table)}"


def _lost(wanted: Sequence[Column], filled: Mapping[str, Selected]) -> Iterator[str]:
    """Why columns of ours do not get what evsup sends for them."""
    ours = {column.name for column in wanted}
    elsewhere = {one.key: other for other, one in filled.items() if other not in ours}
    for column in wanted:
        found = filled.get(column.name)
        if found and not found.is_whole(column):
            yield f"{column.name} gets {found.text}{_case(column, found)}: write $1:{column.name}"
        elif not found and column.name in elsewhere:
            yield f"{column.name} goes into {elsewhere[column.name]}"
    if nowhere := [name for column in wanted if (name := column.name) not in filled and name not in elsewhere]:
        yield f"nothing fills {', '.join(nowhere)}"


def _case(column: Column, found: Selected) -> str:
    is_miswritten = found.key and found.key != column.name and found.key.upper() == column.name
    return ", which is always NULL, because keys are told apart by case" if is_miswritten else ""
