"""Faults of the stage that end the tree. After each one, the next start brings every event into the table once."""

import os
import signal
from collections.abc import Callable, Iterator

import pytest

from scripts.harness.evsup import Evsup
from scripts.harness.waiting import eventually
from scripts.localcloud.snow.admin import SnowAdmin
from tests.harness.pipeline import UNCHECKED, Pipeline, pipeline_of
from tests.harness.snow.stage_load import P, burst, uploaded

STALL_S = 6.0
STALE, GONE = "STALE_CONTINUATION_TOKEN_SEQUENCER", "ERR_PIPE_DOES_NOT_EXIST_OR_NOT_AUTHORIZED"


@pytest.fixture(scope="module")
def pipeline() -> Iterator[Pipeline]:
    with pipeline_of(SNOWFLAKE_COMMIT_TIMEOUT=str(STALL_S), **UNCHECKED) as made:
        yield made


@pytest.fixture
def evsup(pipeline: Pipeline) -> Iterator[Evsup]:
    with pipeline.doomed_tree(P) as tree:
        yield tree


# localcloud/snow/test_files.py has what the SDK makes of each answer, the unit tests what we make of each code.
REFUSALS: dict[str, tuple[Callable[[SnowAdmin], None], int, str]] = {
    "cut": (lambda snow: snow.cut_uploads(), 69, "IncompleteBody"),
    "409": (lambda snow: snow.fail("filebuffer", 409, code=STALE), 75, "Another opener"),
    "bare": (lambda snow: snow.fail("filebuffer", 400, code=STALE, shape="bare"), 69, "HTTP 400"),
}


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_refused_file_ends_the_tree_with_the_reason(pipeline: Pipeline, evsup: Evsup, refusal: str) -> None:
    strike, code, text = REFUSALS[refusal]
    strike(pipeline.snow)
    burst(pipeline)
    assert evsup.wait() == code
    assert "Partition 0" in evsup.last_line
    assert text in evsup.last_line


def test_a_stage_that_refuses_uploads_is_named(pipeline: Pipeline, evsup: Evsup) -> None:
    pipeline.snow.fail("upload", 403, times=None, code="AccessDenied")
    burst(pipeline)
    eventually(lambda: "upload_refused" in evsup.stderr, "the refusal is logged at once")
    assert evsup.is_running
    assert evsup.wait() == 69
    assert "Snowflake has committed nothing for" in evsup.last_line
    assert "refused the SDK's upload (AWS S3" in evsup.last_line
    assert f"https://{pipeline.stage}" in evsup.last_line


def test_a_stage_that_cannot_be_reached_is_named(pipeline: Pipeline, evsup: Evsup) -> None:
    pipeline.snow.reset("upload", times=None)
    burst(pipeline)
    assert evsup.wait() == 69
    assert f"uploads rows to cloud storage (S3: endpoint=https://{pipeline.stage}" in evsup.last_line


def test_a_channel_that_opens_invalid_ends_the_start_before_a_row_is_thrown_away(
    pipeline: Pipeline, evsup: Evsup
) -> None:
    assert evsup.stop() == 0
    pipeline.publish(300)
    pipeline.snow.open_invalid(GONE)
    refused = pipeline.start()
    assert refused.wait() == 78
    assert "was opened and is not valid" in refused.last_line
    assert GONE in refused.last_line


def hang_before_upload(pipeline: Pipeline) -> Callable[[], bool]:
    pipeline.snow.hang("upload", times=None)
    return lambda: pipeline.snow.fired().get("hang", 0) > 0


def hang_before_registration(pipeline: Pipeline) -> Callable[[], bool]:
    before = uploaded(pipeline)
    pipeline.snow.hang("filebuffer", times=None)
    return lambda: uploaded(pipeline) > before and pipeline.snow.staged_files() > 0


def stall_before_commit(pipeline: Pipeline) -> Callable[[], bool]:
    registered = pipeline.snow.answers().get("filebuffer 200", 0)
    pipeline.snow.stall_commits()
    return lambda: pipeline.snow.answers().get("filebuffer 200", 0) > registered


@pytest.mark.parametrize("moment", [hang_before_upload, hang_before_registration, stall_before_commit])
def test_a_worker_killed_on_the_way_of_a_file_loses_nothing(
    pipeline: Pipeline, evsup: Evsup, moment: Callable[[Pipeline], Callable[[], bool]]
) -> None:
    is_there = moment(pipeline)
    burst(pipeline)
    eventually(is_there, "the file is on its way")
    os.kill(evsup.workers()[P].pid, signal.SIGKILL)
    assert evsup.wait() == 75
    assert "SIGKILL" in evsup.last_line
