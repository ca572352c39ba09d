"""A hub that is asked again and again which partitions it has, and may not answer."""

import threading
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest

from shared.errors import EvsupError, SourceUnavailable
from shared.eventhubs.client import QUESTIONS_OF_A_START, QUESTIONS_PER_S
from shared.model import HubFacts
from supervisor.ownership.partition_discovery import MOST_PAUSE_S, PartitionDiscovery
from tests.unit.captured_log import capture_logs
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
        self.group_size = self.starting = 1
        self.asked = Event()
        self.clock = Clock()

    def __call__(self) -> HubFacts:
        self.asked.set()
        if self.error:
            raise self.error
        return HubFacts(self.has, 0.0)

    def discovery(self, interval_s: float = INTERVAL_S) -> PartitionDiscovery:
        """That knows two partitions."""
        known = HubFacts(TWO, 0.0)
        return PartitionDiscovery(
            self,
            known,
            interval_s,
            self.learnt.append,
            lambda: self.group_size,
            self.clock,
            lambda: self.starting,
        )


@pytest.fixture
def hub() -> Hub:
    return Hub()


def busiest(times_s: list[float]) -> int:
    """How many of these there were in the busiest second."""
    return max(sum(0 <= each - begin_s < 0.999 for each in times_s) for begin_s in times_s)


def logged(logs: list[Any], event: str) -> list[Any]:
    """The log lines of an event."""
    return [line for line in logs if line["event"] == event]


@pytest.mark.parametrize("supervisors", [1, 5])
def test_a_thousand_workers_that_start_at_once_ask_as_often_as_their_group_may(hub: Hub, supervisors: int) -> None:
    hub.starting = supervisors
    group = [hub.discovery() for _ in range(supervisors)]
    turns_s = [each.start_turn_s() for each in group for _ in range(1000 // supervisors)]
    assert busiest(turns_s) * QUESTIONS_OF_A_START == QUESTIONS_PER_S
    hub.clock.now_s = max(turns_s) + 60
    assert group[0].start_turn_s() == hub.clock(), "a worker that starts later does not wait"


def test_workers_of_a_member_that_is_restarted_alone_do_not_wait_for_the_others(hub: Hub) -> None:
    hub.group_size = 10
    restarted = hub.discovery()
    turns_s = [restarted.start_turn_s() for _ in range(100)]
    assert max(turns_s) - min(turns_s) <= 100 * QUESTIONS_OF_A_START / QUESTIONS_PER_S


def test_added_partitions_are_passed_on_once_and_logged(hub: Hub) -> None:
    discovery = hub.discovery()
    discovery.step()
    assert hub.learnt == []
    hub.has = ("0", "1", "2", "3")
    with capture_logs() as logs:
        discovery.step()
        discovery.step()
    assert hub.learnt == [hub.has]
    assert discovery.partition_ids == hub.has
    [line] = logs
    assert (line["event"], line["partitions"], line["partitions_total"]) == ("partitions_added", ["2", "3"], 4)


def test_removed_partitions_are_passed_on_and_logged(hub: Hub) -> None:
    hub.has = ("0",)
    with capture_logs() as logs:
        hub.discovery().step()
    assert hub.learnt == [("0",)]
    assert [line["partitions"] for line in logged(logs, "partitions_gone")] == [["1"]]


@pytest.mark.parametrize("error", [SourceUnavailable("No answer", "timed out"), RuntimeError("a bug of a client")])
def test_a_failed_query_ends_nothing_is_logged_once_and_shows_until_the_hub_answers(hub: Hub, error: Exception) -> None:
    discovery, hub.error = hub.discovery(), error
    with capture_logs() as logs:
        for _ in range(5):
            discovery.step()
            hub.clock.move(INTERVAL_S)
        assert discovery.partition_ids == TWO
        assert str(error) in str(discovery.trouble)
        assert hub.clock.now_s - discovery.answered_s == 5 * INTERVAL_S
        hub.error = None
        discovery.step()
    assert (discovery.trouble, discovery.answered_s) == (None, hub.clock.now_s)
    assert len(logged(logs, "hub_not_answering")) == len(logged(logs, "hub_answers_again")) == 1


def test_a_hub_that_does_not_answer_is_queried_less_and_less_often_and_never_given_up(hub: Hub) -> None:
    discovery, hub.error = hub.discovery(), SourceUnavailable("No answer")
    pauses = [discovery.step() for _ in range(8)]
    assert pauses[0] <= 1.25 * INTERVAL_S
    assert 0.75 * MOST_PAUSE_S <= pauses[-1] <= 1.25 * MOST_PAUSE_S


def test_a_large_group_stays_far_below_the_limit_of_queries_of_event_hubs(hub: Hub) -> None:
    discovery = hub.discovery()
    assert discovery.step() <= 1.1 * INTERVAL_S
    hub.group_size = 1000
    assert 1000 / discovery.step() < 50 / 4


def test_the_thread_queries_the_hub_until_it_is_closed(hub: Hub) -> None:
    discovery = hub.discovery(interval_s=0.001)
    discovery.start()
    assert hub.asked.wait(5.0)
    discovery.close()
    for thread in threading.enumerate():
        if thread.name == "hub":
            thread.join(5.0)
    assert "hub" not in [thread.name for thread in threading.enumerate()]


def test_an_error_of_ours_is_shown_as_it_is(hub: Hub) -> None:
    discovery, hub.error = hub.discovery(), EvsupError("Event hub 'flights' cannot be read", "it is away", "Look.")
    discovery.step()
    assert discovery.trouble == str(hub.error)


def test_what_an_unexpected_error_quotes_is_masked(hub: Hub) -> None:
    discovery, hub.error = hub.discovery(), ValueError("SharedAccessKey=Xq7canary")
    discovery.step()
    assert "ValueError" in (discovery.trouble or "")
    assert "Xq7canary" not in (discovery.trouble or "")
