"""What `evsup check` says of a Postgres server's sessions."""

import pytest

from shared.model import Sessions
from supervisor.check.room import with_room


@pytest.mark.parametrize(("others", "verdict"), [(0, "ok"), (64, "ok"), (65, "warn"), (97, "warn")])
def test_a_tree_that_would_not_find_a_session_for_each_process_is_warned_of(others: int, verdict: str) -> None:
    answer = with_room("postgres, 32 checkpoints", Sessions(97, others), 32)
    assert answer.verdict == verdict
    assert f"97 sessions, others use {others}, all partitions take 33" in answer.detail
    assert ("max_connections" in answer.fix) == (verdict == "warn")


def test_a_store_without_a_limit_says_nothing_of_it() -> None:
    assert with_room("sqlite, 1 checkpoints", None, 1).detail == "sqlite, 1 checkpoints"
