"""evsup with the oldest SDKs that pyproject.toml allows; all other tests run with those of uv.lock.

docs/internals/streaming-sdk.md says what differs between them.
"""

import subprocess
from collections.abc import Iterator

import pytest

from scripts.harness.evsup import Evsup
from scripts.harness.waiting import eventually
from tests.harness.pipeline import Pipeline, pipeline_of
from tests.harness.versions.oldest import OLDER_SDK, oldest_evsup

P = "0"

pytestmark = pytest.mark.timeout(300)  # the first test may wait for downloads


@pytest.fixture(scope="module")
def oldest() -> str:
    return oldest_evsup()


@pytest.fixture(scope="module")
def pipeline() -> Iterator[Pipeline]:
    """Without a CA file, which the oldest SDK does not read; OpenSSL and the connector have variables of their own."""
    with pipeline_of() as made:
        ca_file = made.environment.pop("SNOWFLAKE_CA_FILE")
        made.environment |= {
            "PYTHONPATH": OLDER_SDK,
            "PLAIN_URL": f"http://127.0.0.1:{made.cloud.snow_service.ready['plain_port']}",
            "SSL_CERT_FILE": ca_file,
            "REQUESTS_CA_BUNDLE": ca_file,
            "EVSUP_LOG_FORMAT": "text",  # rendered by other code than JSON
        }
        yield made


@pytest.fixture
def evsup(pipeline: Pipeline, oldest: str) -> Evsup:
    """A tree that has moved every event so far, each once."""
    last = pipeline.started[-1] if pipeline.started else None
    tree = last if last and last.is_running else pipeline.start(command=(oldest,))
    pipeline.publish(300)
    pipeline.await_all()
    return tree


def test_every_event_is_in_the_table_once_over_start_drain_and_a_restart_without_append_rows(
    pipeline: Pipeline, oldest: str, evsup: Evsup
) -> None:
    pipeline.publish(1000)
    eventually(lambda: pipeline.rows() > 300, "rows come")
    assert evsup.stop() == 0
    pipeline.publish(300)
    pipeline.start(command=(oldest,), WITHOUT_APPEND_ROWS="1")
    pipeline.await_all()
    told = subprocess.run([oldest, "verify"], env=pipeline.environment, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    assert "every event is there once" in told.stdout


def test_a_channel_opened_by_somebody_else_ends_the_tree_with_75(pipeline: Pipeline, evsup: Evsup) -> None:
    pipeline.snow.steal(pipeline.channel(P))
    pipeline.publish(300)
    assert evsup.wait() == 75
    assert "Another opener" in evsup.last_line


def test_a_refusal_that_the_sdk_does_not_know_ends_the_tree_with_69(pipeline: Pipeline, evsup: Evsup) -> None:
    pipeline.snow.fail("append", 400, times=None, code="ERR_OF_A_LATER_YEAR")
    pipeline.publish(300)
    assert evsup.wait() == 69
    assert "ERR_OF_A_LATER_YEAR" in evsup.last_line
    pipeline.snow.clear_faults()


def test_rejected_rows_end_the_tree_with_65(pipeline: Pipeline, evsup: Evsup) -> None:
    pipeline.snow.reject_rows(3, pipeline.channel(P))
    pipeline.publish(300)
    assert evsup.wait() == 65
    assert "Snowflake rejected 3 rows" in evsup.last_line
