"""Times and durations as text, to the last digit that came."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import iso8601

MICROSECONDS = 10**6


@pytest.mark.parametrize(
    ("count", "units", "text"),
    [
        (0, 1000, "1970-01-01T00:00:00"),
        (1_714_644_000_000, 1000, "2024-05-02T10:00:00"),
        (1_714_644_000_120, 1000, "2024-05-02T10:00:00.120000"),
        (-1, 1000, "1969-12-31T23:59:59.999000"),
        (1, 10**7, "1970-01-01T00:00:00.0000001"),
        (1_500_000_001, 10**9, "1970-01-01T00:00:01.500000001"),
        (253_402_300_800_000, 1000, None),
        (-62_135_596_800_001, 1000, None),
        (2**63 - 1, 1000, None),
        (-(2**63), 10**9, "1677-09-21T00:12:43.145224192"),
    ],
)
def test_a_time_has_all_its_digits_or_none(count: int, units: int, text: str | None) -> None:
    assert iso8601.date_time(count, units) == text


@given(st.datetimes())
def test_any_time_of_the_calendar_is_its_text(time: datetime) -> None:
    count = (time - iso8601.EPOCH) // timedelta(microseconds=1)
    text = iso8601.date_time(count, MICROSECONDS)
    assert text is not None
    assert datetime.fromisoformat(f"{text}Z") == time.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("days", "text"),
    [(0, "1970-01-01"), (19_845, "2024-05-02"), (-719_162, "0001-01-01"), (-719_163, None), (2**31, None)],
)
def test_a_day(days: int, text: str | None) -> None:
    assert iso8601.day(days) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "00:00:00"), (86_399_999, "23:59:59.999000"), (86_400_000, None), (-1, None)]
)
def test_a_time_of_day(count: int, text: str | None) -> None:
    assert iso8601.time_of_day(count, 1000) == text


@pytest.mark.parametrize(
    ("ticks", "text"),
    [
        (0, "PT0S"),
        (36_000_000_000, "PT1H"),
        (1, "PT0.0000001S"),
        (-10_000_000, "-PT1S"),
        (12_345_000, "PT1.2345S"),
        (864_000_000_000, "P1D"),
        (937_840_000_000, "P1DT2H3M4S"),
        (2**63 - 1, "P10675199DT2H48M5.4775807S"),
        (-(2**63), "-P10675199DT2H48M5.4775808S"),
    ],
)
def test_a_duration(ticks: int, text: str) -> None:
    assert iso8601.duration(ticks, 10**7) == text
