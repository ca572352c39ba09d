"""`python -m supervisor` and the console script `evsup`.

Nothing heavy is imported at the top: workers import this module again when they boot, and the imports of the command
line take a second, in which a signal would find Python's own handlers.
"""

import os
import sys
from collections.abc import Callable
from traceback import format_exc

from shared import core_file
from shared.errors import ExitCode
from supervisor.process import signals

STANDARD_DESCRIPTORS = 3


def main() -> None:
    """Run the command line."""
    _open_standard_descriptors()
    core_file.forbid()
    if _command(sys.argv[1:]) == "start":
        signals.exit_on_stop_signal()
    _command_line()()


def _command(arguments: list[str]) -> str | None:
    """The first argument that is no option: `evsup` itself has no option that takes a value."""
    return next((argument for argument in arguments if not argument.startswith("-")), None)


def _command_line() -> Callable[[], None]:
    """The command line, or the reason why it cannot be imported: a package that is damaged or missing."""
    try:
        from supervisor.cli import main as run
    except KeyboardInterrupt:
        sys.exit(ExitCode.TEMPORARY)
    except BaseException:  # noqa: BLE001 (Python would exit with 1, which is no code of ours)
        from shared.log.secret import mask

        print(mask(format_exc()), file=sys.stderr)
        sys.exit(ExitCode.BUG)
    return run


def _open_standard_descriptors() -> None:
    """Put /dev/null where `2>&-` left nothing: the next file opened, a database say, would get the log's descriptor."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) < STANDARD_DESCRIPTORS:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)


if __name__ == "__main__":
    main()
