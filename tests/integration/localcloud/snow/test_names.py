"""How the service compares names: without case in a URI, with case in quotes and in a status request."""

import pytest

from scripts.localcloud.snow.admin import AdminError
from scripts.localcloud.snow.driver import SdkError
from tests.harness.snow.sdk import COLUMNS, Snow, append, committed, failure


def test_two_spellings_of_a_channel_are_one_channel(snow: Snow) -> None:
    with snow.driver() as one, snow.driver() as two:
        for sdk in (one, two):
            sdk.client(snow.pipe)
        one.open(snow.channel)
        append(one, snow, 0, 4)
        committed(one, snow, "4")
        assert two.open(snow.channel.upper())["token"] == "4"
        append(one, snow, 5, 9)
        assert failure(one, snow).code == "InvalidChannelError"
    assert list(snow.admin.channels()) == [snow.channel]
    assert snow.rows() == [(5,)]


def test_database_schema_and_pipe_are_found_in_any_spelling(snow: Snow) -> None:
    database, schema, pipe = snow.pipe
    with snow.driver() as sdk:
        sdk.client((database.lower(), schema.title(), pipe.lower()))
        sdk.open(snow.channel)
        append(sdk, snow, 0, 4)
        committed(sdk, snow, "4")
    assert snow.admin.channels()[snow.channel].pipe == ".".join(snow.pipe)


@pytest.mark.parametrize(
    ("pipe", "found"),
    [
        ("Quoted-STREAMING", True),
        ("QUOTED-STREAMING", True),
        ('"Quoted-STREAMING"', True),
        ('"QUOTED-STREAMING"', False),
    ],
)
def test_a_table_with_a_quoted_name_is_found_by_its_very_name_in_quotes(snow: Snow, pipe: str, found: bool) -> None:
    snow.admin.execute_create_table(f'CREATE TABLE IF NOT EXISTS {snow.name[0]}.{snow.name[1]}."Quoted" (N NUMBER)')
    with snow.driver() as sdk:
        if found:
            sdk.client((*snow.pipe[:2], pipe))
            assert sdk.open(snow.channel)["code"] == "SUCCESS"
        else:
            with pytest.raises(SdkError, match="404"):
                sdk.client((*snow.pipe[:2], pipe))


def test_a_table_whose_name_differs_only_in_case_is_refused(snow: Snow) -> None:
    database, schema, table = snow.name
    with pytest.raises(AdminError, match="cannot hold"):
        snow.admin.create_table((database, schema, table.lower()), COLUMNS)
