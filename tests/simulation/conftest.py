"""One core for a whole test: fibers hand a baton on."""

from collections.abc import Iterator

import pytest

from tests.simulation.processes.fiber import on_one_core


@pytest.fixture(autouse=True)
def one_core() -> Iterator[None]:
    with on_one_core():
        yield
