"""What is wrong is said in one sentence, with the partitions it is about and what to do."""

from typing import Any

import pytest

from supervisor.status.words.findings import COMMIT_LATE_S, HUB_SILENT_S, LAG_OLD_S, REPORT_LATE_S, findings, named
from tests.unit.supervisor.status.statuses import a_partition, a_tree


def said(**changes: Any) -> list[str]:
    """Of a tree one of whose two partitions is changed so."""
    return [str(finding) for finding in findings(a_tree(a_partition("0"), a_partition("1", **changes)))]


def test_of_a_tree_that_moves_events_nothing_is_said() -> None:
    assert said() == []


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"frame_age_s": HUB_SILENT_S + 1},
            "Nothing heard from Event Hubs for 21 s; lag is as of then (partition 1). Run `evsup check`.",
        ),
        (
            {"commit_wait_s": COMMIT_LATE_S + 2},
            (
                "Rows are in flight and nothing was committed for 14 s (partition 1). See https://status.snowflake.com,"
                " and run `evsup check`."
            ),
        ),
        (
            {"commit_wait_s": COMMIT_LATE_S + 2, "snowflake_throttled_total": 5},
            (
                "Rows are in flight and nothing was committed for 14 s; Snowflake has refused 5 requests as too many"
                " (429) since the workers started (partition 1). See https://status.snowflake.com, and run `evsup"
                " check`."
            ),
        ),
        (
            {"lag_age_s": LAG_OLD_S + 1},
            "Event Hubs does not say where the partition ends; lag is as of 91 s ago (partition 1). Run `evsup check`.",
        ),
        (
            {"report_age_s": REPORT_LATE_S + 3},
            (
                "No report from the worker for 8 s (partition 1). Look at the host's load; a worker that hangs is"
                " killed after 12 s."
            ),
        ),
        ({"state": "failed"}, "The worker has failed (partition 1). The log says why (`worker_ended`)."),
        (
            {"state": "opening"},
            (
                "Not receiving yet: opening (partition 1). This may take two minutes after a crash; the log says what"
                " it waits for."
            ),
        ),
    ],
)
def test_each_thing_that_is_wrong_is_a_sentence(changes: dict[str, Any], sentence: str) -> None:
    assert said(**changes) == [sentence]


@pytest.mark.parametrize(
    "changes",
    [
        {"frame_age_s": HUB_SILENT_S},
        {"commit_wait_s": COMMIT_LATE_S},
        {"lag_age_s": LAG_OLD_S},
        {"report_age_s": REPORT_LATE_S},
        {"frame_age_s": None, "lag_age_s": None, "commit_age_s": None},
        {"state": "draining", "frame_age_s": 100.0, "lag_age_s": 100.0},  # it has stopped to receive
        {"commit_age_s": 3600.0, "event_age_s": 3600.0, "row_age_s": 3600.0},  # an idle partition
    ],
)
def test_what_is_as_it_should_be_is_not_mentioned(changes: dict[str, Any]) -> None:
    assert said(**changes) == []


def test_partitions_with_the_same_trouble_are_one_sentence_with_the_longest_time() -> None:
    rows = [a_partition(str(number), frame_age_s=HUB_SILENT_S + 1 + number) for number in range(4)]
    (finding,) = findings(a_tree(*rows, a_partition("4")))
    assert finding.text == "Nothing heard from Event Hubs for 24 s; lag is as of then (partitions 0, 1, 2, 3)"
    assert finding.partitions == {"0", "1", "2", "3"}


@pytest.mark.parametrize(
    ("partitions", "total", "words"),
    [
        (["7"], 32, "partition 7"),
        (["0"], 1, "partition 0"),
        (["10", "9"], 32, "partitions 9, 10"),
        (list(map(str, range(32))), 32, "all 32 partitions"),
        (list(map(str, range(31))), 32, "partitions 0, 1, 2, 3, 4, 5 and 25 more"),
    ],
)
def test_many_partitions_are_a_few_words(partitions: list[str], total: int, words: str) -> None:
    assert named(partitions, total) == words
