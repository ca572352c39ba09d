"""The check of the control store counts a Postgres server's sessions."""

import pytest

from shared.model import Sessions
from supervisor.check.control_store import with_sessions


@pytest.mark.parametrize(("others", "verdict"), [(0, "ok"), (64, "ok"), (65, "warn"), (97, "warn")])
def test_too_few_sessions_for_all_processes_of_a_tree_are_a_warning(others: int, verdict: str) -> None:
    outcome = with_sessions("postgres, 32 checkpoints", Sessions(97, others), 32)
    assert outcome.verdict == verdict
    assert f"97 sessions, others use {others}, all partitions need 33" in outcome.detail
    assert ("max_connections" in outcome.fix) == (verdict == "warn")


def test_a_store_without_a_limit_does_not_mention_sessions() -> None:
    assert with_sessions("sqlite, 1 checkpoints", None, 1).detail == "sqlite, 1 checkpoints"
