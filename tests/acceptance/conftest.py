"""Services for the real evsup, which checks the target table as it does for its users."""

from collections.abc import Iterator

import pytest

from tests.harness.pipeline import Pipeline, pipeline_of


@pytest.fixture
def pipeline() -> Iterator[Pipeline]:
    """Services of one partition, for this test alone."""
    with pipeline_of(1) as made:
        yield made


@pytest.fixture
def pipeline2() -> Iterator[Pipeline]:
    """Services of two partitions, for this test alone."""
    with pipeline_of(2) as made:
        yield made
