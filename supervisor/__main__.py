"""`python -m supervisor` and the console script `evsup`.

Nothing heavy is imported at the top: workers import this module again when they boot, and importing the command line
takes a second, in which a signal would still meet Python's own handlers.
"""

import os
import signal
import sys
from collections.abc import Callable
from traceback import format_exc

from shared.errors import ExitCode
from supervisor import core_file, standard_streams
from supervisor.process import signals


def main() -> None:
    """Run the command line."""
    standard_streams.open_closed()
    core_file.forbid()
    # Whoever starts evsup may ignore it, and the kernel would then keep no exit code of a worker.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    # Or block signals: then a SIGTERM would wait for ever. One that is ignored stays so, as Ctrl-C in the background.
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    # A user whom the host does not know has no home, and libraries fail without. Systemd and Docker set the same.
    if os.path.expanduser("~") == "~":  # noqa: PTH111 (pathlib raises)
        os.environ["HOME"] = "/"
    if command_of(sys.argv[1:]) == "start":
        signals.exit_on_stop_signal()
    _command_line()()


def command_of(arguments: list[str]) -> str | None:
    """The command: the first argument that is not an option, because `evsup` itself has no option with a value."""
    return next((argument for argument in arguments if not argument.startswith("-")), None)


def _command_line() -> Callable[[], None]:
    """The command line. When a package is damaged or missing, the process ends with the reason."""
    try:
        from supervisor.cli import main as run
    except KeyboardInterrupt:
        sys.exit(ExitCode.TEMPORARY)
    except BaseException:  # noqa: BLE001 (Python would exit with 1, which is not one of our codes)
        from shared.log.secret import mask

        print(mask(format_exc()), file=sys.stderr)
        sys.exit(ExitCode.BUG)
    return run


if __name__ == "__main__":
    main()
