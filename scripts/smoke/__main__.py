"""Markers are sent, evsup moves them, and a query finds each once.

First against services on this machine. Then against the cloud, if the environment or `.env` has the settings of Event
Hubs and Snowflake. There it sends some 260 events, reads a consumer group that should be its own, and leaves its rows
in the table.

Exit code 0: every marker is in the table once; 1: not.
"""

import logging
import tempfile
import time
from contextlib import AbstractContextManager
from pathlib import Path

from azure.eventhub.exceptions import EventHubError
from rich.console import Console

from scripts.command_line import Parser, run
from scripts.harness.failure import NotAsPromised
from scripts.localcloud.service import ServiceError
from scripts.smoke.place import Place, here, in_cloud, is_configured
from scripts.smoke.steps import Smoke
from shared.errors import EvsupError


def main() -> int:
    """Run all steps everywhere."""
    options = _parser().parse_args()
    logging.getLogger("azure").setLevel(logging.CRITICAL)  # what matters is raised
    console = Console(highlight=False, soft_wrap=True)
    passed = _run(console, here())
    if options.local:
        return 0 if passed else 1
    if is_configured(options.env_file):
        return 0 if _run(console, in_cloud(options.env_file)) and passed else 1
    console.print("Not against the cloud: the environment has no credentials of Event Hubs and Snowflake.")
    return 0 if passed else 1


def _run(console: Console, place: AbstractContextManager[Place]) -> bool:
    try:
        with place as opened, tempfile.TemporaryDirectory(prefix="evsup-smoke-") as directory:
            hub, target = opened.settings.eventhub.name, opened.settings.snowflake.table
            console.print(f"[bold]{opened.name}[/]: {hub}, {len(opened.partition_ids)} partitions, into {target}")
            _steps(console, Smoke(opened, Path(directory)))
    except NotAsPromised as failure:
        console.print(f"  [red]failed[/]  {failure.what}")
        console.print(failure.evidence, style="dim", markup=False)
        return False
    except (EvsupError, ServiceError, EventHubError, OSError) as error:
        console.print("  [red]failed[/]  ", end="")
        console.print(str(error), markup=False)
        return False
    return True


def _steps(console: Console, smoke: Smoke) -> None:
    began_s = time.monotonic()
    _passed(console, "round trip", smoke.round_trip(), began_s)
    began_s = time.monotonic()
    _passed(console, "two consumers", smoke.two_consumers(), began_s)
    began_s = time.monotonic()
    for seen in smoke.resume():
        _passed(console, "resume", seen, began_s)
        began_s = time.monotonic()


def _passed(console: Console, name: str, seen: str, began_s: float) -> None:
    console.print(f"  [green]ok[/]  {name:14}{seen} ({time.monotonic() - began_s:.1f} s)")


def _parser() -> Parser:
    parser = Parser(
        "scripts.smoke",
        __doc__,
        "python -m scripts.smoke --local",
        "python -m scripts.smoke --env-file /etc/evsup/flights.env",
    )
    parser.add_argument("--local", action="store_true", help="leave the cloud out, whatever the environment has")
    parser.add_argument(
        "--env-file", type=Path, metavar="F", help="file with the settings of the cloud (default: .env)"
    )
    return parser


if __name__ == "__main__":
    run(main)
