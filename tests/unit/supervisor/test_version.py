"""What is installed, as commands say it."""

import re

from supervisor.version import installed, sdks


def test_the_sdks_are_named_with_their_versions() -> None:
    azure, streaming = sdks()
    assert re.fullmatch(r"azure-eventhub 5\.15\.\d+", azure)
    assert re.fullmatch(r"snowpipe-streaming 1\.\d+\.\d+", streaming)


def test_evsup_has_a_version() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", installed())
