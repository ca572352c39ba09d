"""Supervisors on one clock and one control store."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.shared.control.stores import Clock
from tests.unit.supervisor.ownership.rig import Make, supervisors


@pytest.fixture
def clock() -> Clock:
    """The monotonic clock of every supervisor, and the database's."""
    return Clock()


@pytest.fixture
def make(tmp_path: Path, clock: Clock) -> Iterator[Make]:
    with supervisors(tmp_path / "control.db", clock) as made:
        yield made
