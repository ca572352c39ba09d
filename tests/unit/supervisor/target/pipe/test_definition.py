# ruff: noqa: S608 - no statement is run
"""A pipe is trusted when its definition makes one row of one event with our columns. Anything else is named."""

import pytest

from shared.snowflake.tables import envelope_columns
from supervisor.target.pipe.definition import PipeCheck, check_definition

WANTED = envelope_columns()
NAMES = [column.name for column in WANTED]
STREAM = "TABLE(DATA_SOURCE(TYPE => 'STREAMING'))"
KEYS = ", ".join(f"$1:{name}" for name in NAMES)
COLUMNS = ", ".join(NAMES)
BY_NAME = f"COPY INTO T FROM {STREAM} MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE"


def check(definition: str) -> PipeCheck:
    return check_definition(definition, ("D", "S", "T"), [*NAMES, "THEIRS"], WANTED)


def selects(values: str = KEYS, behind: str = "", columns: str = COLUMNS) -> PipeCheck:
    return check(f"COPY INTO T ({columns}) FROM (SELECT {values} FROM {STREAM} {behind})")


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
        f"COPY INTO IDENTIFIER('s.t') ({COLUMNS}) FROM (SELECT {KEYS} FROM {STREAM})",
    ],
)
def test_a_pipe_that_takes_each_key_to_its_column_is_trusted(definition: str) -> None:
    assert check(definition).problems == ()


@pytest.mark.parametrize(
    "changed",
    [
        {"SEQUENCE_NUMBER": "$1:SEQUENCE_NUMBER::NUMBER(38, 0)"},
        {"PARTITION_ID": "CAST($1['PARTITION_ID'] AS VARCHAR) AS partition_id"},
        {"SEQUENCE_NUMBER": "CAST(($1:SEQUENCE_NUMBER) AS NUMBER(19))::BIGINT"},
        {"ENQUEUED_TIME": "s.$1:ENQUEUED_TIME::TIMESTAMP_TZ(3) at_"},
        {"ENQUEUED_TIME": "$1:ENQUEUED_TIME::TIMESTAMPTZ"},
        {"MESSAGE_ID": "$1:MESSAGE_ID::VARCHAR(16777216)"},
        {"MESSAGE_ID": "$1:MESSAGE_ID::STRING::TEXT(134217728)"},
        {"RAW_BODY": "$1:RAW_BODY::BINARY(8388608) raw"},
        {"RAW_BODY": "$1:RAW_BODY::VARBINARY"},
        {"PAYLOAD": '($1:"PAYLOAD")::VARIANT AS "WHERE"'},
    ],
    ids=lambda changed: next(iter(changed.values())),
)
def test_casts_to_the_own_type_brackets_and_names_change_nothing(changed: dict[str, str]) -> None:
    assert selects(values(**changed), "s").problems == ()


def test_columns_may_stand_in_any_order() -> None:
    turned = list(reversed(NAMES))
    assert selects(", ".join(f"$1:{name}" for name in turned), columns=", ".join(turned)).problems == ()


def test_computed_values_may_fill_columns_that_are_not_evsups() -> None:
    found = selects(f"{KEYS}, CURRENT_TIMESTAMP(), ROW_NUMBER() OVER (ORDER BY 1)", columns=f"{COLUMNS}, LOADED_AT, N")
    assert found.problems == ()
    assert found.filled == frozenset((*NAMES, "LOADED_AT", "N"))
    assert check(BY_NAME).filled is None


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
    assert effect in selects(behind=behind).problems


@pytest.mark.parametrize(
    ("before", "effect"), [("DISTINCT", "DISTINCT leaves out rows that look alike"), ("TOP 5", "TOP leaves events out")]
)
def test_keywords_before_the_values_are_named_too(before: str, effect: str) -> None:
    assert selects(f"{before} {KEYS}").problems == (effect,)


