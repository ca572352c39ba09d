"""Hub, token, checkpoint and table together prove that each event is in the table once, or name what is wrong."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shared.errors import SourceUnavailable
from shared.ipc.messages import ChannelStatus
from shared.model import Checkpoint, PartitionFacts
from shared.snowflake.target_table import Bodiless, PartitionRows
from supervisor.checkpoints.verification import Beginning, Evidence, Proof, beginning, prove, unknown

HUB_CREATED_AT_S = 1_700_000_000.0
FIRST = Beginning(0, "with the oldest event in the hub, 0")


def table(numbers: Sequence[int]) -> PartitionRows | None:
    """What the target table counts and locates for rows with these numbers."""
    if not numbers:
        return None
    counts = Counter(numbers)
    ordered = sorted(counts)
    gaps = [range(a + 1, b) for a, b in pairwise(ordered) if b > a + 1]
    repeats = [number for number in ordered if counts[number] > 1]
    return PartitionRows(len(numbers), len(counts), ordered[0], ordered[-1], gaps[:5], repeats[:5])


def evidence(
    rows: Sequence[int],
    token: int | None,
    checkpoint: int | None = None,
    hub: tuple[int, int] = (0, 20),
    rejected: int = 0,
    **stored: Any,
) -> Evidence:
    return Evidence(
        Checkpoint("3", checkpoint, None, 5, hub_created_at_s=HUB_CREATED_AT_S, **stored),
        ChannelStatus(token=token, rows_error_count=rejected, status_code="SUCCESS", last_error="too long"),
        table(rows),
        PartitionFacts(*hub, is_empty=hub[1] < hub[0], hub_created_at_s=HUB_CREATED_AT_S),
    )


def findings(proof: Proof) -> list[tuple[str, int | None, int | None]]:
    return [(one.kind, one.first, one.last) for one in proof.findings]


@pytest.mark.parametrize(("missing", "why"), [((), "RAW_BODY"), (("PAYLOAD",), "the table has no column PAYLOAD")])
def test_rows_without_a_body_refute_the_proof(missing: tuple[str, ...], why: str) -> None:
    found = replace(evidence(range(11), 10, 10), bodiless=Bodiless(4, 3, 9, missing))
    proof = prove(found, FIRST)
    assert (proof.verdict, findings(proof)) == ("refuted", [("no_body", 3, 9)])
    assert "4 rows of events 3 to 9 hold no body" in proof.findings[0].text
    assert why in proof.findings[0].text


@pytest.mark.parametrize(
    ("rows", "token", "checkpoint", "expected"),
    [
        (range(11), 10, 10, []),
        (range(11), 10, 4, []),  # the checkpoint was behind
        (range(13), 10, 10, []),  # committed since the token was read
        ([], None, None, []),
        (range(1, 11), 10, 10, [("missing", 0, 0)]),
        (range(10), 10, 10, [("missing", 10, 10)]),
        ([], 10, 10, [("missing", 0, 10)]),
        ([0, 1, 4, 5, 7], 7, 7, [("missing", 2, 3), ("missing", 6, 6)]),
        ([0, 1, 1, 2], 2, 2, [("repeated", 1, 1)]),
        ([0, 1, 1, 3], 3, 3, [("missing", 2, 2), ("repeated", 1, 1)]),
        (range(11), 3, 10, [("contradiction", None, None)]),
        (range(11), None, 10, [("contradiction", None, None)]),
        (range(25), 20, 20, [("contradiction", 21, 24)]),
        (range(31), 30, 20, [("contradiction", None, None), ("contradiction", 21, 30)]),
    ],
)
def test_each_combination_of_the_four_sources_has_its_findings(
    rows: Sequence[int], token: int | None, checkpoint: int | None, expected: list[tuple[str, int | None, int | None]]
) -> None:
    proof = prove(evidence(rows, token, checkpoint), FIRST)
    assert findings(proof) == expected
    assert proof.verdict == ("refuted" if expected else "proven" if rows else "nothing")


def test_no_finding_names_the_partition_which_its_line_begins_with() -> None:
    behind = evidence(range(11), 3, 10)
    (contradiction,) = prove(behind, FIRST).findings
    assert contradiction.text.startswith("the channel's token 3 is behind the checkpoint 10: ")
    silent = SourceUnavailable("Partition 3 cannot be read", "no answer for 10 s")
    (no_answer,) = unknown(behind.checkpoint, behind.channel, behind.landed, silent).findings
    assert no_answer.text == "cannot be read: no answer for 10 s"


@given(st.lists(st.integers(0, 20), max_size=30), st.none() | st.integers(0, 20), st.integers(0, 20))
def test_it_is_proven_exactly_when_every_event_up_to_the_token_is_there_once(
    rows: list[int], token: int | None, first: int
) -> None:
    assume(token is None or first <= token + 1)  # the hub retains what is to be read next
    proof = prove(evidence(rows, token, hub=(first, 20)), Beginning(first, ""))
    last = max([*rows, *([] if token is None else [token])], default=None)
    begins = min([*rows, first])
    due = [] if last is None or (not rows and first > last) else list(range(begins, last + 1))
    assert (proof.verdict != "refuted") == (sorted(rows) == due)
    assert proof.missing == len(set(due) - set(rows))
    assert proof.repeated == len(rows) - len(set(rows))


def test_gaps_beyond_those_that_are_named_are_counted() -> None:
    proof = prove(evidence(range(0, 20, 2), 18), FIRST)
    assert (proof.missing, len(proof.findings)) == (9, 6)
    assert proof.findings[-1].text == "4 more events are missing between the rows"


@pytest.mark.parametrize(
    ("starting_position", "since", "stored", "first"),
    [
        ("-1", None, {}, 3),
        ("@latest", None, {}, 3),  # it would have a number, had the partition had an event
        ("@latest", None, {"begins_after": 7}, 8),
        ("2026-01-31T00:00:00Z", None, {}, None),
        ("2026-01-31T00:00:00Z", None, {"channel_generation": 1}, 3),
        ("-1", None, {"begins_after": 7, "channel_generation": 2}, 8),
        ("-1", "2026-01-31T00:00:00+00:00", {"begins_after": 7}, None),
    ],
)
def test_rows_begin_where_the_checkpoint_or_the_hub_says(
    starting_position: str, since: str | None, stored: dict[str, int], first: int | None
) -> None:
    found = evidence([], None, hub=(3, 20), **stored)
    assert beginning(found, starting_position, since).first == first


def test_no_row_is_required_when_all_events_have_left_the_hub() -> None:
    found = evidence([], 20, hub=(21, 20))
    assert prove(found, beginning(found, "-1", None)).verdict == "nothing"


def test_no_row_is_required_of_a_channel_without_a_commit() -> None:
    moved: dict[str, Any] = {"begins_after": 10, "channel_generation": 1}
    assert prove(evidence([], None, 10, **moved), Beginning(11, "")).verdict == "nothing"
    former = prove(evidence(range(6), None, 10, **moved), Beginning(11, ""))
    assert (former.verdict, former.lag) == ("proven", 10), "rows of the former channel end where they end"


def test_quarantined_rows_count_like_rows_of_the_table_and_do_not_explain_missing_ones() -> None:
    def proved(rows: Sequence[int], quarantined: int) -> Proof:
        found = evidence(rows, 4, 4, rejected=2)
        assert found.landed is not None
        return prove(replace(found, landed=replace(found.landed, quarantined=quarantined)), FIRST)

    whole = proved(range(5), 2)
    assert (whole.verdict, whole.rows, whole.quarantined, whole.rejected) == ("proven", 3, 2, 2)
    assert proved([0, 1, 3, 4], 1).findings[0].text.endswith("; Snowflake rejected 1 row of this channel (too long)")
    assert proved([0, 1, 3, 4], 2).findings[0].text == "event 2 is not in the table"
    assert proved([0, 1, 1, 2, 3, 4], 2).findings[0].text.endswith("of event 1, table and quarantine together")


def test_rejected_rows_and_a_checkpoint_moved_by_hand_explain_what_is_missing() -> None:
    rejected = prove(evidence([0, 2], 2, rejected=1), FIRST)
    assert rejected.findings[0].text.endswith("; Snowflake rejected 1 row of this channel (too long)")
    skipped = evidence([0, 1, 6], 6, 6, begins_after=5, channel_generation=1, opened_generation=1)
    (finding,) = prove(skipped, Beginning(6, "")).findings
    assert finding.text == "4 events, 2 to 5, are not in the table; the present channel begins after event 5"


def test_the_lag_counts_from_the_token() -> None:
    assert prove(evidence(range(11), 10, 4), FIRST).lag == 10
    assert prove(evidence([], None), FIRST).lag == 21
