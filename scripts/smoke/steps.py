"""The steps: a round trip, two consumers beside each other, and a restart between two phases."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.harness.evsup import Evsup
from scripts.harness.failure import NotAsPromised
from scripts.harness.host import BOUND, Host
from scripts.smoke.markers import Markers
from scripts.smoke.place import Place

MARKERS = 100
SHARED_MARKERS = 80
PHASE_MARKERS = 40
LIMIT_S = 180.0  # opening a channel may take two minutes by itself
POLL_S = 0.3


class Smoke:
    """All steps in one place; each returns what it saw, or raises `NotAsPromised`.

    Markers have `arrival_s` to be in the table.
    """

    def __init__(self, place: Place, directory: Path, arrival_s: float = LIMIT_S) -> None:
        self._place, self._directory, self._arrival_s = place, directory, arrival_s

    def round_trip(self) -> str:
        """Markers into every partition, and each in the table once."""
        markers = self._place.markers()
        with self._running("round-trip") as evsup:
            partition_ids = {*self._place.partition_ids}
            evsup.until(lambda: evsup.running().keys() == partition_ids, "all partitions are read", LIMIT_S, POLL_S)
            markers.send(MARKERS, self._place.partition_ids)
            self._await(evsup, markers)
            self._drain(evsup)
        return str(markers.found())

    def two_consumers(self) -> str:
        """Two supervisors share the hub; markers into a partition of each, and each in the table once."""
        markers = self._place.markers()
        with self._running("first") as first, self._running("second") as second:
            ours, theirs = second.until(
                lambda: self._one_of_each(first, second), "two consumers share the partitions", LIMIT_S, POLL_S
            )
            markers.send(SHARED_MARKERS, sorted([ours, theirs]))
            self._await(first, markers)
            self._drain(second)
            self._drain(first)
        return f"{markers.found()}: partition {ours} by one, partition {theirs} by the other"

    def resume(self) -> Iterator[str]:
        """Phase A reads and stops; phase B begins after its checkpoints with what came in between."""
        markers, partitions = self._place.markers(), self._place.partition_ids[:2]
        for phase in ("A", "B"):
            markers.send(PHASE_MARKERS, partitions)
            with self._running(f"phase-{phase}") as evsup:
                self._await(evsup, markers)
                opened = evsup.events("partition_opened")
                begun = {line["partition"]: line["after"] for line in opened if line["partition"] in partitions}
                self._drain(evsup)
            yield f"phase {phase}: {markers.found()}; read after {begun}"

    @contextmanager
    def _running(self, name: str) -> Iterator[Evsup]:
        directory = self._directory / name
        directory.mkdir()
        host = Host(self._place.environment, directory)
        host.output("init")
        evsup = host.start(command=BOUND)
        try:
            yield evsup
        finally:
            evsup.abort()

    def _one_of_each(self, first: Evsup, second: Evsup) -> tuple[str, ...]:
        """A partition of each, when both have some and together all; else none."""
        ours, theirs = first.running().keys(), second.running().keys()
        is_shared = ours and theirs and ours | theirs == {*self._place.partition_ids}
        return (min(ours), min(theirs)) if is_shared else ()

    def _await(self, evsup: Evsup, markers: Markers) -> None:
        """Wait until the table has each marker; one too many is a failure at once."""

        def arrived() -> bool:
            found = markers.found()
            if found.rows > found.distinct:
                raise NotAsPromised(f"{found}: a duplicate", evsup.last_lines())
            return found.holds

        evsup.until(arrived, f"{markers.sent.total()} markers are in the table", self._arrival_s, POLL_S)

    def _drain(self, evsup: Evsup) -> None:
        if code := evsup.stop(LIMIT_S):
            raise NotAsPromised(f"The drain ended with {code} and not with 0", evsup.last_lines())
