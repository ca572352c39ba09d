"""A tree that has nothing to report says one line an hour, with what it did in that hour."""

from typing import Any

from supervisor.status.hourly import PERIOD_S, HourlyReport
from tests.unit.captured_log import capture_logs
from tests.unit.supervisor.status.statuses import a_partition, a_tree

BEGAN_S = 1000.0


def lines(*looks: tuple[float, list[Any]]) -> list[dict[str, Any]]:
    """What is logged when these workers are seen at these times."""
    report = HourlyReport(BEGAN_S)
    with capture_logs() as logged:
        for after_s, workers in looks:
            report.follow(a_tree(*workers), BEGAN_S + after_s)
    return logged


def worker(partition: str, rows: int, epoch: int = 1, **fields: Any) -> Any:
    return a_partition(partition, epoch=epoch, rows_total=rows, bytes_total=rows * 100, **fields)


def test_one_line_an_hour_and_none_before() -> None:
    turns = [(float(after_s), [worker("0", after_s)]) for after_s in range(0, int(3 * PERIOD_S), 60)]
    logged = lines(*turns)
    assert [(line["event"], line["rows"], line["bytes"]) for line in logged] == [
        ("hourly_report", 3600, 360_000),
        ("hourly_report", 3600, 360_000),
    ]


def test_an_idle_tree_says_so_too() -> None:
    [line] = lines((PERIOD_S, [worker("0", 0, lag=None, row_age_s=None)]), (PERIOD_S + 1, []))
    assert (line["rows"], line["lag"], line["row_age_s"]) == (0, None, None)


def test_a_host_that_stood_still_for_hours_gets_one_line() -> None:
    assert len(lines((5 * PERIOD_S, []), (5 * PERIOD_S + 1, []), (6 * PERIOD_S - 1, []))) == 1


def test_rows_of_every_worker_count_once_whoever_held_the_partition() -> None:
    [first, second] = lines(
        (1, [worker("0", 10), worker("1", 5)]),
        (2, [worker("0", 30)]),  # 1 was handed over
        (3, [worker("0", 30), worker("1", 7, epoch=2)]),  # and came back
        (PERIOD_S, [worker("0", 31), worker("1", 7, epoch=2)]),
        (2 * PERIOD_S, [worker("0", 31), worker("1", 8, epoch=2)]),
    )
    assert (first["rows"], first["workers_started"]) == (31 + 5 + 7, 3)
    assert (second["rows"], second["workers_started"]) == (1, 0)


def test_it_names_the_whole_lag_the_oldest_row_and_the_links_that_broke() -> None:
    [line] = lines(
        (
            PERIOD_S,
            [
                worker("0", 1, lag=4, row_age_s=2.5, receiver_reopened_total=2),
                worker("1", 1, lag=None, row_age_s=60.0),
                worker("2", 1, lag=3, row_age_s=None, receiver_reopened_total=1),
            ],
        )
    )
    assert (line["lag"], line["row_age_s"], line["links_reopened"], line["partitions_held"]) == (7, 60.0, 3, 3)
