"""How the real streaming SDK and evsup handle the limits of a channel, and opens at the same time."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from scripts.localcloud.snow.http.refusal import OPEN_IN_PROGRESS
from tests.harness.pipeline import UNCHECKED, pipeline_of
from tests.harness.snow.sdk import Snow, append, committed, until

TOO_FAST = "append 429 390701"
IN_PROGRESS = f"open 409 {OPEN_IN_PROGRESS}"
SLOW = 0.001  # a second: after the first request the next one has to wait for many minutes
RETRIED_S = 2  # how long the SDK retries an open here; 120 s without the property


@pytest.mark.parametrize(("requests_per_s", "bytes_per_s"), [(SLOW, None), (None, SLOW)], ids=["requests", "bytes"])
def test_the_sdk_backs_off_from_a_channel_s_limit_and_every_row_is_there_once(
    snow: Snow, requests_per_s: float | None, bytes_per_s: float | None
) -> None:
    before = snow.admin.answers().get(TOO_FAST, 0)
    snow.admin.limit_channels(requests_per_s, bytes_per_s)
    with snow.driver() as sdk:
        sdk.client(snow.pipe)
        sdk.open(snow.channel)
        append(sdk, snow, 0, 4)
        committed(sdk, snow, "4")
        append(sdk, snow, 5, 9)
        until(lambda: snow.admin.answers().get(TOO_FAST, 0), lambda refused: refused > before)
        snow.admin.limit_channels(None, None)
        append(sdk, snow, 10, 14)
        committed(sdk, snow, "14")
    assert snow.rows("count(*), count(DISTINCT n)") == [(15, 15)]


def test_of_two_opens_at_the_same_time_one_waits_for_the_other(snow: Snow) -> None:
    before = snow.admin.answers().get(IN_PROGRESS, 0)
    snow.admin.set_open_duration(1.0)
    with snow.driver() as one, snow.driver() as two, ThreadPoolExecutor() as pool:
        for sdk in (one, two):
            sdk.client(snow.pipe)
        statuses = list(pool.map(lambda sdk: sdk.open(snow.channel), (one, two)))
    assert [status["code"] for status in statuses] == ["SUCCESS", "SUCCESS"]
    assert snow.admin.answers()[IN_PROGRESS] > before
    assert snow.admin.channels()[snow.channel].sequencer == 2


def test_evsup_opens_its_channel_once_another_open_is_over_and_its_calls_are_let_through() -> None:
    with pipeline_of(**UNCHECKED) as pipeline:
        pipeline.snow.limit_control_calls(1.0)
        pipeline.snow.fail("open", 409, times=2, code=OPEN_IN_PROGRESS, shape="error_code")
        pipeline.publish(300)
        pipeline.start()
        pipeline.await_all()
        answers = pipeline.snow.answers()
        assert answers[IN_PROGRESS] == 2
        assert any(answer.endswith(" 429 390701") for answer in answers)


def test_an_open_that_never_ends_elsewhere_ends_the_tree_with_69() -> None:
    properties = f'{{"open_channel_409_retry_total_backoff_seconds": "{RETRIED_S}"}}'
    with pipeline_of(SNOWFLAKE_STREAMING_PROPERTIES=properties, **UNCHECKED) as pipeline:
        pipeline.snow.fail("open", 409, times=None, code=OPEN_IN_PROGRESS, shape="error_code")
        pipeline.publish(300)
        evsup = pipeline.start()
        assert evsup.wait() == 69
        assert OPEN_IN_PROGRESS in evsup.last_line
