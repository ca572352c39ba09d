"""Faults that pass: one tree lives through all of them, and after each one every event is in the table, once."""

from collections.abc import Callable, Iterator

import pytest

from scripts.harness.evsup import Evsup
from scripts.harness.waiting import eventually
from tests.harness.pipeline import UNCHECKED, Pipeline, pipeline_of

P = "0"
MORE = 400  # events after each fault


@pytest.fixture(scope="module")
def pipeline() -> Iterator[Pipeline]:
    with pipeline_of(**UNCHECKED) as made:
        yield made


@pytest.fixture(scope="module")
def tree(pipeline: Pipeline) -> Iterator[Evsup]:
    with pipeline.living_tree() as evsup:
        yield evsup


@pytest.fixture
def evsup(pipeline: Pipeline, tree: Evsup) -> Iterator[Evsup]:
    """The tree with a stream through it; after the test, healed and complete."""
    pipeline.publish(MORE)
    pipeline.await_all()
    yield tree
    pipeline.hub.heal()
    pipeline.snow.clear_faults()
    pipeline.await_all()
    assert tree.is_running


def duplicates(evsup: Evsup) -> int:
    return evsup.workers()[P].duplicates_total


SOURCE_FAULTS: dict[str, Callable[[Pipeline], object]] = {
    "detach": lambda pipeline: pipeline.hub.detach_receivers(P),
    "drop": lambda pipeline: pipeline.hub.drop_connections(),
    "close": lambda pipeline: pipeline.hub.close_connections(),
    "expire_tokens": lambda pipeline: pipeline.hub.expire_tokens(),
    "throttle": lambda pipeline: (pipeline.hub.throttle(1), pipeline.hub.drop_connections()),
}


@pytest.mark.parametrize("fault", SOURCE_FAULTS)
def test_a_link_lost_in_the_stream_is_opened_again(pipeline: Pipeline, evsup: Evsup, fault: str) -> None:
    fired = pipeline.hub.fired(fault)
    pipeline.publish(MORE)
    SOURCE_FAULTS[fault](pipeline)
    pipeline.publish(MORE)
    eventually(lambda: pipeline.hub.fired(fault) > fired, "the fault fired")
    pipeline.await_all()


def test_an_outage_of_the_hub_is_waited_out(pipeline: Pipeline, evsup: Evsup) -> None:
    before = evsup.stderr.count("receiver_reopening")
    pipeline.hub.begin_outage()
    eventually(lambda: evsup.stderr.count("receiver_reopening") > before + 1, "it tries again and again")
    pipeline.hub.end_outage()
    pipeline.publish(MORE)
    pipeline.await_all()


def test_events_redelivered_in_the_live_link_are_dropped_and_counted(pipeline: Pipeline, evsup: Evsup) -> None:
    before = duplicates(evsup)
    pipeline.hub.redeliver_now(P, 100)
    pipeline.publish(MORE)
    eventually(lambda: duplicates(evsup) == before + 100, "duplicates are counted")
    pipeline.await_all()


def test_events_redelivered_by_a_new_link_are_dropped_and_counted(pipeline: Pipeline, evsup: Evsup) -> None:
    before = duplicates(evsup)
    pipeline.hub.redeliver_on_attach(P, 100)
    pipeline.hub.drop_connections()
    pipeline.publish(MORE)
    eventually(
        lambda: duplicates(evsup) == before + 101, "duplicates are counted, with the event that a link begins with"
    )
    pipeline.await_all()


@pytest.mark.parametrize("status", [429, 500, 503])
def test_appends_refused_for_a_while_are_retried(pipeline: Pipeline, evsup: Evsup, status: int) -> None:
    before = pipeline.snow.fired().get("http", 0)
    pipeline.snow.fail("append", status, times=2)
    pipeline.publish(MORE)
    eventually(lambda: pipeline.snow.fired().get("http", 0) == before + 2, "the fault fired")
    pipeline.await_all()


@pytest.mark.parametrize("served", [False, True], ids=["before it was served", "after it was served"])
def test_an_append_whose_connection_breaks_is_in_the_table_once(pipeline: Pipeline, evsup: Evsup, served: bool) -> None:
    kind = "reset_after" if served else "reset"
    before = pipeline.snow.fired().get(kind, 0)
    pipeline.snow.reset("append", served=served)
    pipeline.publish(MORE)
    eventually(lambda: pipeline.snow.fired().get(kind, 0) == before + 1, "the fault fired")
    pipeline.await_all()


def test_an_expired_snowflake_token_is_renewed_silently(pipeline: Pipeline, evsup: Evsup) -> None:
    before = pipeline.snow.answers()["token 200"]
    pipeline.snow.expire_tokens()
    pipeline.publish(MORE)
    eventually(lambda: pipeline.snow.answers()["token 200"] > before, "a new token is fetched")
    pipeline.await_all()
    assert "NotPermitted" not in evsup.stderr


def test_status_calls_that_fail_for_a_while_are_repeated(pipeline: Pipeline, evsup: Evsup) -> None:
    before = pipeline.snow.fired().get("http", 0)
    pipeline.snow.fail("status", 503, times=2)
    pipeline.publish(MORE)
    eventually(lambda: pipeline.snow.fired().get("http", 0) == before + 2, "the fault fired")
    pipeline.await_all()


def test_one_stale_answer_is_asked_for_again(pipeline: Pipeline, evsup: Evsup) -> None:
    before = evsup.stderr.count("status_older")
    pipeline.publish(MORE)
    pipeline.await_all()
    eventually(lambda: str(evsup.workers()[P].checkpointed) == pipeline.token(P), "the checkpoint follows")
    pipeline.snow.answer_stale(times=None)  # until the worker has seen one: it asks seldom while nothing is in flight
    eventually(lambda: evsup.stderr.count("status_older") > before, "the worker sees it")
    pipeline.snow.clear_faults()
    pipeline.publish(MORE)
    pipeline.await_all()
