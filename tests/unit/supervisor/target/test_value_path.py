import pytest

from shared.errors import ExitCode, UsageError
from supervisor.target.value_path import parse_condition, parse_key


@pytest.mark.parametrize(
    ("typed", "sql"),
    [
        ("PARTITION_KEY", '"PARTITION_KEY"::VARCHAR'),
        ("partition_key", '"PARTITION_KEY"::VARCHAR'),
        ('"my key"', '"my key"::VARCHAR'),
        ("payload:id", '"PAYLOAD":"id"::VARCHAR'),
        ("PAYLOAD:Id", '"PAYLOAD":"Id"::VARCHAR'),
        ("PAYLOAD:after.id", '"PAYLOAD":"after"."id"::VARCHAR'),
        ('PAYLOAD:"a.b:c"[0].d[12]', '"PAYLOAD":"a.b:c"[0]."d"[12]::VARCHAR'),
        ("_EVSUP:unknown.id", '"_EVSUP":"unknown"."id"::VARCHAR'),
        ('PAYLOAD:"a|b=c"', '"PAYLOAD":"a|b=c"::VARCHAR'),
        ('"a|b"|PAYLOAD:"|"', 'COALESCE("a|b"::VARCHAR, "PAYLOAD":"|"::VARCHAR)'),
        ("PAYLOAD:a | PAYLOAD:b", 'COALESCE("PAYLOAD":"a"::VARCHAR, "PAYLOAD":"b"::VARCHAR)'),
    ],
)
def test_a_place_in_a_row_is_typed_as_in_snowflake_and_stands_quoted_in_sql(typed: str, sql: str) -> None:
    assert parse_key(typed).sql == sql


@pytest.mark.parametrize(
    "typed",
    [
        "", "PAYLOAD:", ":id", "PAYLOAD:a..b", "PAYLOAD:a[x]", "PAYLOAD:a[-1]", "PAYLOAD:@timestamp", "PAYLOAD.id",
        "id) OR (1=1", "PAYLOAD:id; DROP TABLE T", 'PAYLOAD:"a"b"', 'PAYLOAD:"', "PAYLOAD:a--", "1a", "a b", "a|",
        "a\nb", 'PAYLOAD:"a\nb"', '"a|b', 'a|"b', "|a", "a||b", "PAYLOAD:id::NUMBER", "PAYLOAD['id']",
    ],
)  # fmt: skip
def test_what_is_no_place_never_reaches_sql(typed: str) -> None:
    with pytest.raises(UsageError, match="PAYLOAD:id") as refused:
        parse_key(typed)
    assert refused.value.exit_code == ExitCode.USAGE


@pytest.mark.parametrize(
    ("typed", "sql"),
    [
        ("PAYLOAD:op=d", '"PAYLOAD":"op"::VARCHAR = \'d\''),
        ("PAYLOAD:op=", '"PAYLOAD":"op"::VARCHAR = \'\''),
        ("PAYLOAD:op=a=b", '"PAYLOAD":"op"::VARCHAR = \'a=b\''),
        ('PAYLOAD:"a=b|c"=d', '"PAYLOAD":"a=b|c"::VARCHAR = \'d\''),
        ('PAYLOAD:op="d"', '"PAYLOAD":"op"::VARCHAR = \'"d"\''),
        ('PAYLOAD:op="', '"PAYLOAD":"op"::VARCHAR = \'"\''),
        ("PAYLOAD:op=' OR 1=1 --", "\"PAYLOAD\":\"op\"::VARCHAR = ''' OR 1=1 --'"),
        ("PAYLOAD:op=\\' OR 1=1 --", "\"PAYLOAD\":\"op\"::VARCHAR = '\\\\'' OR 1=1 --'"),
    ],
)
def test_the_value_of_a_condition_is_text_whatever_is_in_it(typed: str, sql: str) -> None:
    assert parse_condition(typed).sql == sql


@pytest.mark.parametrize(
    "typed", ["PAYLOAD:op", "=d", "PAYLOAD:op=\n", "PAYLOAD:op=a\x00", "1 OR 1=1", 'PAYLOAD:"a=b"', 'PAYLOAD:"a=b']
)
def test_what_is_no_condition_never_reaches_sql(typed: str) -> None:
    with pytest.raises(UsageError):
        parse_condition(typed)
