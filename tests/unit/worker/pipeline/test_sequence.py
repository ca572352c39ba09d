"""Every event once and in order, whatever a reconnect delivers again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import MissingSequenceNumber
from worker.pipeline.sequence import Admission, Gap, admit


def fresh_numbers(admission: Admission, numbers: list[int]) -> list[int]:
    return [numbers[index] for index in admission.fresh]


@pytest.mark.parametrize(
    ("high", "numbers", "fresh", "gaps"),
    [
        (4, [5, 6, 7], [5, 6, 7], []),
        (4, [5, 6, 5, 6], [5, 6], []),
        (6, [5, 6, 5, 6], [], []),
        (4, [5, 6, 5, 6, 7], [5, 6, 7], []),
        (4, [4, 5], [5], []),
        (4, [3, 2, 1], [], []),
        (4, [], [], []),
        (4, [7], [7], [Gap(5, 6)]),
        (4, [5, 9, 12], [5, 9, 12], [Gap(6, 8), Gap(10, 11)]),
        (4, [9, 5, 6], [9], [Gap(5, 8)]),  # what comes late after its gap was named is a redelivery
        (None, [100, 101], [100, 101], []),
        (None, [0], [0], []),
        (None, [100, 102], [100, 102], [Gap(101, 101)]),
        (None, [], [], []),
        (-1, [0, 1], [0, 1], []),
    ],
)
def test_a_batch_is_sorted_into_fresh_redelivered_and_missing(
    high: int | None, numbers: list[int], fresh: list[int], gaps: list[Gap]
) -> None:
    admission = admit(high, numbers)
    assert fresh_numbers(admission, numbers) == fresh
    assert list(admission.gaps) == gaps
    assert admission.high == (fresh[-1] if fresh else high)


def test_a_gap_counts_its_events() -> None:
    assert Gap(5, 5).count == 1
    assert Gap(6, 8).count == 3


@pytest.mark.parametrize("numbers", [[None], [5, None], [5, 6, None, 7], [None, 5]])
@pytest.mark.parametrize("high", [None, 4])
def test_an_event_without_a_sequence_number_is_refused(high: int | None, numbers: list[int | None]) -> None:
    with pytest.raises(MissingSequenceNumber):
        admit(high, numbers)


@given(st.none() | st.integers(0, 10), st.lists(st.integers(0, 20), max_size=30))
def test_admission_is_the_strictly_rising_part(high: int | None, numbers: list[int]) -> None:
    admission = admit(high, numbers)
    expected, missing, last = list[int](), set[int](), high
    for number in numbers:
        if last is None or number > last:
            missing |= set() if last is None else set(range(last + 1, number))
            expected.append(number)
            last = number
    assert fresh_numbers(admission, numbers) == expected
    assert admission.high == last
    assert {number for gap in admission.gaps for number in range(gap.first, gap.last + 1)} == missing
    assert sum(gap.count for gap in admission.gaps) == len(missing)


@given(st.integers(0, 9), st.lists(st.integers(1, 7), max_size=9), st.data())
def test_no_reconnect_loses_or_repeats_an_event(high: int, sizes: list[int], data: st.DataObject) -> None:
    """Batches that rise, each delivered again from some earlier point: what is admitted is every number once."""
    admitted, sent = list[int](), high
    for size in sizes:
        again = data.draw(st.integers(0, sent), label="redelivered from")
        numbers = [*range(again, sent + 1), *range(sent + 1, sent + size + 1), *range(again, sent + size + 1)]
        reached = admitted[-1] if admitted else high
        admission = admit(reached, numbers)
        admitted += fresh_numbers(admission, numbers)
        assert admission.gaps == ()
        sent += size
    assert admitted == list(range(high + 1, sent + 1))
