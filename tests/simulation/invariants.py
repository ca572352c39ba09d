"""The invariants I1 to I5, each checked when something happens that could break it."""

from typing import TYPE_CHECKING

from tests.simulation.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.ipc.messages import Counters
    from tests.simulation.processes.worker import WorkerProcess
    from tests.simulation.services.snowpipe import Channel


class Invariants:
    """The omniscient observer: it sees every row that changes, every write, every process."""

    def __init__(self, world: World, *, trusting: bool = True) -> None:
        self._world, self._trusting = world, trusting
        self.channels: dict[str, Channel] = {}
        self.workers: list[WorkerProcess] = []
        self.positions: dict[str, int | None] = {}
        self.added: set[str] = set()
        """Partitions that the hub got after the group had begun."""
        self.longest_free_s = 0.0
        """The longest that a partition was free between a release and the next claim."""
        self._free_since_s: dict[str, float] = {}
        self._epochs: dict[str, int] = {}
        self._writers: dict[str, int] = {}

    def epoch(self, partition: str) -> int:
        """Of the last claim."""
        return self._epochs.get(partition, 0)

    def living(self, partition: str) -> "Iterator[WorkerProcess]":
        """The worker processes of a partition."""
        return (worker for worker in self.workers if worker.lives and worker.term.partition_id == partition)

    def owner_changed(self, partition: str, before: int, epoch: int, owner_id: str) -> None:
        """I5: epochs rise, and no lease ends before its owner's trust in it, nor before its worker has exited."""
        self._epochs[partition] = epoch
        now_s = self._world.now_s
        self.longest_free_s = max(self.longest_free_s, now_s - self._free_since_s.pop(partition, now_s))
        if not owner_id:
            self._free_since_s[partition] = now_s
        if epoch < before:
            self._world.violated(f"I5: the epoch of partition {partition} fell from {before} to {epoch}")
        if epoch == before:
            return
        self._world.note("claimed", p=partition, epoch=epoch, owner=owner_id)
        for worker in self.living(partition) if self._trusting else ():
            left_s = worker.trusts_until_s - self._world.now_s
            if left_s > 0:
                self._world.violated(
                    f"I5: {worker.name} trusts its lease for {left_s:.3f} s more, and it has a new owner"
                )
            elif worker.worker and not worker.is_on_its_way_out:
                self._world.violated(f"I5: {worker.name} runs, and its partition has a new owner")

    def turned(self, worker: "WorkerProcess", counters: "Counters | None") -> None:
        """I5: whoever trusts its lease has the newest epoch. I3: received ≥ appended ≥ durable ≥ checkpointed."""
        partition = worker.term.partition_id
        if self._trusting and worker.term.epoch < self.epoch(partition) and worker.trusts_until_s > self._world.now_s:
            self._world.violated(f"I5: {worker.name} trusts a lease that has a new owner")
        if counters is None:
            return
        marks = (counters.checkpointed, counters.durable, counters.appended, counters.received)
        at = [-1 if mark is None else mark for mark in marks]
        if at != sorted(at):
            self._world.violated(f"I3: checkpointed, durable, appended, received of {worker.name} are {at}")

    def checkpointed(
        self, partition: str, old_epoch: int, old: int | None, epoch: int, number: int | None, begins_after: int | None
    ) -> None:
        """I4: neither epoch nor position goes back. I3: a checkpoint is durable, or where a channel begins."""
        self._world.note("checkpoint", p=partition, epoch=epoch, number=number)
        self.positions[partition] = begins_after if number is None else number
        if begins_after is not None and partition in self.added:
            self._world.violated(f"I1: partition {partition} was added to the hub, and begins after {begins_after}")
        if (epoch, _position(number)) < (old_epoch, _position(old)) or _position(number) < _position(old):
            self._world.violated(
                f"I4: the checkpoint of partition {partition} went from {old_epoch}/{old} to {epoch}/{number}"
            )
        if epoch < self.epoch(partition):
            self._world.violated(f"I4: epoch {epoch} wrote the checkpoint of partition {partition} after its end")
        token = self.channels[partition].token
        if _position(number) > _position(begins_after if token is None else token):
            self._world.violated(f"I3: the checkpoint of partition {partition} is at {number}, ahead of the sink")

    def written(self, partition: str, epoch: int) -> None:
        """I5: the sink takes no write of an epoch after one of a newer epoch."""
        newest = self._writers.get(partition, 0)
        if epoch < newest:
            self._world.violated(f"I5: the sink took a write of epoch {epoch} after one of {newest}, p={partition}")
        self._writers[partition] = max(epoch, newest)

    def committed(self, partition: str, before: int | None, numbers: list[int]) -> None:
        """I1 and I2: every event once, in order."""
        first = _position(self.positions.get(partition) if before is None else before) + 1
        if numbers != list(range(first, first + len(numbers))):
            self._world.violated(f"I1, I2: partition {partition} has {numbers} after {before}")

    def attached(self, partition: str, epoch: int, before: int) -> None:
        """I5: no reader is disconnected by one of an older epoch."""
        if epoch < before:
            self._world.violated(f"I5: the reader of epoch {before} lost partition {partition} to epoch {epoch}")


def _position(number: int | None) -> int:
    return -1 if number is None else number
