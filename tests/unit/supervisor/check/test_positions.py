"""A partition's check says what a start would do, and fails where a start would be refused."""

from dataclasses import replace
from typing import Any

import pytest

from shared.errors import ResumeRefused, RowsRejected
from shared.ipc.messages import ChannelStatus
from shared.model import OLDEST, Checkpoint, PartitionFacts
from supervisor.check.positions import start_outcome
from tests.unit.plain_settings import eventhub

FACTS = PartitionFacts(0, 100, is_empty=False, hub_created_at_s=1.0)


HUB = eventhub()


def channel(token: int | None, rejected: int = 0) -> ChannelStatus:
    return ChannelStatus(token=token, rows_error_count=rejected, status_code="SUCCESS", last_error="too long")


def at(sequence_number: int | None, rows_error_count: int = 0) -> Checkpoint:
    return Checkpoint("3", sequence_number, None, 1, rows_error_count)


def test_it_says_after_which_event_a_start_resumes() -> None:
    resumed = start_outcome(at(4), channel(7), FACTS, HUB, quarantines=False)
    assert resumed.detail.startswith("resumes after event 7: ")


BEGINNINGS = [
    ("-1", {}, "begins with its oldest event (EVENTHUB_STARTING_POSITION=-1); "),
    ("@latest", {}, "begins after event 100, its last one now (EVENTHUB_STARTING_POSITION=@latest); "),
    ("@latest", {"hub_created_at_s": 1.0}, "begins with its oldest event; "),  # it never had one when the group began
    (
        "2026-01-31T00:00:00+00:00",
        {},
        "begins with its first event from then on (EVENTHUB_STARTING_POSITION=2026-01-31T",
    ),
    ("@latest", {"offset": OLDEST}, "begins with its oldest event; "),
    ("@latest", {"channel_generation": 1}, "begins with its oldest event; "),
]


@pytest.mark.parametrize(("position", "row", "said"), BEGINNINGS)
def test_a_fresh_partition_names_its_starting_position(position: str, row: dict[str, Any], said: str) -> None:
    fresh = start_outcome(
        replace(at(None), **row), channel(None), FACTS, eventhub(starting_position=position), quarantines=False
    )
    assert fresh.detail.startswith(said)


def test_a_lost_channel_that_the_next_one_follows_is_no_failure() -> None:
    known = Checkpoint("3", 100, "o100", 1, rows_error_count=5, hub_created_at_s=1.0, unsettled_from=101)
    facts = PartitionFacts(0, 100, is_empty=False, hub_created_at_s=1.0, last_offset="o100")
    found = start_outcome(known, channel(None), facts, HUB, quarantines=False)
    assert (found.verdict, "the next one begins there" in found.detail) == ("ok", True)


def test_it_fails_where_a_start_would_be_refused() -> None:
    with pytest.raises(ResumeRefused):
        start_outcome(at(9), channel(7), FACTS, HUB, quarantines=False)
    with pytest.raises(ResumeRefused, match=r"went back from 5 to 2.*--rejected-rows 2`"):
        start_outcome(at(7, 5), channel(7, rejected=2), FACTS, HUB, quarantines=False)


def test_rejected_rows_fail_unless_a_start_quarantines_them() -> None:
    with pytest.raises(RowsRejected, match="--rejected-rows 5`"):
        start_outcome(at(7, 2), channel(7, rejected=5), FACTS, HUB, quarantines=False)
    found = start_outcome(at(7, 2), channel(7, rejected=5), FACTS, HUB, quarantines=True)
    assert (found.verdict, found.detail) == (
        "warn",
        "Snowflake rejected 3 rows (too long): a start quarantines them",
    )


def test_lost_events_that_a_start_goes_on_without_are_a_warning() -> None:
    behind = PartitionFacts(50, 100, is_empty=False, hub_created_at_s=1.0)
    assert start_outcome(at(7), channel(7), behind, eventhub(on_gap="warn"), quarantines=False).verdict == "warn"
