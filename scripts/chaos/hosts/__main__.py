"""The network between many hosts breaks, and every event has to be in the table once.

Each host is a network namespace with a cable to a router. Event Hubs, Snowflake and Postgres have a host each, too. The
group grows from one supervisor to one on each host while 400 events a second are published. Then links fail, one after
the other, in an order that the seed decides. All supervisors are restarted, and the group shrinks to one.

Exit code 0: every promise held; 1: one broke, and the logs are kept; 69: network namespaces may not be made here.
"""

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import NoReturn

from rich.console import Console

from scripts.chaos import command, report
from scripts.chaos.faults import schedule
from scripts.chaos.hosts import unshare
from scripts.chaos.hosts.cluster import Cluster, staged
from scripts.chaos.hosts.link_faults import LinkFaults
from scripts.chaos.hosts.rolling_restart import RollingRestart
from scripts.chaos.hosts.scaling import ScaleIn, ScaleOut
from scripts.chaos.hosts.trial import Trial
from scripts.chaos.run import Run
from scripts.command_line import Parser, run, whole
from shared.clock import monotonic

MODULE = "scripts.chaos.hosts"
TRIAL_S = 15.0  # what one fault takes, with the time until all is as before
INSIDE = "--inside"
MOST_HOSTS = 250  # with those of the services each has a number in one byte of its address


def main() -> int:
    """Become the router of a network, and play one seed, or several one after the other."""
    options = _parser().parse_args()
    if not options.inside:
        _enter()

    def play(console: Console, seed: int, directory: Path) -> None:
        _play(console, seed, directory, options)

    return command.play_seeds(options.seed, play)


def _enter() -> NoReturn:
    """Start again inside of a namespace; the process stays the same. Raises NotPossible."""
    enter = unshare.command()
    os.execvp(enter[0], [*enter, sys.executable, "-m", MODULE, INSIDE, *sys.argv[1:]])  # noqa: S606 (there is no shell)


def _play(console: Console, seed: int, directory: Path, options: argparse.Namespace) -> None:
    console.print(f"{options.seconds:.0f} s of faults with seed {seed}, {options.hosts} hosts")
    began_s = monotonic()
    with staged(directory, options.hosts, options.partitions) as cluster:
        trials = _trials(cluster, seed, options.seconds)
        order = Random(seed).sample(range(options.hosts), options.hosts)  # noqa: S311 (no secret hangs on it)
        restart = RollingRestart(cluster.scene, order)
        played = Run(cluster.scene, [ScaleOut(cluster), *trials, restart, ScaleIn(cluster)], console.print)
        counts = played.run()
        console.print(report.acts_table(played.played), report.counts_table(counts), sep="\n\n")
        console.print(f"\n{report.verdict(played, len(trials), seed)} in {monotonic() - began_s:.0f} s")


def _trials(cluster: Cluster, seed: int, seconds: float) -> list[Trial]:
    """As many as there is time for."""
    faults = LinkFaults(cluster)
    shared = {fault.name: fault for fault in faults.of_all()}
    named = {fault.name: fault for fault in faults.of_hosts()} | shared
    partitions, hosts = list(cluster.scene.channels), [host.name for host in cluster.hosts]
    strikes = schedule.plan(seed, seconds, list(named), partitions, len(hosts), TRIAL_S)
    return [
        Trial(
            cluster.scene,
            replace(strike, at_s=0.0),
            named[strike.fault],
            "every host" if strike.fault in shared else hosts[strike.unit],
        )
        for strike in strikes
    ]


def _parser() -> Parser:
    parser = command.parser(MODULE, __doc__, seconds=300.0)
    parser.add_argument(
        "--hosts", type=whole(1, MOST_HOSTS), default=4, metavar="N", help="hosts with a supervisor each (default: 4)"
    )
    parser.add_argument(
        "--partitions", type=whole(1, 1000), default=8, metavar="N", help="partitions of the hub (default: 8)"
    )
    parser.add_argument(INSIDE, action="store_true", help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    run(main)
