"""Rows are split for the SDK in order, and not one row is left behind."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.worker.rows.events import event, event_of, events
from worker.pipeline import chunks
from worker.pipeline.chunks import MAX_CHUNK_BYTES, chunked


def test_no_rows_are_no_chunks() -> None:
    assert chunked([]) == []


def test_a_chunk_is_named_by_its_first_and_last_event() -> None:
    (chunk,) = chunked([event_of(encoded) for encoded in events(7, 8, 9)])
    assert (chunk.start, chunk.end, chunk.offset) == (7, 9, "123")
    assert chunk.size_bytes == sum(each.size_bytes for each in chunk.events)


def test_a_row_beyond_the_limit_is_a_chunk_of_its_own() -> None:
    bodies = [b"{}", b'"' + b"x" * MAX_CHUNK_BYTES + b'"', b"{}"]
    rows = [event_of(event(body, number)) for number, body in enumerate(bodies)]
    assert [(chunk.start, chunk.end) for chunk in chunked(rows)] == [(0, 0), (1, 1), (2, 2)]


def test_the_limit_is_inclusive(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [event_of(encoded) for encoded in events(1, 2, 3)]
    monkeypatch.setattr(chunks, "MAX_CHUNK_BYTES", 2 * rows[0].size_bytes)
    assert [(chunk.start, chunk.end) for chunk in chunked(rows)] == [(1, 2), (3, 3)]


@given(st.lists(st.integers(0, 3000), max_size=20))
def test_chunks_keep_order_and_limit(sizes: list[int]) -> None:
    limit = 2 * 1300
    rows = [event_of(event(b'"' + b"x" * size + b'"', number)) for number, size in enumerate(sizes)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks, "MAX_CHUNK_BYTES", limit)
        made = chunked(rows)
    assert [each for chunk in made for each in chunk.events] == rows
    assert all(chunk.size_bytes <= limit or len(chunk.events) == 1 for chunk in made)
    for one, next_one in pairwise(made):
        assert one.size_bytes + next_one.events[0].size_bytes > limit
        assert one.end + 1 == next_one.start


def test_values_are_billable_and_keys_are_not() -> None:
    (chunk,) = chunked([event_of(encoded) for encoded in events(7, 8, 9)])
    names = json.loads(bytes(chunk.events[0].row))
    keys_and_marks = sum(len(f'"{name}":,') for name in names) - len(",") + len("{}")
    assert chunk.billable_bytes == chunk.size_bytes - 3 * keys_and_marks


def test_in_a_large_row_keys_are_not_looked_for() -> None:
    (chunk,) = chunked([event_of(event(b'"' + b"x" * 100_000 + b'"', 7))])
    assert chunk.billable_bytes == chunk.size_bytes
