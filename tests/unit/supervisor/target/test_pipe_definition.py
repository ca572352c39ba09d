# ruff: noqa: S608 - no statement is run
"""A pipe is trusted when its text makes one row of one event with our columns; anything else is named."""

import pytest

from shared.snowflake.tables import envelope_columns
from supervisor.target.pipe_definition import Judged, judged

WANTED = envelope_columns()
NAMES = [column.name for column in WANTED]
STREAM = "TABLE(DATA_SOURCE(TYPE => 'STREAMING'))"
KEYS = ", ".join(f"$1:{name}" for name in NAMES)
COLUMNS = ", ".join(NAMES)
BY_NAME = f"COPY INTO T FROM {STREAM} MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE"


def judge(definition: str) -> Judged:
    return judged(definition, ("D", "S", "T"), [*NAMES, "THEIRS"], WANTED)


def selects(values: str = KEYS, behind: str = "", columns: str = COLUMNS) -> Judged:
    return judge(f"COPY INTO T ({columns}) FROM (SELECT {values} FROM {STREAM} {behind})")


def values(**changed: str) -> str:
    return ", ".join(changed.get(name, f"$1:{name}") for name in NAMES)


@pytest.mark.parametrize(
    "definition",
    [
        BY_NAME,
        f"{BY_NAME} CLUSTER_AT_INGEST_TIME = TRUE ON_ERROR = 'CONTINUE';",
        f'/* WHERE */ copy INTO d.s."T" FROM {STREAM.lower()} -- LIMIT 1\n match_by_column_name=case_sensitive // JOIN',
        f"COPY INTO S.T ({COLUMNS}) FROM (SELECT {KEYS} FROM {STREAM} AS s)",
        f"COPY INTO T FROM (SELECT {KEYS} FROM {STREAM})",
    ],
)
def test_a_pipe_that_takes_each_key_to_its_column_is_trusted(definition: str) -> None:
    found = judge(definition)
    assert (found.faults, found.doubts) == ((), ())


