"""Receivers of a scripted hub."""

from collections.abc import Iterator
from typing import Any

import pytest

from shared.clock import Deadline
from tests.unit.plain_settings import eventhub
from tests.unit.readable import DEADLINE_S
from tests.unit.worker.source.receiving import AFTER_4, Start
from tests.unit.worker.source.rig import Hub, Script
from worker.rows.envelope import Envelope
from worker.source import link as link_module
from worker.source import receiver as receiver_module
from worker.source.link import Mapper, Position
from worker.source.receiver import Receiver

EVENT_OF = Envelope("3", "fail").event_of


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Hub:
    """The SDK, and no pauses between links."""
    made = Hub()
    monkeypatch.setattr(link_module, "EventHubClient", made.client)
    monkeypatch.setattr(receiver_module, "REOPEN_FIRST_S", 0.0)
    monkeypatch.setattr(receiver_module, "REOPEN_MOST_S", 0.0)
    monkeypatch.setattr(receiver_module, "REGISTRY_PAUSE_S", 0.01)
    return made


@pytest.fixture
def start(hub: Hub) -> Iterator[Start]:
    """Starts a receiver that plays these links."""
    started: list[Receiver] = []

    def receiver(
        *scripts: Script, position: Position = AFTER_4, event_of: Mapper = EVENT_OF, **settings: Any
    ) -> Receiver:
        hub.scripts = list(scripts)
        started.append(Receiver(eventhub(**{"max_wait_time": 0.0, **settings}), "3", 7, position, event_of))
        started[-1].start()
        return started[-1]

    yield receiver
    for each in started:
        each.stop()
        each.join(Deadline.after(DEADLINE_S))
        assert each.has_ended
