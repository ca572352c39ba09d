"""Fixtures of both tiers that run the real evsup, and how much hypothesis tries."""

from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.acceptance.evsup import Pipeline

# The suite gives one answer to one state of the code; what nobody has thought of yet is sought with `make fuzz`. No
# deadline for a single example: a loaded machine is not a bug, and a test has a time limit of its own.
settings.register_profile("evsup", deadline=None, derandomize=True, print_blob=True)
settings.register_profile("explore", deadline=None, print_blob=True, max_examples=1000)
settings.load_profile("evsup")


@pytest.fixture
def pipeline() -> "Iterator[Pipeline]":
    """Services of one partition, for this test alone."""
    yield from _pipeline(1)


@pytest.fixture
def pipeline2() -> "Iterator[Pipeline]":
    """Services of two partitions, for this test alone."""
    yield from _pipeline(2)


def _pipeline(partitions: int) -> "Iterator[Pipeline]":
    from tests.acceptance.evsup import pipeline_of  # unit tests need none of what it imports

    with pipeline_of(partitions) as made:
        yield made