def test_a_clause_in_a_derived_table_is_named() -> None:
    inner = f"COPY INTO T ({COLUMNS}) FROM (SELECT {KEYS} FROM (SELECT $1 FROM {STREAM} WHERE 1 = 1) x)"
    assert check(inner).problems == ("WHERE leaves events out",)


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        (selects(KEYS.rpartition(",")[0], columns=COLUMNS.rpartition(",")[0]), "nothing fills DECODE_ERROR"),
        (
            selects(values(PAYLOAD="$1:payload")),
            "PAYLOAD gets $1:payload, which is always NULL, because keys are case-sensitive",
        ),
        (selects(columns=COLUMNS.replace("PAYLOAD", "BODY")), "PAYLOAD goes into BODY"),
        (selects(columns=COLUMNS.replace("PAYLOAD", '"payload"')), "PAYLOAD goes into payload"),
        (selects(f"{KEYS}, 1"), "it names 13 columns and gives 14 values"),
        (check(f"COPY INTO T (PAYLOAD) FROM (SELECT $1 FROM {STREAM})"), "nothing fills PARTITION_ID, SEQUENCE_NUMBER"),
        (check(f"COPY INTO T FROM (SELECT * FROM {STREAM})"), "* does not say which columns are filled"),
        (check(BY_NAME.replace("INTO T", "INTO U")), "it loads into U, and SNOWFLAKE_TABLE is D.S.T"),
        (check(BY_NAME.replace("INTO T", "INTO IDENTIFIER('u')")), "it loads into U"),
        (check(BY_NAME.replace("INTO T", 'INTO "t"')), "it loads into t"),
        (check(BY_NAME.replace("INTO T", "INTO E.S.T")), "it loads into E.S.T"),
        (check(f"{BY_NAME} ON_ERROR = ABORT_STATEMENT"), "ON_ERROR = ABORT_STATEMENT"),
        (check(f"{BY_NAME} TRUNCATECOLUMNS = TRUE"), "TRUNCATECOLUMNS = TRUE"),
        (check(f"{BY_NAME} FILE_FORMAT = (TYPE = JSON STRIP_NULL_VALUES = TRUE)"), "STRIP_NULL_VALUES = TRUE"),
    ],
)  # fmt: skip
def test_what_loses_or_changes_a_column_is_named(found: PipeCheck, problem: str) -> None:
    assert [each for each in found.problems if problem in each], found.problems


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
        f"COPY INTO T ({COLUMNS}) FROM (SELECT {KEYS} FROM {STREAM} AT(OFFSET => -60))",
        f"COPY INTO IDENTIFIER('t u') ({COLUMNS}) FROM (SELECT {KEYS} FROM {STREAM})",
        f"COPY INTO T ({COLUMNS}) FROM (SELECT {KEYS} FROM {STREAM}",
        f"COPY INTO T ({COLUMNS}, N) FROM (SELECT {KEYS}, (SELECT MAX(a) FROM x) FROM {STREAM})",
        "COPY INTO T FROM (SELECT 'no end",
        f"{BY_NAME} ~",
        f"INSERT INTO T SELECT 1 /* {BY_NAME} */",
    ],
)
def test_a_definition_that_is_not_understood_is_a_problem_that_says_so(definition: str) -> None:
    assert [each for each in check(definition).problems if "does not understand" in each]


@pytest.mark.parametrize(
    "value",
    ["' FROM x WHERE ('", "$$ WHERE ( $$", "'it''s -- no comment'", "'it\\'s /* none'", '"WHERE"', "1 -- ) FROM"],
)
def test_text_in_strings_quotes_and_comments_is_not_a_clause(value: str) -> None:
    found = selects(f"{KEYS}, {value}\n", columns=f"{COLUMNS}, N")
    assert found.problems == ()


def test_a_clause_cannot_hide_behind_quotes_or_comments() -> None:
    assert selects(behind="/* x */ wHeRe /* */ 1 = 1").problems == ("WHERE leaves events out",)
    assert selects(behind="-- nothing\nWHERE 1 = 1").problems == ("WHERE leaves events out",)
    assert "WHERE leaves events out" in selects(behind="\"s\" WHERE '\"' = '\"'").problems


