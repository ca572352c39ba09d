"""Stands for channel, hub and control store of one partition while it is opened."""

from collections.abc import Callable
from dataclasses import replace
from typing import Self

import pytest
from azure.eventhub import EventData

from shared.config.settings import Settings
from shared.errors import OwnershipLost
from shared.ipc.messages import ChannelStatus
from shared.model import Checkpoint, PartitionFacts, Term
from shared.snowflake.channel_name import of_generation
from tests.unit.plain_settings import plain, snowflake
from tests.unit.worker.rows.events import ENQUEUED_MS, event
from worker import opening
from worker.opening import StartingPoint, open_partition
from worker.sink.rejection import Rejection

TERM = Term("3", "me", 7)
BORN_S = 1.5
ENQUEUED_S = ENQUEUED_MS / 1000
LAST_ENQUEUED_S = ENQUEUED_S + 60
ENROLLED = Checkpoint("3", None, None, 6, 0, BORN_S)  # when the group began
POSITIONS = ["-1", "@latest", "2026-01-31T00:00:00Z"]
QUARANTINE = snowflake(on_reject="quarantine", warehouse="WH")


class World:
    """Stands for the channel, the hub and the store of one partition; remembers who was asked when."""

    def __init__(
        self, token: int | None, stored: Checkpoint | None, last: int = 100, errors: int = 0, first: int = 0
    ) -> None:
        self.asked: list[str] = []
        self.name = ""
        self.saved: list[Checkpoint] = []
        self.newest_epoch = TERM.epoch
        self.later: ChannelStatus | None = None
        self.channel_exists = True
        self._progress, self._stored = ChannelStatus(token, errors), stored
        self.facts = PartitionFacts(first, last, last < 0, BORN_S, f"offset-{last}", LAST_ENQUEUED_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def probe(self) -> None:
        self.asked.append("probe")

    def exists(self, generation: int) -> bool:
        self.asked.append(f"exists {generation}")
        return self.channel_exists

    def open(self, generation: int) -> ChannelStatus:
        self.name = of_generation("CHANNEL", generation)
        self.asked.append(f"open {generation}")
        return self._progress

    def partition(self, _: str) -> PartitionFacts:
        self.asked.append("partition")
        return self.facts

    def last_before(self, *_: object) -> int | None:
        return 32

    def at_or_after(self, partition_id: str, number: int, owner_level: int) -> EventData:
        self.asked.append(f"event {number} of {partition_id} by {owner_level}")
        return EventData.from_bytes(event(b"{}", number))

    def await_status(self, is_expected: Callable[[ChannelStatus], bool], _: float) -> ChannelStatus | None:
        self.asked.append("await")
        return self.later if self.later and is_expected(self.later) else None

    def begin_next_channel(self, checkpoint: Checkpoint) -> None:
        self.asked.append(f"begin after {checkpoint.sequence_number}")
        generation = checkpoint.channel_generation + 1
        self._stored = replace(
            checkpoint,
            channel_generation=generation,
            begins_after=checkpoint.sequence_number,
            rows_error_count=0,
            unsettled_from=None,
        )

    def load_checkpoint(self, _: str) -> Checkpoint | None:
        self.asked.append("checkpoint")
        return self._stored

    def save_checkpoint(self, checkpoint: Checkpoint) -> None:
        self.asked.append("save")
        if self.newest_epoch > checkpoint.epoch:
            raise OwnershipLost("The checkpoint was not written")
        self.saved.append(checkpoint)
        self._stored = checkpoint


def found(world: World, monkeypatch: pytest.MonkeyPatch, settings: Settings | None = None) -> StartingPoint | Rejection:
    monkeypatch.setattr(opening, "EventHubClient", lambda _: world)
    return open_partition(settings or plain(), TERM, world, world)


def opened(world: World, monkeypatch: pytest.MonkeyPatch, settings: Settings | None = None) -> StartingPoint:
    made = found(world, monkeypatch, settings)
    assert isinstance(made, StartingPoint)
    return made


def stored(sequence_number: int | None, errors: int = 0) -> Checkpoint:
    return Checkpoint("3", sequence_number, "offset-stored", 6, errors, BORN_S)


def moved(sequence_number: int | None, opened: int = 0) -> Checkpoint:
    return Checkpoint("3", sequence_number, "offset-stored", 6, 0, BORN_S, None, 2, opened, sequence_number)
