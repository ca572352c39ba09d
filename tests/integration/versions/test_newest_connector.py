"""evsup with version 5 of Snowflake's connector; all other tests run with 4.x, because the local service needs that.

docs/snowflake-control-store.md says what differs between them.
"""

import subprocess
from collections.abc import Callable, Iterator

import pytest

from scripts.harness.table import EVENTS
from scripts.harness.waiting import eventually
from scripts.localcloud.cloud import CloudSettings
from tests.harness.pipeline import SELDOM, Pipeline, pipeline_of
from tests.harness.versions.environments import environment
from tests.harness.versions.oldest import PYPROJECT, ROOT

P = "0"
CONNECTOR = "snowflake-connector-python>=5,<6"

pytestmark = pytest.mark.timeout(300)  # the first test may wait for downloads

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def newest() -> str:
    return str(environment("connector5", ("--editable", str(ROOT), CONNECTOR), PYPROJECT.read_text()) / "evsup")


@pytest.fixture(scope="module")
def pipeline() -> Iterator[Pipeline]:
    cloud = CloudSettings(partitions=1, store="snowflake", commit_delay_s=0.3)
    with pipeline_of(cloud=cloud, SNOWFLAKE_ON_REJECT="quarantine", **SELDOM) as made:
        yield made


@pytest.fixture
def run(pipeline: Pipeline, newest: str) -> Run:
    """Runs a command of that evsup to its end."""

    def run(*arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
        changed = {**pipeline.environment, **changes}
        return subprocess.run([newest, *arguments], env=changed, capture_output=True, text=True, check=False)

    return run


def test_an_authority_that_nobody_named_is_refused_with_78_and_the_setting(run: Run) -> None:
    refused = run("checkpoints", "list", SNOWFLAKE_CA_FILE="")
    assert (refused.returncode, "Set SNOWFLAKE_CA_FILE" in refused.stderr) == (78, True), refused.stderr


def test_a_user_that_nobody_knows_is_not_permitted(run: Run) -> None:
    refused = run("checkpoints", "list", SNOWFLAKE_USER="NOBODY")
    assert (refused.returncode, "JWT token is invalid" in refused.stderr) == (77, True), refused.stderr


def test_every_event_is_in_one_of_the_tables_once_and_every_command_says_so(
    pipeline: Pipeline, newest: str, run: Run
) -> None:
    assert run("init", "--target").returncode == 0
    pipeline.publish(300)
    pipeline.snow.reject_rows(3, pipeline.channel(P))
    evsup = pipeline.start(command=(newest,))
    eventually(lambda: pipeline.position(P) == 299, "everything is checkpointed")
    quarantined = f"SELECT SEQUENCE_NUMBER FROM {EVENTS}_QUARANTINE ORDER BY 1"  # noqa: S608
    assert pipeline.snow.query(quarantined) == [(0,), (1,), (2,)]
    for command in (("check",), ("verify",), ("checkpoints", "list")):
        done = run(*command)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Warning" not in done.stderr
    assert evsup.stop() == 0
    assert "Warning" not in evsup.stderr
