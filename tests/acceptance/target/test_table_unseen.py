"""Snowflake answers no SQL, so nobody can see the target table: a start says so, and a running tree goes on."""

from collections.abc import Iterator

import pytest

from scripts.harness.waiting import eventually
from tests.harness.pipeline import Pipeline, pipeline_of

SEEN_S = 120.0  # the table is checked every 30 s, and a check may take 50 s


@pytest.fixture(scope="module")
def pipeline() -> Iterator[Pipeline]:
    with pipeline_of() as made:
        yield made


def test_a_running_tree_goes_on_without_sql_and_says_that_it_cannot_see(pipeline: Pipeline) -> None:
    evsup = pipeline.start()
    evsup.await_running(1)
    pipeline.snow.fail("query", 503, times=None)
    eventually(lambda: (tree := evsup.status()) and tree.table_unseen, "it is said", timeout_s=SEEN_S)
    assert "columns cannot be seen" in pipeline.output("status")
    pipeline.publish(100)
    pipeline.await_all()
    assert evsup.stop() == 0
    assert evsup.events("table_not_seen")
    pipeline.snow.clear_faults()


def test_without_sql_a_start_ends_with_69_and_names_the_setting_that_goes_without(pipeline: Pipeline) -> None:
    pipeline.snow.refuse_logins(times=None)  # an address that a network policy lets stream, and not speak SQL
    evsup = pipeline.start()
    assert evsup.wait() == 77
    assert "SNOWFLAKE_CHECK_COLUMNS=false" in evsup.last_line
    pipeline.snow.clear_faults()
    pipeline.snow.fail("login", 503, times=None)
    evsup = pipeline.start()
    assert evsup.wait() == 69
    assert "SNOWFLAKE_CHECK_COLUMNS=false" in evsup.last_line
    assert "skipped snowflake login" in pipeline.run("check", SNOWFLAKE_CHECK_COLUMNS="false").stdout
    pipeline.snow.clear_faults()
