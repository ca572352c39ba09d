"""What a piece of code logs, as values."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from shared.log.logger import Logger


@contextmanager
def capture_logs() -> Iterator[list[dict[str, Any]]]:
    """The lines of any level, each as its event with its values; nothing is written meanwhile."""
    lines: list[dict[str, Any]] = []

    def log(_: Logger, level: int, event: str, *, exc_info: object = None, **values: object) -> None:
        lines.append({"event": event, **values})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Logger, "log", log)
        yield lines
