"""Rows that were made for some columns have lost values when a later look finds one of them gone, or new."""

import pytest
from msgspec.structs import replace

from shared.ipc.messages import TableColumns
from shared.snowflake.column_loss import MadeFor, loss, made_for


def of(names: str, **types: str) -> TableColumns:
    """A column for each letter; one in small letters is not evsup's to fill."""
    filled = tuple(name for name in names if name.isupper())
    return TableColumns(names=filled, order=tuple((name, types.get(name, "VARCHAR")) for name in names))


def why(before: TableColumns, now: TableColumns) -> str | None:
    error = loss(before, now)
    return error.why if error else None


@pytest.mark.parametrize("names", ["ABC", "ABCD", "ABCx", "xABC"])
def test_columns_that_are_there_still_have_lost_nothing(names: str) -> None:
    assert why(of(names.replace("D", "")), of(names)) is None


@pytest.mark.parametrize(
    ("names", "lost"),
    [
        ("BCA", "the column A was dropped and added again"),
        ("BAC", "the column A, C was dropped and added again"),
        ("ADC", "there is no column B any more"),
        ("ADCB", "the column B, C was dropped and added again"),
        ("ABDC", "the column C was dropped and added again"),
    ],
)
def test_a_column_that_was_not_there_for_a_while_is_named(names: str, lost: str) -> None:
    assert why(of("ABC"), of(names)) == lost


def test_a_last_column_that_comes_back_behind_one_of_somebody_elses_is_noticed() -> None:
    assert why(of("ABx"), of("AxB")) == "the column B was dropped and added again"
    assert why(of("AxB"), of("AB")) is None, "evsup fills no column of somebody else's"
    assert why(of("AxB"), of("ABx")) is None


def test_a_column_of_another_type_was_made_anew() -> None:
    assert why(of("AB"), of("AB", B="NUMBER")) == "the column B was dropped and added again"
    assert why(of("Ab"), of("Ab", b="NUMBER")) is None


def test_a_computed_column_in_its_place_takes_no_value() -> None:
    assert why(of("AB"), replace(of("AB"), names=("A",))) == "there is no column B any more"


def test_a_pipe_that_begins_to_regard_case_has_lost_keys() -> None:
    sensitive = replace(of("A"), are_case_sensitive=True)
    assert "by their case" in (why(of("A"), sensitive) or "")
    assert why(sensitive, of("A")) is None


def test_a_table_that_was_created_at_another_time_is_another_one() -> None:
    before, now = (replace(of("A"), created=time) for time in ("2026-01-30", "2026-01-31"))
    assert "created at 2026-01-31, and rows were loaded into one that was created at 2026-01-30" in str(
        loss(before, now)
    )
    assert loss(now, now) is None
    assert loss(of("A"), now) is None, "an older evsup kept no time"
    assert loss(now, of("A")) is None, "the account does not say"
    kept = MadeFor("T", "P", before).text
    assert MadeFor("T", "OTHER", now).replaces(kept)
    assert not MadeFor("OTHER", "P", now).replaces(kept)
    assert not MadeFor("T", "P", now).replaces(None)


def test_what_is_kept_says_what_was_lost_since() -> None:
    now = MadeFor("T", "P", of("A"))
    error = now.lost_since(MadeFor("T", "P", of("AB")).text)
    assert error
    assert error.why == "there is no column B any more"
    assert made_for(now.text) == now


@pytest.mark.parametrize("kept", [None, "", "{}", "[", MadeFor("OTHER", "P", of("AB")).text])
def test_where_nothing_is_known_of_this_table_nothing_is_lost(kept: str | None) -> None:
    assert MadeFor("T", "P", of("A")).lost_since(kept) is None


def test_another_pipe_may_regard_case() -> None:
    now = MadeFor("T", "NEW", replace(of("A"), are_case_sensitive=True))
    assert now.lost_since(MadeFor("T", "OLD", of("A")).text) is None
    assert now.lost_since(MadeFor("T", "NEW", of("A")).text) is not None


def test_a_column_that_is_spelled_anew_takes_values_still_unless_the_pipe_regards_case() -> None:
    before, now = columns(("a", "b", "_EVSUP")), columns(("A", "b", "_EVSUP"))
    assert why(before, now) is None
    assert why(before, columns(("b", "_EVSUP", "A"))) == "the column a was dropped and added again"
    assert why(before, columns(("A", "b", "_EVSUP"), A="NUMBER")) == "the column a was dropped and added again"
    sensitive = replace(before, are_case_sensitive=True)
    assert why(sensitive, replace(now, are_case_sensitive=True)) == "there is no column a any more"


def test_columns_that_differ_in_case_alone_are_two() -> None:
    twins = columns(("A", "B", "a"), filled=("A", "B"))
    assert why(twins, twins) is None
    assert why(twins, columns(("B", "a"), filled=("B",))) == "there is no column A any more"


def test_rows_of_another_format_fill_other_columns_and_have_lost_nothing_by_that() -> None:
    names = ("K", "_EVSUP", "PAYLOAD")
    by_key, envelope = MadeFor("T", "P", columns(names)), MadeFor("T", "P", columns(names, filled=("PAYLOAD",)))
    assert envelope.lost_since(by_key.text) is None
    assert by_key.lost_since(envelope.text) is None
    error = MadeFor("T", "P", columns(("_EVSUP", "PAYLOAD"), filled=("PAYLOAD",))).lost_since(by_key.text)
    assert error
    assert error.why == "there is no column K any more"


def columns(names: tuple[str, ...], *, filled: tuple[str, ...] | None = None, **types: str) -> TableColumns:
    order = tuple((name, types.get(name, "VARCHAR")) for name in names)
    return TableColumns(names=names if filled is None else filled, order=order)


@pytest.mark.parametrize("text", [None, "", "x", "{}", '{"more":' + "[" * 10_000])
def test_what_nobody_can_read_is_as_nothing(text: str | None) -> None:
    assert made_for(text) is None