@pytest.mark.parametrize(
    "changed",
    [
        {"SEQUENCE_NUMBER": "$1:SEQUENCE_NUMBER::NUMBER(38, 0)"},
        {"PARTITION_ID": "CAST($1['PARTITION_ID'] AS VARCHAR) AS partition_id"},
        {"ENQUEUED_TIME": "TO_TIMESTAMP_TZ(s.$1:ENQUEUED_TIME::STRING)"},
        {"RAW_BODY": "TO_BINARY($1:RAW_BODY, 'BASE64') raw"},
        {"PAYLOAD": '($1:"PAYLOAD")::VARIANT AS "WHERE"'},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_casts_brackets_and_names_change_nothing(changed: dict[str, str]) -> None:
    assert selects(values(**changed), "s").faults == ()


def test_the_order_of_columns_is_the_lists_own() -> None:
    turned = list(reversed(NAMES))
    assert selects(", ".join(f"$1:{name}" for name in turned), columns=", ".join(turned)).faults == ()


def test_computed_columns_of_others_are_fine_and_known_to_be_filled() -> None:
    found = selects(f"{KEYS}, CURRENT_TIMESTAMP(), ROW_NUMBER() OVER (ORDER BY 1)", columns=f"{COLUMNS}, LOADED_AT, N")
    assert found.faults == ()
    assert found.fills == frozenset((*NAMES, "LOADED_AT", "N"))
    assert judge(BY_NAME).fills is None


@pytest.mark.parametrize(
    ("behind", "effect"),
    [
        ("WHERE $1:PAYLOAD:x = 1", "WHERE leaves events out"),
        ("s, LATERAL FLATTEN(input => s.$1:PAYLOAD) f", "FLATTEN makes more rows of one event"),
        ("s, TABLE(FLATTEN(s.$1:PAYLOAD)) f", "FLATTEN makes more rows of one event"),
        ("s LEFT OUTER JOIN DIM d ON d.k = s.$1:PAYLOAD:k", "JOIN makes none or several rows of one event"),
        ("s, DIM d", "a second source in FROM makes none or several rows of one event"),
        ("LIMIT 5", "LIMIT leaves events out"),
        ("FETCH FIRST 5 ROWS ONLY", "FETCH leaves events out"),
        ("QUALIFY ROW_NUMBER() OVER (PARTITION BY $1:MESSAGE_ID ORDER BY 1) = 1", "QUALIFY leaves events out"),
        ("GROUP BY ALL HAVING COUNT(*) > 1", "GROUP BY makes one row of many events"),
        ("SAMPLE (10)", "SAMPLE leaves events out"),
        ("UNION ALL SELECT 1 FROM x", "UNION makes more rows of one event"),
        ("EXCEPT SELECT 1 FROM x", "EXCEPT leaves events out"),
    ],
)
def test_what_breaks_one_event_one_row_is_named(behind: str, effect: str) -> None:
    assert effect in selects(behind=behind).faults


@pytest.mark.parametrize(
    ("before", "effect"), [("DISTINCT", "DISTINCT leaves out rows that look alike"), ("TOP 5", "TOP leaves events out")]
)
def test_words_before_the_values_are_seen_too(before: str, effect: str) -> None:
    assert selects(f"{before} {KEYS}").faults == (effect,)


def test_a_clause_in_a_derived_table_is_named() -> None:
    inner = f"COPY INTO T ({COLUMNS}) FROM (SELECT {KEYS} FROM (SELECT $1 FROM {STREAM} WHERE 1 = 1) x)"
    assert judge(inner).faults == ("WHERE leaves events out",)


@pytest.mark.parametrize(
    ("found", "fault"),
    [
        (selects(KEYS.rpartition(",")[0], columns=COLUMNS.rpartition(",")[0]), "nothing fills DECODE_ERROR"),
        (selects(values(PAYLOAD="$1:payload")), "$1:payload is always NULL, because keys are told apart by case"),
        (selects(columns=COLUMNS.replace("PAYLOAD", "BODY")), "PAYLOAD goes into BODY"),
        (selects(columns=COLUMNS.replace("PAYLOAD", '"payload"')), "PAYLOAD goes into payload"),
        (selects(values(PAYLOAD="$1:PAYLOAD:data")), "PAYLOAD is $1:PAYLOAD:data, not $1:PAYLOAD as a whole"),
        (selects(values(SEQUENCE_NUMBER="$1:SEQUENCE_NUMBER::FLOAT")), "SEQUENCE_NUMBER is cast to FLOAT"),
        (selects(values(SEQUENCE_NUMBER="$1:SEQUENCE_NUMBER::NUMBER(10)")), "SEQUENCE_NUMBER is cast to NUMBER(10)"),
        (selects(values(SEQUENCE_NUMBER="$1:SEQUENCE_NUMBER::NUMBER(a)")), "SEQUENCE_NUMBER is $1:SEQUENCE_NUMBER"),
        (selects(values(SEQUENCE_NUMBER="$1:SEQUENCE_NUMBER + 1")), "not $1:SEQUENCE_NUMBER as a whole"),
        (selects(values(ENQUEUED_TIME="$1:ENQUEUED_TIME::DATE")), "ENQUEUED_TIME is cast to DATE"),
        (selects(values(MESSAGE_ID="$1:MESSAGE_ID::VARCHAR(10)")), "MESSAGE_ID is cast to VARCHAR(10)"),
        (selects(values(PARTITION_ID="UPPER($1:PARTITION_ID)")), "evsup counts rows by it: write $1:PARTITION_ID"),
        (selects(f"{KEYS}, COUNT(*)", columns=f"{COLUMNS}, N"), "N: COUNT makes one row of many events"),
        (selects(f"{KEYS}, OBJECT_AGG(1, 2)", columns=f"{COLUMNS}, N"), "N: OBJECT_AGG makes one row of many events"),
        (selects(f"{KEYS}, 1"), "it names 13 columns and gives 14 values"),
        (judge(f"COPY INTO T (PAYLOAD) FROM (SELECT $1 FROM {STREAM})"), "nothing fills PAYLOAD, PARTITION_ID"),
        (judge(f"COPY INTO T FROM (SELECT * FROM {STREAM})"), "* does not say which columns are filled"),
        (judge(BY_NAME.replace("INTO T", "INTO U")), "it loads into U, and SNOWFLAKE_TABLE is D.S.T"),
        (judge(BY_NAME.replace("INTO T", 'INTO "t"')), "it loads into t"),
        (judge(BY_NAME.replace("INTO T", "INTO E.S.T")), "it loads into E.S.T"),
        (judge(f"{BY_NAME} ON_ERROR = ABORT_STATEMENT"), "ON_ERROR = ABORT_STATEMENT"),
        (judge(f"{BY_NAME} TRUNCATECOLUMNS = TRUE"), "TRUNCATECOLUMNS = TRUE"),
        (judge(f"{BY_NAME} FILE_FORMAT = (TYPE = JSON STRIP_NULL_VALUES = TRUE)"), "STRIP_NULL_VALUES = TRUE"),
    ],
)  # fmt: skip
def test_what_loses_or_changes_a_column_is_named(found: Judged, fault: str) -> None:
    assert [each for each in found.faults if fault in each], found.faults


@pytest.mark.parametrize(
    "definition",
    [
        "",
        "COPY INTO T",
        "COPY INTO T FROM @stage FILE_FORMAT = (TYPE = JSON)",
        "COPY INTO T FROM (SELECT $1:PAYLOAD FROM @stage)",
        f"COPY INTO T FROM {STREAM}",
        f"COPY INTO T FROM {STREAM} MATCH_BY_COLUMN_NAME = NONE",
        f"COPY INTO T FROM (WITH x AS (SELECT 1) SELECT {KEYS} FROM x)",
        f"COPY INTO T ({COLUMNS}) FROM (SELECT {KEYS} FROM (SELECT $1 FROM {STREAM}) x)",
        f"COPY INTO T ({COLUMNS}) FROM (SELECT {KEYS} FROM {STREAM} ORDER BY 1)",
        f"COPY INTO T ({COLUMNS}) FROM (SELECT {KEYS} FROM {STREAM}",
        f"COPY INTO T ({COLUMNS}, N) FROM (SELECT {KEYS}, (SELECT MAX(a) FROM x) FROM {STREAM})",
        "COPY INTO T FROM (SELECT 'no end",
        f"{BY_NAME} ~",
        f"INSERT INTO T SELECT 1 /* {BY_NAME} */",
    ],
)
def test_what_is_not_understood_is_a_fault_that_says_so(definition: str) -> None:
    assert [each for each in judge(definition).faults if "does not understand" in each]


@pytest.mark.parametrize(
    "value",
    ["' FROM x WHERE ('", "$$ WHERE ( $$", "'it''s -- no comment'", "'it\\'s /* none'", '"WHERE"', "1 -- ) FROM"],
)
def test_strings_quotes_and_comments_are_no_words_of_the_statement(value: str) -> None:
    found = selects(f"{KEYS}, {value}\n", columns=f"{COLUMNS}, N")
    assert found.faults == ()


def test_a_clause_cannot_hide_behind_quotes_or_comments() -> None:
    assert selects(behind="/* x */ wHeRe /* */ 1 = 1").faults == ("WHERE leaves events out",)
    assert selects(behind="-- nothing\nWHERE 1 = 1").faults == ("WHERE leaves events out",)
    assert "WHERE leaves events out" in selects(behind="\"s\" WHERE '\"' = '\"'").faults


def test_what_may_be_right_and_is_not_known_to_be_is_a_doubt() -> None:
    redacted = selects(values(PAYLOAD="OBJECT_DELETE($1:PAYLOAD, 'secret')"))
    assert (redacted.faults, len(redacted.doubts)) == ((), 1)
    assert "PAYLOAD is computed" in redacted.doubts[0]
    unknown = selects(f"{KEYS}, THEIR_FUNCTION($1:PAYLOAD)", columns=f"{COLUMNS}, N")
    assert unknown.doubts == (
        "N: evsup does not know the function THEIR_FUNCTION: it has to give one value for each row",
    )
