"""How a script fails."""

from typing import ClassVar


class Failed(Exception):
    """Something did not go as it should. The message says what to whoever started it; a traceback would say no more."""

    exit_code: ClassVar[int] = 1
