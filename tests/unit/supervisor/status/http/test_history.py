"""The curves of the last ten minutes."""

from supervisor.status.http.history import EVERY_S, MOST, Figure, History, Sample, figures, sample
from tests.unit.supervisor.status.statuses import a_partition, a_tree


def test_a_sample_is_the_newest_row_the_longest_way_behind_and_sums() -> None:
    rows = (
        a_partition("0", row_age_s=9.0, lag_s=0.0, lag=0, rows_per_s=0.5),
        a_partition("1", row_age_s=3.0, lag_s=70.0, lag=400, rows_per_s=2.0),
        a_partition("2", row_age_s=None, lag_s=None, lag=None, rows_per_s=0.0),
    )
    assert sample(rows) == Sample(3.0, 70.0, 400, 2.5)


def test_a_standby_has_no_numbers() -> None:
    assert sample(()) == Sample(None, None, None, None)
    assert {figure.text for figure in figures(sample(()), ())} == {"-"}


def test_ten_minutes_are_kept() -> None:
    assert MOST * EVERY_S == 600
    history = History()
    for number in range(MOST + 5):
        history.add(a_tree(a_partition(lag=number)))
    assert [one.lag for one in history.samples()] == list(range(5, MOST + 5))


def test_a_figure_says_what_is_now_and_the_highest_of_before() -> None:
    before = [Sample(8.0, 3.0, 1200, 10.0), Sample(None, None, None, None)]
    behind, newest, lag, throughput = figures(Sample(4.0, 0.0, 7, 2500.0), before)
    assert behind == Figure("Behind", "0 s", "highest 3 s in 10 s", (3.0, None, 0.0))
    assert (newest.text, newest.note) == ("4 s old", "highest 8 s in 10 s")
    assert (lag.text, lag.note) == ("7 events", "highest 1,200 in 10 s")
    assert (throughput.text, throughput.note) == ("2,500 rows/s", "highest 2,500 in 10 s")
