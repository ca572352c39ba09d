"""Event Hubs, Snowflake and a control store on this machine, until Ctrl-C.

It prints the settings as `export` lines, so that `eval` or a second terminal can use them, or writes them into a file.
"""

import os
import shlex
import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import get_args

from scripts.command_line import Parser, amount, run, whole
from scripts.localcloud.cloud import CloudSettings, LocalCloud, Store
from scripts.localcloud.signing.certificate import write_private


def main() -> int:
    """Start the services, say where they are, and stop them at a signal."""
    options = _parser().parse_args()
    settings = CloudSettings(options.partitions, options.store, options.commit_delay)
    try:
        with LocalCloud(settings) as cloud, ExitStack() as stack:
            _publish(cloud.environment, options.env_file, stack)
            _say(f"Local cloud is up: hub {settings.hub}, {settings.partitions} partitions, {settings.store} store.")
            _say("Ctrl-C stops it and deletes everything.")
            signal.pause()
    except FileExistsError as exc:
        _say(f"localcloud: {exc.filename} exists already; name another file with --env-file")
        return os.EX_CANTCREAT
    except KeyboardInterrupt:
        _say("Stopped.")
    return os.EX_OK


def _parser() -> Parser:
    parser = Parser(
        "scripts.localcloud",
        __doc__,
        "python -m scripts.localcloud --env-file local.env",
        "python -m scripts.localcloud --partitions 8 --store postgres --commit-delay 6",
    )
    parser.add_argument(
        "--partitions", type=whole(1, 1000), default=4, metavar="N", help="partitions of the hub (default: 4)"
    )
    parser.add_argument("--store", choices=get_args(Store), default="sqlite", help="control store (default: sqlite)")
    parser.add_argument(
        "--commit-delay",
        type=amount("seconds", zero=True),
        default=1.0,
        metavar="S",
        help="seconds from append to commit (default: %(default)g)",
    )
    parser.add_argument("--env-file", type=Path, metavar="F", help="write the settings here (0600) instead of stdout")
    return parser


def _publish(environment: dict[str, str], env_file: Path | None, stack: ExitStack) -> None:
    """Print the settings, or write a file that lives as long as the services do."""
    if env_file is None:
        for name, value in environment.items():
            sys.stdout.write(f"export {name}={shlex.quote(value)}\n")
        sys.stdout.flush()
        return
    lines = "".join(f"{name}={shlex.quote(value)}\n" for name, value in environment.items())
    write_private(env_file, lines.encode())
    stack.callback(env_file.unlink, missing_ok=True)
    _say(f"Settings are in {env_file}.")


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


if __name__ == "__main__":
    run(main)
