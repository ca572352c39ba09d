"""A hub that is asked again and again which partitions it has, and may not answer."""

from threading import Event
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from shared.errors import EvsupError, SourceUnavailable
from shared.model import HubFacts
from supervisor.ownership.partition_discovery import MOST_PAUSE_S, PartitionDiscovery
from tests.unit.shared.control.stores import Clock

if TYPE_CHECKING:
    from collections.abc import Collection

INTERVAL_S = 10.0
TWO = ("0", "1")


class Hub:
    """Answers as a test says."""

    def __init__(self) -> None:
        self.has: tuple[str, ...] = TWO
        self.error: Exception | None = None
        self.learnt: list[Collection[str]] = []
        self.group_size = 1
        self.asked = Event()
        self.clock = Clock()

    def __call__(self) -> HubFacts:
        self.asked.set()
        if self.error:
            raise self.error
        return HubFacts(self.has, 0.0)

    def watch(self, interval_s: float = INTERVAL_S) -> PartitionDiscovery:
        """That knows two partitions."""
        known = HubFacts(TWO, 0.0)
        return PartitionDiscovery(self, known, interval_s, self.learnt.append, lambda: self.group_size, self.clock)


@pytest.fixture
def hub() -> Hub:
    return Hub()


def told(logs: list[Any], event: str) -> list[Any]:
    """The log lines of an event."""
    return [line for line in logs if line["event"] == event]


def test_what_is_new_is_told_once_and_logged(hub: Hub) -> None:
    watch = hub.watch()
    watch.step()
    assert hub.learnt == []
    hub.has = ("0", "1", "2", "3")
    with capture_logs() as logs:
        watch.step()
        watch.step()
    assert hub.learnt == [hub.has]
    assert watch.partition_ids == hub.has
    [line] = logs
    assert (line["event"], line["partitions"], line["partitions_total"]) == ("partitions_added", ["2", "3"], 4)


def test_what_is_gone_is_told_and_logged(hub: Hub) -> None:
    hub.has = ("0",)
    with capture_logs() as logs:
        hub.watch().step()
    assert hub.learnt == [("0",)]
    assert [line["partitions"] for line in told(logs, "partitions_gone")] == [["1"]]


@pytest.mark.parametrize("error", [SourceUnavailable("No answer", "timed out"), RuntimeError("a bug of a client")])
def test_an_error_ends_nothing_is_logged_once_and_shows_until_the_hub_answers(hub: Hub, error: Exception) -> None:
    watch, hub.error = hub.watch(), error
    with capture_logs() as logs:
        for _ in range(5):
            watch.step()
            hub.clock.move(INTERVAL_S)
        assert watch.partition_ids == TWO
        assert str(error) in str(watch.trouble)
        assert hub.clock.now_s - watch.answered_s == 5 * INTERVAL_S
        hub.error = None
        watch.step()
    assert (watch.trouble, watch.answered_s) == (None, hub.clock.now_s)
    assert len(told(logs, "hub_not_answering")) == len(told(logs, "hub_answers_again")) == 1


def test_a_hub_that_does_not_answer_is_asked_less_and_less_often_and_never_given_up(hub: Hub) -> None:
    watch, hub.error = hub.watch(), SourceUnavailable("No answer")
    pauses = [watch.step() for _ in range(8)]
    assert pauses[0] <= 1.25 * INTERVAL_S
    assert 0.75 * MOST_PAUSE_S <= pauses[-1] <= 1.25 * MOST_PAUSE_S


def test_a_big_group_stays_far_below_what_event_hubs_lets_a_consumer_group_ask(hub: Hub) -> None:
    watch = hub.watch()
    assert watch.step() <= 1.1 * INTERVAL_S
    hub.group_size = 1000
    assert 1000 / watch.step() < 50 / 4


def test_it_asks_on_a_thread_of_its_own_until_it_is_closed(hub: Hub) -> None:
    watch = hub.watch(interval_s=0.001)
    watch.start()
    assert hub.asked.wait(5.0)
    watch.close()
    watch._thread.join(5.0)
    assert not watch._thread.is_alive()


def test_an_error_of_ours_is_told_in_its_own_words(hub: Hub) -> None:
    watch, hub.error = hub.watch(), EvsupError("Event hub 'flights' cannot be read", "it is away", "Look.")
    watch.step()
    assert watch.trouble == str(hub.error)
