"""A tree on the streaming SDK's own defaults, under load: rows go to Snowflake as files, and each is there once."""

import json
import time
from collections.abc import Callable, Iterator

import pytest

from scripts.harness.evsup import Evsup
from scripts.harness.waiting import eventually
from scripts.localcloud.cloud import INLINE_PROPERTIES
from scripts.localcloud.snow.admin import SnowAdmin
from tests.harness.pipeline import UNCHECKED, Pipeline, pipeline_of
from tests.harness.snow.stage_load import burst, uploaded

TICK_S, TICKS, EVENTS_A_TICK, STEADY_BYTES = 0.2, 20, 100, 4_000  # 2 MB/s; the SDK uploads files from 1 MB/s on


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
    """The tree; after the test, healed and complete, and nothing is left on the stage without its rows."""
    yield tree
    pipeline.snow.clear_faults()
    pipeline.await_all()
    assert tree.is_running


def test_a_burst_goes_by_file(pipeline: Pipeline, evsup: Evsup) -> None:
    before = uploaded(pipeline)
    burst(pipeline)
    pipeline.await_all()
    assert uploaded(pipeline) > before
    assert pipeline.snow.staged_files() == 0


def test_500_events_a_second_go_by_file(pipeline: Pipeline, evsup: Evsup) -> None:
    before = uploaded(pipeline)
    start_s = time.monotonic()
    for tick in range(TICKS):
        burst(pipeline, EVENTS_A_TICK, STEADY_BYTES)
        eventually(lambda: time.monotonic() >= start_s + (tick + 1) * TICK_S, "the next tick", every_s=0.01)  # noqa: B023
    pipeline.await_all()
    assert uploaded(pipeline) > before


PASSING: dict[str, Callable[[SnowAdmin], None]] = {
    "upload_503": lambda snow: snow.fail("upload", 503, 2, code="SlowDown"),
    "upload_lost": lambda snow: snow.reset("upload"),
    "upload_answer_lost": lambda snow: snow.reset("upload", served=True),
    "upload_slow": lambda snow: snow.delay("upload", 2.0),
    "registration_503": lambda snow: snow.fail("filebuffer", 503, 2),
    "registration_lost": lambda snow: snow.reset("filebuffer"),
    "registration_answer_lost": lambda snow: snow.reset("filebuffer", served=True),
}


@pytest.mark.parametrize("fault", PASSING)
def test_a_passing_fault_of_the_stage_costs_no_event(pipeline: Pipeline, evsup: Evsup, fault: str) -> None:
    fired = sum(pipeline.snow.fired().values())
    PASSING[fault](pipeline.snow)
    burst(pipeline)
    eventually(lambda: sum(pipeline.snow.fired().values()) > fired, "the fault fired")
    pipeline.await_all()


def test_the_same_burst_goes_by_rows_when_the_properties_say_so() -> None:
    with pipeline_of(SNOWFLAKE_STREAMING_PROPERTIES=json.dumps(INLINE_PROPERTIES), **UNCHECKED) as own:
        evsup = own.start()
        evsup.await_running(1)
        burst(own)
        own.await_all()
        assert uploaded(own) == 0
        assert evsup.stop() == 0
