"""What a command waits for: a line on a terminal, and nothing anywhere else."""

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.status import Status


class Progress:
    """A line on standard error. Use as a context manager, and hide it before anything else is written."""

    def __init__(self) -> None:
        self._status: Status | None = None
        if sys.stderr.isatty():
            from rich.console import Console  # here, because scripts see none of it

            self._status = Console(stderr=True).status("")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.hide()

    def show(self, text: str) -> None:
        """Show what is waited for."""
        if self._status:
            self._status.update(text)
            self._status.start()

    def hide(self) -> None:
        """Clear the line."""
        if self._status:
            self._status.stop()
