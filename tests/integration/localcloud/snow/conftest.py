"""A local Snowpipe Streaming service for the real streaming SDK."""

from collections.abc import Iterator

import pytest

from tests.harness.snow.sdk import Snow, serving


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Snow]:
    with serving(tmp_path_factory.mktemp("snow")) as made:
        yield made


@pytest.fixture
def snow(server: Snow) -> Iterator[Snow]:
    """It, with a table for this test alone."""
    with server.with_table() as made:
        yield made
