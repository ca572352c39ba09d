"""Why the last supervisor of a state directory ended, for `evsup status` while none runs there."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from shared.clock import utc
from shared.command_line import complete
from shared.errors import EvsupError
from shared.log.secret import mask
from supervisor.json_text import encoded, write_new

NAME = "last-failure.json"


class LastFailure(msgspec.Struct, frozen=True):
    """What the last line on stderr said."""

    at: datetime
    exit_code: int
    reason: str

    def __str__(self) -> str:
        return f"The last one failed at {utc(self.at.timestamp())} with exit code {self.exit_code}: {self.reason}"


@contextmanager
def recorded(directory: Path) -> Iterator[None]:
    """Keep the failure that ends the block, until the next one begins here. One that ends in order leaves nothing."""
    _forget(directory)
    try:
        yield
    except EvsupError as error:
        record(directory, error)
        raise


def record(directory: Path, error: EvsupError) -> None:
    """Keep a failure in place of the one before."""
    _forget(directory)
    failure = LastFailure(datetime.now(UTC), int(error.exit_code), complete(mask(str(error))))
    with suppress(OSError):  # a full disk: the last line on stderr says it, too
        write_new(directory / NAME, encoded(failure))


def _forget(directory: Path) -> None:
    with suppress(OSError):
        (directory / NAME).unlink()


def read(directory: Path) -> LastFailure | None:
    """The last failure; None when the last supervisor ended in order, or was killed, or nobody may read it."""
    try:
        return msgspec.json.decode((directory / NAME).read_bytes(), type=LastFailure)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):  # a full disk may have cut it short
        return None
