"""Fixtures of both tiers that run the real evsup."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.acceptance.evsup import Pipeline


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