@pytest.mark.parametrize(
    "value",
    [
        "$1:PAYLOAD:data", "$1['PAYLOAD']['data']", "$1.PAYLOAD", "GET($1, 'PAYLOAD')", "$1", "PAYLOAD", "NULL",
        "$1:PAYLOAD::VARCHAR", "TO_JSON($1:PAYLOAD)", "OBJECT_DELETE($1:PAYLOAD, 'secret')", "MAX($1:PAYLOAD)",
        "$1:PAYLOAD::VARCHAR::VARIANT", "($1:PAYLOAD:data)", "TRY_CAST($1:PAYLOAD AS VARIANT)", "$1:OFFSET",
    ],
)  # fmt: skip
def test_anything_but_the_columns_own_key_is_refused_with_what_to_write(value: str) -> None:
    assert f"PAYLOAD gets {value}: write $1:PAYLOAD" in selects(values(PAYLOAD=value)).problems


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MESSAGE_ID", "$1:MESSAGE_ID::CHAR"),
        ("MESSAGE_ID", "$1:MESSAGE_ID::CHARACTER"),
        ("MESSAGE_ID", "$1:MESSAGE_ID::NCHAR"),
        ("MESSAGE_ID", "$1:MESSAGE_ID::VARCHAR(10)"),
        ("MESSAGE_ID", "$1:MESSAGE_ID::VARIANT"),
        ("MESSAGE_ID", "TO_VARCHAR($1:MESSAGE_ID, '999')"),
        ("PARTITION_ID", "UPPER($1:PARTITION_ID)"),
        ("SEQUENCE_NUMBER", "$1:SEQUENCE_NUMBER::FLOAT"),
        ("SEQUENCE_NUMBER", "$1:SEQUENCE_NUMBER::NUMBER(10)"),
        ("SEQUENCE_NUMBER", "$1:SEQUENCE_NUMBER::NUMBER(38, 20)"),
        ("SEQUENCE_NUMBER", "$1:SEQUENCE_NUMBER::NUMBER(a)"),
        ("SEQUENCE_NUMBER", "TO_NUMBER($1:SEQUENCE_NUMBER, 5, 0)"),
        ("SEQUENCE_NUMBER", "$1:SEQUENCE_NUMBER + 1"),
        ("ENQUEUED_TIME", "$1:ENQUEUED_TIME::DATE"),
        ("ENQUEUED_TIME", "$1:ENQUEUED_TIME::TIMESTAMP"),
        ("ENQUEUED_TIME", "$1:ENQUEUED_TIME::DATETIME"),
        ("ENQUEUED_TIME", "$1:ENQUEUED_TIME::TIMESTAMP_NTZ"),
        ("ENQUEUED_TIME", "$1:ENQUEUED_TIME::TIMESTAMP_LTZ"),
        ("ENQUEUED_TIME", "$1:ENQUEUED_TIME::TIMESTAMP_TZ(0)"),
        ("ENQUEUED_TIME", "TO_TIMESTAMP_TZ($1:ENQUEUED_TIME, 'YYYY')"),
        ("RAW_BODY", "TO_BINARY($1:RAW_BODY, 'UTF-8')"),
        ("RAW_BODY", "$1:RAW_BODY::BINARY(100)"),
    ],
)
def test_a_conversion_that_may_cut_or_change_a_value_is_refused(name: str, value: str) -> None:
    (problem,) = selects(values(**{name: value})).problems
    assert problem.startswith(f"{name} gets ")
    assert problem.endswith(f": write $1:{name}")


@pytest.mark.parametrize(
    "value",
    [
        "MAX(1) OVER ()",
        "FIRST_VALUE($1:PAYLOAD:a) IGNORE NULLS OVER (PARTITION BY ($1:OFFSET) ORDER BY 1)",
        "LISTAGG($1:OFFSET, ',') WITHIN GROUP (ORDER BY 1) OVER (PARTITION BY 1)",
        "CASE WHEN ($1:OFFSET IS NULL) THEN (1) ELSE DATE_TRUNC('day', $1:ENQUEUED_TIME::TIMESTAMP_NTZ(0)) END",
        "TO_NUMBER($1:PAYLOAD:n, 5, 0)",
        "TRY_TO_DATE(REGEXP_SUBSTR($1:PAYLOAD:day::CHAR(10), '[0-9]+'))",
    ],
)
def test_one_value_for_each_event_may_fill_a_column_that_is_not_evsups(value: str) -> None:
    assert selects(f"{KEYS}, {value} AS N", columns=f"{COLUMNS}, N").problems == ()


@pytest.mark.parametrize(
    ("value", "function"),
    [
        ("COUNT(*)", "COUNT"),
        ("OBJECT_AGG(1, 2)", "OBJECT_AGG"),
        ("ARRAYAGG($1:OFFSET)", "ARRAYAGG"),
        ("BITANDAGG(1)", "BITANDAGG"),
        ("VECTOR_SUM($1:PAYLOAD)", "VECTOR_SUM"),
        ("MAX(1) IGNORE NULLS + 1", "MAX"),
        ("LISTAGG(1) WITHIN GROUP (ORDER BY 1)", "LISTAGG"),
        ("MAX(SUM(1)) OVER ()", "SUM"),
        ("FLATTEN($1:PAYLOAD)", "FLATTEN"),
        ("THEIR_FUNCTION($1:PAYLOAD)", "THEIR_FUNCTION"),
        ("THEIRS.UPPER($1:PAYLOAD)", "UPPER"),
        ('"UPPER"($1:PAYLOAD)', '"UPPER"'),
    ],
)
def test_a_function_that_is_not_known_to_give_one_value_for_each_event_is_refused(value: str, function: str) -> None:
    (problem,) = selects(f"{KEYS}, {value}", columns=f"{COLUMNS}, N").problems
    assert problem.startswith(f"N: evsup does not know whether {function} gives one value for each event")
    assert "SNOWFLAKE_CHECK_COLUMNS=false" in problem
