"""A tree is started and drained again and again, and leaves nothing behind (I11).

Each cycle moves events, so that every kind of thing that a tree opens was open. After each, no process, file, shared
memory, lease, session or connection of it is left.

Exit code 0: nothing was left; 1: something was.
"""

import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from scripts.chaos.judging.broken import InvariantBroken
from scripts.chaos.judging.traces import left, shared_memory
from scripts.command_line import Parser, run, whole
from scripts.harness.evsup import GRACE_S, Evsup
from scripts.harness.failure import NotAsPromised
from scripts.harness.host import BOUND, Host
from scripts.harness.table import total
from scripts.harness.waiting import eventually
from scripts.localcloud.cloud import CloudSettings, LocalCloud
from shared.clock import monotonic

PARTITIONS = 2
EVENTS = 100  # of each partition and cycle


class Cycles:
    """One tree after another over the same services and directories."""

    def __init__(self, cloud: LocalCloud, directory: Path) -> None:
        self._cloud = cloud
        own = directory / "tmp"
        own.mkdir()
        self._host = Host({**cloud.environment, "TMPDIR": str(own)}, directory)
        self._shared_memory = shared_memory()
        self._published = 0
        self._host.output("init")

    def turn(self) -> None:
        """Start, move events, drain, and look for what is left. Raises `InvariantBroken`, or `NotAsPromised`."""
        for partition, facts in self._cloud.hub.facts().partitions.items():
            self._cloud.hub.seed(partition, EVENTS, first_n=facts.last_sequence_number + 1)
            self._published += EVENTS
        evsup = self._host.start(command=BOUND)
        evsup.until(lambda: self._has_moved_all(evsup), f"{self._published} events are in the table")
        if code := evsup.stop():
            raise NotAsPromised(f"a drain ended with {code}", evsup.last_lines())
        try:
            eventually(lambda: not self._left(), "nothing is left", GRACE_S)
        except NotAsPromised:
            raise InvariantBroken("I11", ", ".join(self._left())) from None

    def close(self) -> None:
        """End what is still running."""
        self._host.close()

    def _has_moved_all(self, evsup: Evsup) -> bool:
        return total(self._cloud.snow) == self._published and evsup.status() is not None

    def _left(self) -> list[str]:
        groups = [evsup.pid for evsup in self._host.started]
        return list(left(self._cloud, groups, self._host.directory, self._shared_memory))


def repeat(count: int, say: Callable[[str], None], partitions: int = PARTITIONS) -> None:
    """So many cycles on fresh services. Raises at the first that leaves anything behind."""
    # A socket's path has room for little more than 100 bytes.
    with (
        tempfile.TemporaryDirectory(prefix="evsup-cycles-") as directory,
        LocalCloud(CloudSettings(partitions=partitions, store="postgres", commit_delay_s=0.1)) as cloud,
        closing(Cycles(cloud, Path(directory))) as cycles,
    ):
        for number in range(1, count + 1):
            began_s = monotonic()
            cycles.turn()
            say(f"cycle {number} of {count}: nothing left after {monotonic() - began_s:.1f} s")


def main() -> int:
    """Repeat it as often as the command line says."""
    parser = Parser("scripts.chaos.cycles", __doc__, "python -m scripts.chaos.cycles --count 3")
    parser.add_argument("--count", type=whole(1), default=50, metavar="N", help="how many cycles (default: 50)")
    repeat(parser.parse_args().count, lambda line: print(line, flush=True))
    return 0


if __name__ == "__main__":
    run(main)
