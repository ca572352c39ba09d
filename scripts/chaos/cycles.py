"""`python -m scripts.chaos.cycles --count N`: a tree is started and drained N times and leaves nothing behind (I11).

Each cycle moves events, so that every kind of thing that a tree opens was open; after each, nothing of it is left.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from scripts.chaos.broken import InvariantBroken
from scripts.chaos.traces import left, shared_memory
from scripts.demo.daemon import Evsup
from scripts.localcloud.cloud import CloudSettings, LocalCloud
from shared.clock import Deadline, monotonic

PARTITIONS = 2
EVENTS = 100  # of each partition and cycle
PATIENCE_S = 60.0
GRACE_S = 10.0  # promise 6; a connection that was cut is noticed by its other end within that, too
POLL_S = 0.05


class Cycles:
    """One tree after another over the same services and directories."""

    def __init__(self, cloud: LocalCloud, directory: Path) -> None:
        self._cloud, self._directory = cloud, directory
        own = directory / "tmp"
        own.mkdir()
        self._evsup = Evsup({**cloud.environment, "TMPDIR": str(own)}, directory)
        self._shared_memory = shared_memory()
        self._groups: list[int] = []
        self._published = 0
        self._evsup.init()

    def turn(self) -> None:
        """Start, move events, drain, and look for what is left. Raises `InvariantBroken`."""
        for partition, facts in self._cloud.hub.facts().partitions.items():
            self._cloud.hub.seed(partition, EVENTS, first_n=facts.last_sequence_number + 1)
            self._published += EVENTS
        self._evsup.start()
        self._groups.append(self._evsup.pid)
        self._await(self._has_moved_all, "I1", lambda: f"{self._published} events were published: {self._last_line()}")
        self._evsup.drain()
        self._await(lambda: self._evsup.exit_code is not None, "I7", lambda: "the tree does not stop")
        if self._evsup.exit_code:
            raise InvariantBroken("I11", f"a drain ended with {self._evsup.exit_code}: {self._last_line()}")
        self._await(lambda: not self._left(), "I11", lambda: ", ".join(self._left()), GRACE_S)

    def close(self) -> None:
        """End what is still running."""
        self._evsup.kill()

    def _has_moved_all(self) -> bool:
        moved = sum(one.rows_inserted for one in self._cloud.snow.channels().values()) == self._published
        return self._evsup.exit_code is not None or (moved and self._evsup.status() is not None)

    def _left(self) -> list[str]:
        return list(left(self._cloud, self._groups, self._directory, self._shared_memory))

    def _last_line(self) -> str:
        return self._evsup.last_lines(1)

    def _await(
        self, condition: Callable[[], bool], invariant: str, evidence: Callable[[], str], limit_s: float = PATIENCE_S
    ) -> None:
        deadline = Deadline.after(limit_s)
        while not condition():
            if deadline.passed():
                raise InvariantBroken(invariant, evidence())
            time.sleep(POLL_S)


def run(count: int, say: Callable[[str], None], partitions: int = PARTITIONS) -> None:
    """So many cycles on fresh services. Raises `InvariantBroken` at the first that leaves anything behind."""
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
    """Exit 0 when nothing was left, 1 when something was."""
    parser = argparse.ArgumentParser(prog="python -m scripts.chaos.cycles", description=__doc__)
    parser.add_argument("--count", type=int, default=50, metavar="N", help="cycles (default: 50)")
    try:
        run(parser.parse_args().count, lambda line: print(line, flush=True))
    except InvariantBroken as broken:
        print(f"BROKEN: {broken}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
