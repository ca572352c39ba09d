"""Real flights go through Event Hubs into Snowflake, and one worker is killed on the way.

Event Hubs, Snowflake and the control store run on this machine, and the real SDKs talk to them. At the end the table is
compared with what was published. It takes a minute and leaves nothing behind.

Exit code 0: every event is in the table once; 1: not; 130: Ctrl-C.
"""

import argparse
import logging
import shutil
import tempfile
from contextlib import ExitStack, closing
from pathlib import Path
from typing import get_args

from azure.eventhub.exceptions import EventHubError

from scripts.command_line import Parser, run, whole
from scripts.demo import report
from scripts.demo.demo import Demo
from scripts.demo.flights import TABLE, flights
from scripts.demo.publisher import Publisher
from scripts.demo.screen import Screen
from scripts.harness.failure import NotAsPromised
from scripts.harness.host import Host
from scripts.localcloud.cloud import CloudSettings, LocalCloud, Store
from scripts.localcloud.service import ServiceError
from shared.clock import monotonic

PARTITIONS = 4
LEAST_EVENTS, ALL_EVENTS = 100, 27_004

ABOUT = """\
Flights that left New York in January 2013 go through Event Hubs into Snowflake, \
and one worker is killed on the way. \
Both services are stand-ins on this machine; the SDKs that talk to them are the real ones."""


def main(screen: Screen | None = None) -> int:
    """Play the demo on the terminal, or on another `screen`, and clean up, whatever happens."""
    options = _parser().parse_args()
    logging.getLogger("azure").setLevel(logging.CRITICAL)  # what matters is raised
    screen = screen or Screen()
    try:
        return _play(screen, options)
    except NotAsPromised as failure:
        screen.failed(failure.what)
        screen.quote(failure.evidence)
    except (ServiceError, EventHubError, OSError) as error:
        screen.failed(str(error))
    return 1


def _play(screen: Screen, options: argparse.Namespace) -> int:
    start_s = monotonic()
    screen.title("evsup: each event once", ABOUT)
    with ExitStack() as stack:
        demo = _set_up(screen, options, stack)
        proof = demo.run()
    screen.note(f"It took {monotonic() - start_s:.0f} s. Everything that was started has ended.")
    screen.gap()
    say = screen.done if proof.holds else screen.failed
    say(report.verdict(proof))
    return 0 if proof.holds else 1


def _set_up(screen: Screen, options: argparse.Namespace, stack: ExitStack) -> Demo:
    directory = Path(tempfile.mkdtemp(prefix="evsup-demo-"))
    if options.keep:
        stack.callback(screen.note, f"Log, state and control store are kept in {directory}.")
    else:
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
    screen.act("Start Event Hubs, Snowflake and a control store on this machine")
    with screen.waiting("starting"):
        columns = TABLE if options.row_format == "columns" else ()
        cloud = stack.enter_context(LocalCloud(CloudSettings(PARTITIONS, options.store, columns=columns)))
    settings = cloud.environment
    screen.done(f"Event Hubs: hub {cloud.settings.hub} with {PARTITIONS} partitions")
    screen.done(f"Snowflake: table {settings['SNOWFLAKE_TABLE']}, a commit takes {cloud.settings.commit_delay_s:.0f} s")
    if "CONTROL_SQLITE_PATH" in settings:
        settings["CONTROL_SQLITE_PATH"] = str(directory / "control.db")
    host = stack.enter_context(closing(Host(settings, directory)))
    with screen.waiting("evsup init"):
        screen.done(host.output("init").strip())
    publisher = stack.enter_context(Publisher(settings["EVENTHUB_CONNECTION_STRING"]))
    return Demo(screen, flights(options.events), publisher, host, cloud.snow, PARTITIONS, columns)


def _parser() -> Parser:
    parser = Parser(
        "scripts.demo",
        __doc__,
        "python -m scripts.demo --events 3000                       # the short one",
        "python -m scripts.demo --store postgres --row-format columns",
    )
    parser.add_argument(
        "--events",
        type=whole(LEAST_EVENTS, ALL_EVENTS),
        metavar="N",
        help=f"only the first N flights, from {LEAST_EVENTS} up (default: all {ALL_EVENTS:,})",
    )
    parser.add_argument("--store", choices=get_args(Store), default="sqlite", help="control store (default: sqlite)")
    parser.add_argument(
        "--row-format",
        choices=("envelope", "columns"),
        default="envelope",
        help="row format of the table (default: envelope)",
    )
    parser.add_argument("--keep", action="store_true", help="keep the directory with the log and the control store")
    return parser


if __name__ == "__main__":
    run(main)
