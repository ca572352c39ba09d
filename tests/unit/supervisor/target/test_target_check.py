"""Table and pipe are checked by what the role may see. What it may not see is reported with the missing grant."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from shared.errors import (
    ConfigurationError,
    DoesNotExist,
    NotPermitted,
    NotSignedIn,
    RowsDoNotFit,
    SnowflakeUnavailable,
)
from shared.ipc.messages import TableColumns
from shared.snowflake.session import Row
from shared.snowflake.tables import envelope_columns
from supervisor.target.columns import Misfit
from supervisor.target.pipe.definition import PipeCheck
from supervisor.target.target_check import TargetCheck, check_target, with_opt_out
from tests.unit.plain_settings import snowflake

if TYPE_CHECKING:
    from shared.config.settings import SnowflakeSettings

NO_COLUMNS = TableColumns(names=())
BY_NAME = "COPY INTO FLIGHTS FROM TABLE(DATA_SOURCE(TYPE => 'STREAMING')) MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE"


class Answering:
    """A session that describes evsup's own table and one pipe."""

    def __init__(self, *pipes: dict[str, Any], **shown: list[Row]) -> None:
        self.pipes, self.asked, self.shown = list(pipes), list[str](), shown

    def query(self, statement: str, /) -> list[Row]:
        self.asked.append(statement)
        if statement.startswith("DESCRIBE TABLE"):
            return [
                {"name": one.name, "type": one.type, "null?": "N" if one.is_required else "Y", "default": None}
                for one in envelope_columns()
            ]
        if statement.startswith("SHOW"):
            return self.shown.get(statement.split()[1], [])
        if "NOPE" in statement:
            raise DoesNotExist("Snowflake failed", "does not exist or not authorized")
        return self.pipes


class WithTwin(Answering):
    """The same, with another column whose name differs from one of evsup's in case alone."""

    def query(self, statement: str, /) -> list[Row]:
        rows = super().query(statement)
        twin = {"name": "payload", "type": "VARIANT", "null?": "Y", "default": None}
        return [*rows, twin] if statement.startswith("DESCRIBE TABLE") else rows


def checked(pipe: str | None, *described: dict[str, Any], session: Answering | None = None) -> TargetCheck:
    settings: SnowflakeSettings = msgspec.structs.replace(snowflake(), pipe=pipe, role="LOADER")
    return check_target(session or Answering(*described), settings)


def test_the_default_pipe_is_not_described_in_whatever_case_its_name_is() -> None:
    for name in (None, "FLIGHTS-STREAMING", "flights-Streaming"):
        session = Answering()
        check = checked(name, session=session)
        check.refuse()
        assert check.pipe_summary.endswith("columns are matched by name")
        assert not any("PIPE" in statement for statement in session.asked)


def test_the_default_pipe_of_another_table_is_refused() -> None:
    with pytest.raises(RowsDoNotFit, match="it is the default pipe of TRAINS, not of FLIGHTS"):
        checked("TRAINS-STREAMING").refuse()


def test_a_named_pipe_is_trusted_for_its_definition_or_refused_by_what_is_in_it() -> None:
    assert checked("MINE", {"definition": BY_NAME}).pipe_summary == "MINE: columns are matched by name"
    filtered = checked("MINE", {"definition": BY_NAME + " WHERE 1 = 1"})
    assert filtered.pipe_summary.startswith("MINE, which cannot be trusted: ")
    with pytest.raises(RowsDoNotFit, match="a-pipe-of-your-own"):
        filtered.refuse()


def test_a_column_that_differs_from_one_of_ours_in_case_alone_is_refused_unless_the_pipe_tells_them_apart() -> None:
    with pytest.raises(RowsDoNotFit, match='cannot tell the columns "payload" and "PAYLOAD" apart') as refused:
        checked(None, session=WithTwin()).refuse()
    assert 'RENAME COLUMN "payload" TO "PAYLOAD_2";' in refused.value.fix
    exact = BY_NAME.replace("CASE_INSENSITIVE", "CASE_SENSITIVE")
    checked("MINE", session=WithTwin({"definition": exact})).refuse()


def test_a_refusal_names_what_is_certain_and_leaves_the_doubts_out() -> None:
    found = [Misfit("B is gone", "ADD B;"), Misfit("C has a DEFAULT", "DROP C;", is_doubtful=True)]
    with pytest.raises(RowsDoNotFit) as refused:
        TargetCheck("T", "P", (), found, PipeCheck(), NO_COLUMNS).refuse()
    assert (refused.value.why, refused.value.fix) == ("B is gone", "ADD B;")
    TargetCheck("T", "P", (), found[1:], PipeCheck(), NO_COLUMNS).refuse()


def test_a_pipe_that_snowflake_calls_invalid_is_refused() -> None:
    with pytest.raises(RowsDoNotFit, match="Snowflake calls it invalid: the table is gone"):
        checked("MINE", {"definition": BY_NAME, "invalid_reason": "the table is gone"}).refuse()


def test_a_pipe_that_cannot_be_seen_is_reported_with_its_grant() -> None:
    grant = 'GRANT OPERATE ON PIPE "EVENTS"."PUBLIC"."{}" TO ROLE "LOADER";'
    with pytest.raises(ConfigurationError) as absent:
        checked("NOPE").refuse()
    assert grant.format("NOPE") in absent.value.fix
    with pytest.raises(NotPermitted) as unseen:
        checked("MINE").refuse()
    assert checked("MINE").pipe_summary.startswith("MINE, whose definition cannot be read")
    assert unseen.value.fix == grant.format("MINE")


@pytest.mark.parametrize("kind", ["dynamic", "event", "external", "hybrid"])
def test_a_table_of_a_kind_that_takes_no_stream_is_refused_although_its_columns_fit(kind: str) -> None:
    session = Answering(TABLES=[{"name": "FLIGHTS", f"is_{kind}": "Y"}])
    with pytest.raises(RowsDoNotFit, match=f"{kind.upper()} TABLE, which no row can be streamed into"):
        checked(None, session=session).refuse()


def test_a_view_in_the_name_of_the_table_is_refused_although_its_columns_fit() -> None:
    with pytest.raises(RowsDoNotFit, match="it is a view"):
        checked(None, session=Answering(VIEWS=[{"name": "FLIGHTS"}])).refuse()
    checked(None, session=Answering(VIEWS=[{"name": "flights"}])).refuse()


def test_the_columns_are_those_of_the_table_that_was_created_then() -> None:
    time = datetime(2026, 1, 31, 10, tzinfo=UTC)
    for shown, created in ((time, "2026-01-31T10:00:00+00:00"), ("then", "then"), (None, "")):
        session = Answering(TABLES=[{"name": "FLIGHTS", "created_on": shown, "is_dynamic": "N"}])
        assert checked(None, session=session).filled.created == created


def test_only_a_check_without_a_result_can_be_switched_off() -> None:
    assert with_opt_out(SnowflakeUnavailable("No answer")).fix.startswith("SNOWFLAKE_CHECK_COLUMNS=false")
    assert with_opt_out(NotPermitted("No grant")).fix.startswith("SNOWFLAKE_CHECK_COLUMNS=false")
    assert not with_opt_out(RowsDoNotFit("No column")).fix
    assert with_opt_out(NotSignedIn("No", "a wrong key", "Set it.")).fix == "Set it.", "rows need the key as well"
