"""The window holds exactly what is in flight, within its bound."""

from hypothesis import given
from hypothesis import strategies as st

from worker.pipeline.window import Append, Window


def test_an_empty_window_takes_anything() -> None:
    window = Window(10, 1000)
    assert window.has_room(11, 5000)
    window.add(Append(5, 11, 5000), 0.0)
    assert not window.has_room(1, 1)


def test_the_bound_is_inclusive_in_rows_and_in_bytes() -> None:
    window = Window(10, 1000)
    window.add(Append(1, 5, 500), 0.0)
    assert window.has_room(5, 500)
    assert not window.has_room(6, 1)
    assert not window.has_room(1, 501)


def test_a_token_releases_everything_at_or_below_it_in_order() -> None:
    window = Window(100, 10_000)
    for end in (10, 20, 30):
        window.add(Append(end, 10, 100, f"offset-{end}"), 0.0)
    assert window.commit(9, 1.0) == []
    assert [append.end for append in window.commit(25, 1.0)] == [10, 20]
    assert (window.rows, window.size_bytes) == (10, 100)
    assert window.commit(25, 1.0) == []
    assert window.commit(30, 1.0) == [Append(30, 10, 100, "offset-30")]
    assert window.is_empty


def test_a_stall_counts_from_the_last_commit_and_only_while_rows_are_in_flight() -> None:
    window = Window(100, 10_000)
    assert window.stalled_s(1000.0) == 0.0
    window.add(Append(1, 1, 1), 1000.0)
    window.add(Append(2, 1, 1), 1050.0)
    assert window.stalled_s(1060.0) == 60.0
    window.commit(1, 1060.0)
    assert window.stalled_s(1061.0) == 1.0
    window.commit(1, 1070.0)
    assert window.stalled_s(1071.0) == 11.0
    window.commit(2, 1080.0)
    assert window.stalled_s(2000.0) == 0.0
    window.add(Append(3, 1, 1), 2000.0)
    assert window.stalled_s(2003.0) == 3.0


steps = st.lists(
    st.tuples(st.just("add"), st.integers(1, 5), st.integers(0, 50)) | st.tuples(st.just("commit"), st.integers(0, 60)),
    max_size=40,
)


@given(steps, st.integers(1, 12), st.integers(1, 120))
def test_rows_and_bytes_are_the_sum_of_what_is_in_flight(
    steps: list[tuple[str, int] | tuple[str, int, int]], max_rows: int, max_bytes: int
) -> None:
    window, inflight, end = Window(max_rows, max_bytes), list[Append](), 0
    for step in steps:
        match step:
            case ("add", rows, size_bytes):
                fits = sum(a.rows for a in inflight) + rows <= max_rows
                fits = fits and sum(a.size_bytes for a in inflight) + size_bytes <= max_bytes
                assert window.has_room(rows, size_bytes) == (fits or not inflight)
                if not window.has_room(rows, size_bytes):
                    continue
                end += rows
                inflight.append(Append(end, rows, size_bytes))
                window.add(inflight[-1], 0.0)
            case (_, token):
                released = [append for append in inflight if append.end <= token]
                assert window.commit(token, 0.0) == released
                inflight = inflight[len(released) :]
        assert window.rows == sum(append.rows for append in inflight)
        assert window.size_bytes == sum(append.size_bytes for append in inflight)
        assert window.is_empty == (not inflight)
        assert len(inflight) <= 1 or (window.rows <= max_rows and window.size_bytes <= max_bytes)
