"""Trees that are turned by hand."""

from pathlib import Path

import pytest

from tests.unit.supervisor.process.rig import TreeRig


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> TreeRig:
    return TreeRig(monkeypatch, tmp_path)


@pytest.fixture
def two(rig: TreeRig) -> TreeRig:
    """A tree of two workers that run."""
    return rig.claim("0", "1")
