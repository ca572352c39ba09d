"""What tests of the worker share."""

from collections.abc import Iterator

import pytest

from tests.unit.worker.calls import Calls, without_threads


@pytest.fixture(scope="module")
def calls() -> Iterator[Calls]:
    """Every blocking call ends at once, unless a test holds it."""
    with without_threads() as made:
        yield made
