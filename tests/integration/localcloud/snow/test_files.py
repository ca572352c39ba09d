"""The real streaming SDK as its users have it, under load: it uploads files to the local stage and registers them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scripts.localcloud.cloud import INLINE_PROPERTIES
from scripts.localcloud.snow.admin import SnowAdmin
from scripts.localcloud.snow.driver import SdkDriver
from tests.harness.snow.sdk import Snow, append, committed, failure, until

BURST = 4_000  # rows of a kilobyte: twice what sends the SDK from rows to files
FILLER = "x" * 1_000


@pytest.fixture
def sdk(snow: Snow) -> Iterator[SdkDriver]:
    with snow.driver() as driver:
        driver.client(snow.pipe)
        driver.open(snow.channel)
        yield driver


def calls(snow: Snow, call: str) -> int:
    return sum(count for answer, count in snow.admin.answers().items() if answer.startswith(f"{call} 200"))


def burst(sdk: SdkDriver, snow: Snow) -> None:
    append(sdk, snow, 0, BURST - 1, filler=FILLER)


def each_once(snow: Snow) -> bool:
    return snow.rows("count(*), count(DISTINCT N), min(N), max(N)") == [(BURST, BURST, 0, BURST - 1)]


def test_a_burst_goes_by_file_and_a_trickle_by_rows(sdk: SdkDriver, snow: Snow) -> None:
    files, rows = calls(snow, "filebuffer"), calls(snow, "append")
    burst(sdk, snow)
    committed(sdk, snow, str(BURST - 1))
    assert (calls(snow, "filebuffer"), calls(snow, "append")) == (files + 1, rows)
    assert each_once(snow)
    append(sdk, snow, BURST, BURST)
    committed(sdk, snow, str(BURST))
    assert (calls(snow, "filebuffer"), calls(snow, "append")) == (files + 1, rows + 1)
    assert snow.admin.staged_files() == 0


def test_with_the_inline_properties_a_burst_goes_by_rows(snow: Snow) -> None:
    files = calls(snow, "filebuffer")
    with snow.driver(INLINE_PROPERTIES) as sdk:
        sdk.client(snow.pipe)
        sdk.open(snow.channel)
        burst(sdk, snow)
        committed(sdk, snow, str(BURST - 1))
    assert calls(snow, "filebuffer") == files
    assert each_once(snow)


def test_the_sdk_reads_the_answer_to_its_telemetry(snow: Snow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SS_LOG_LEVEL", "debug")
    log = tmp_path / "log"
    with log.open("wb") as file, snow.driver(log=file) as sdk:
        sdk.client(snow.pipe)
        until(log.read_text, lambda text: "Telemetry response" in text)
        assert "ResponseBodyDeserializationFailed" not in log.read_text()


@pytest.mark.parametrize(
    "strike",
    [
        lambda snow: snow.fail("upload", 503, 2, code="SlowDown"),
        lambda snow: snow.reset("upload"),
        lambda snow: snow.reset("upload", served=True),
        lambda snow: snow.delay("upload", 2.0),
        lambda snow: snow.fail("filebuffer", 503, 1),
        lambda snow: snow.fail("filebuffer", 503, 1, code="ERR_GENERAL_EXCEPTION_RETRY_REQUEST", shape="bare"),
        lambda snow: snow.reset("filebuffer"),
        lambda snow: snow.reset("filebuffer", served=True),
    ],
    ids=["upload 503", "upload lost", "upload answer lost", "slow", "503", "bare 503", "call lost", "answer lost"],
)
def test_a_fault_that_passes_leaves_each_row_once(
    sdk: SdkDriver, snow: Snow, strike: Callable[[SnowAdmin], None]
) -> None:
    strike(snow.admin)
    burst(sdk, snow)
    committed(sdk, snow, str(BURST - 1))
    assert each_once(snow)


@pytest.mark.parametrize(
    ("strike", "text"),
    [
        (lambda snow: snow.cut_uploads(), "IncompleteBody"),
        (lambda snow: snow.garble_uploads(), "BadDigest"),
        (lambda snow: snow.fail("filebuffer", 409, code="ERR_ANY"), "error_code=ERR_ANY"),
        (lambda snow: snow.fail("filebuffer", 400, code="ERR_ANY"), "error_code=ERR_ANY"),
        (lambda snow: snow.fail("filebuffer", 400, code="ERR_ANY", shape="error_code"), "error_code=ERR_ANY"),
    ],
    ids=["cut", "garbled", "409", "400", "error_code"],
)
def test_a_refusal_for_good_ends_the_channel_with_its_code(
    sdk: SdkDriver, snow: Snow, strike: Callable[[SnowAdmin], None], text: str
) -> None:
    strike(snow.admin)
    burst(sdk, snow)
    error = failure(sdk, snow)
    assert error.code == "InvalidChannelError"
    assert text in str(error)
    assert snow.rows() == [(0,)]


def test_a_refused_key_is_tried_again_with_the_next_one(snow: Snow) -> None:
    snow.admin.set_stage_lifetime(62.0)  # the SDK asks for new keys a minute before the old ones expire
    with snow.driver() as sdk:
        sdk.client(snow.pipe)
        sdk.open(snow.channel)
        snow.admin.expire_stage_credentials()
        burst(sdk, snow)
        committed(sdk, snow, str(BURST - 1))
    assert snow.admin.answers()["upload 400 ExpiredToken"] >= 1
    assert each_once(snow)
