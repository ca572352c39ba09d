"""Snowflake shows the count of rejected rows later than the token that passed them: no such row is ever silent."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from scripts.harness.evsup import Evsup
from scripts.harness.waiting import eventually
from tests.harness.pipeline import UNCHECKED, Pipeline, fix_of, pipeline_of
from tests.integration.target.test_quarantine import P, await_all, known, quarantined

LATE_S = 2.5
Trouble = Callable[[Pipeline], None]


@pytest.fixture(scope="module")
def quarantining() -> Iterator[Pipeline]:
    with pipeline_of(SNOWFLAKE_ON_REJECT="quarantine", **UNCHECKED) as made:
        made.output("init", "--target")
        yield made


@pytest.fixture
def evsup(quarantining: Pipeline) -> Iterator[Evsup]:
    """A tree in mid-stream."""
    started = quarantining.started
    tree = started[-1] if started and started[-1].is_running else quarantining.start()
    tree.await_running(1)
    quarantining.publish(50)
    await_all(quarantining, tree)
    yield tree
    quarantining.snow.clear_faults()


def pass_over_rejected_rows(pipeline: Pipeline, rows: int) -> int:
    """Let rows be rejected and the checkpoint pass them; their count stays hidden. The number of the first."""
    pipeline.snow.hold_counts()
    first = pipeline.in_hub()[P].last + 1
    pipeline.snow.reject_rows(rows)
    pipeline.publish(20)
    eventually(lambda: pipeline.position(P) == first + 19, "the checkpoint passes them")
    return first


def proven(pipeline: Pipeline) -> bool:
    """Whether every event is in one of the two tables, once, as evsup itself says."""
    done = pipeline.run("verify", "--json")
    return done.returncode == 0 and json.loads(done.stdout)["partitions"][0]["verdict"] == "proven"


@pytest.mark.parametrize(
    "late",
    [
        lambda pipeline: pipeline.snow.delay_counts(LATE_S),
        lambda pipeline: pipeline.snow.delay_counts(LATE_S / 2, message_seconds=2 * LATE_S, in_steps=True),
    ],
    ids=["count and message", "count in two steps and then the message"],
)
def test_rows_whose_count_comes_after_the_checkpoint_has_passed_them_are_quarantined_once(
    quarantining: Pipeline, evsup: Evsup, late: Trouble
) -> None:
    before, counted = quarantined(quarantining), known(quarantining)
    first = pass_over_rejected_rows(quarantining, 2)
    assert quarantined(quarantining) == before, "nobody could know yet"
    late(quarantining)
    quarantining.publish(20)
    quarantining.snow.reject_rows(1)
    quarantining.publish(20)
    eventually(lambda: len(quarantined(quarantining)) == len(before) + 3 or not evsup.is_running, "all are quarantined")
    assert evsup.is_running, evsup.last_line
    await_all(quarantining, evsup)
    assert quarantined(quarantining)[-3:-1] == [first, first + 1]
    eventually(lambda: known(quarantining) == counted + 3, "each is counted once")


def test_a_count_that_rose_while_nothing_ran_is_found_by_the_next_owner(quarantining: Pipeline, evsup: Evsup) -> None:
    before = quarantined(quarantining)
    first = pass_over_rejected_rows(quarantining, 1)
    assert evsup.stop() == 0
    assert quarantined(quarantining) == before
    quarantining.snow.clear_faults()
    assert shown(quarantining) == len(before) + 1, "the count has risen"
    following = quarantining.start()
    eventually(lambda: quarantined(quarantining) == [*before, first] or not following.is_running, "it is quarantined")
    await_all(quarantining, following)
    assert proven(quarantining)


def shown(pipeline: Pipeline) -> int:
    """How many rejected rows `verify` reports."""
    done = pipeline.run("verify", "--json")
    rejected: int = json.loads(done.stdout)["partitions"][0]["rejected"]
    return rejected


def test_a_count_that_comes_later_than_anybody_looks_back_is_refused_with_65(
    quarantining: Pipeline, evsup: Evsup
) -> None:
    """The row is one of an event that was settled long ago: here somebody else's hand makes it so."""
    first = pass_over_rejected_rows(quarantining, 1)
    assert evsup.stop() == 0
    with quarantining.store() as store:
        checkpoint = store.load_checkpoint(P)
        assert checkpoint is not None
        store.save_checkpoint(replace(checkpoint, unsettled_from=first + 20))
    following = quarantining.start()
    following.await_running(1)
    quarantining.snow.clear_faults()
    quarantining.publish(20)
    assert following.wait() == 65
    assert "which cannot be quarantined" in following.last_line
    assert fix_of(following.last_line).arguments[-2] == "--rejected-rows"
    assert first not in quarantined(quarantining)


def test_without_a_quarantine_the_tree_ends_with_65_however_late_the_count_is_and_so_does_every_start() -> None:
    with pipeline_of(**UNCHECKED) as pipeline:
        pipeline.publish(50)
        evsup = pipeline.start()
        pipeline.await_all()
        pass_over_rejected_rows(pipeline, 1)
        pipeline.snow.clear_faults()
        pipeline.publish(5)  # a worker that has nothing in flight asks seldom
        for _ in ("now", "at the next start"):
            assert evsup.wait() == 65
            assert "Snowflake rejected 1 row" in evsup.last_line
            assert "they are among events 0 to " in evsup.last_line
            evsup = pipeline.start()
