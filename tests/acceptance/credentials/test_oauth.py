"""Streaming, control tables and every command sign in to Snowflake by OAuth."""

import os
import signal
from collections.abc import Iterator

import pytest

from scripts.harness.marker import command_lines
from scripts.localcloud.cloud import CloudSettings
from tests.harness.pipeline import SELDOM, Pipeline, pipeline_of


@pytest.fixture(scope="module")
def pipeline() -> Iterator[Pipeline]:
    with pipeline_of(cloud=CloudSettings(partitions=1, store="snowflake", commit_delay_s=0.3), **SELDOM) as made:
        made.environment |= {**made.cloud.oauth_environment, "EVSUP_LOG_LEVEL": "debug", "SS_LOG_LEVEL": "debug"}
        yield made


def test_a_wrong_secret_ends_a_start_with_77_and_one_message(pipeline: Pipeline) -> None:
    file = str(pipeline.cloud.directory / "control.db")
    pipeline.output("init", CONTROL_STORE="sqlite", CONTROL_SQLITE_PATH=file)
    evsup = pipeline.start(
        SNOWFLAKE_OAUTH_CLIENT_SECRET="not the one", CONTROL_STORE="sqlite", CONTROL_SQLITE_PATH=file
    )
    assert evsup.wait() == 77
    assert "401 invalid_client" in evsup.last_line
    assert "Check SNOWFLAKE_OAUTH_CLIENT_ID" in evsup.last_line
    assert "not the one" not in evsup.stderr


def test_what_expires_is_renewed_and_the_secret_is_never_shown(pipeline: Pipeline) -> None:
    pipeline.publish(100)
    evsup = pipeline.start()
    workers = evsup.await_running(1)
    pipeline.await_all()
    pipeline.snow.expire_access_tokens()
    pipeline.snow.expire_tokens()
    pipeline.snow.expire_sessions(master=True)
    pipeline.publish(100)
    pipeline.await_all()
    answers = pipeline.snow.answers()
    assert answers["token 401 390318"] >= 1, "the SDK has shown an expired access token"
    assert answers["query 200 390112"] >= 1, "a store has shown an expired session"
    assert evsup.workers()["0"].pid == workers["0"].pid
    shown = [*command_lines(evsup.marker).values()]
    os.kill(workers["0"].pid, signal.SIGABRT)  # faulthandler writes stacks
    assert evsup.wait() == 70
    shown += [evsup.stderr, *(path.read_text() for path in evsup.state_dir.glob("crash-*.json"))]
    shown += [pipeline.output(*command) for command in (("verify",), ("check",), ("init", "--target"))]
    assert pipeline.environment["SNOWFLAKE_OAUTH_CLIENT_SECRET"] not in "\n".join(shown)
