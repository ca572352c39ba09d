"""What tests of the worker share."""

from collections.abc import Iterator

import pytest

from tests.unit.worker.calls import Calls, without_threads
from tests.unit.worker.rig import Make, WorkerRig


@pytest.fixture(scope="module")
def calls() -> Iterator[Calls]:
    """Every blocking call ends at once, unless a test holds it."""
    with without_threads() as made:
        yield made


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch, calls: Calls) -> Make:
    """Makes a worker that has not opened its partition."""
    return lambda **options: WorkerRig(monkeypatch, calls, **options)


@pytest.fixture
def rig(make: Make) -> WorkerRig:
    """A worker that receives."""
    return make().run()
