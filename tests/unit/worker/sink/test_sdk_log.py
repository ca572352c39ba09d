"""The SDK's log is read: its warnings are passed on, and what it says of requests stands in our own errors."""

import subprocess
import sys

import pytest

from worker.sink.sdk_log import Requests

AT = "2026-11-28T04:11:11Z | INFO | core::prod::storage"
CUSTOM = f"{AT}::aws (278) | sf | Using custom S3 endpoint for client=C, endpoint=https://s3.example:443, region=eu"
STANDARD = f"{AT}::aws (290) | sf | Using standard S3 endpoint for client=C, region='us-west-2', use_fips=false"
REFUSED = (
    f"{AT}::file_uploader (238) | sf | FileUploader: received token expired error for provider=AWS S3 transient stage,"
    " retry_count=0. Refreshing credentials and retrying."
)
UPLOADED = f"{AT} (816) | sf | FileUploader: uploaded file. provider=AWS S3, stage_type=transient, client=C"
FAILED = (
    "2026-11-28T14:26:17Z | WARN | core::prod::sf_client::client_utils (344) | sf | Failed to execute the request at"
    " retry_count=0 for api=insert_rows url=https://s/v2 with error=HTTP request failed with a retryable error for API"
    " insert_rows. HTTP {}, error_code=390701, message=Request rate exceeds max. Try later., url=https://s/v2"
)
UNREACHABLE = (
    "2026-11-28T14:26:17Z | WARN | core::prod::sf_client::client_utils (344) | sf | Failed to execute the request at"
    " retry_count=0 for api=get_channel_status_batch url=https://s/v2 with error=HTTP request failed after exhausting"
    " all retries: error=Some(error sending request for url (https://s/v2)). Request took 0.013s."
)
FOLLOW = """
import os, sys, threading
from shared.log import logger
from worker.sink import sdk_log
logger.configure("json")
requests = sdk_log.follow(pass_on_all={})
for line in sys.stdin:
    os.write(1, line.encode())
os.close(1)
for thread in threading.enumerate():
    if thread.name == "sdk-log":
        thread.join()
logger.flush()
os.write(2, requests.delay_reason.encode())
os._exit(0)
"""


def requests(*lines: str) -> Requests:
    known = Requests()
    for line in lines:
        known.read(line)
    return known


def test_without_a_known_stage_no_reason_is_given() -> None:
    assert not requests().delay_reason
    assert not requests("", "| INFO | something else", UPLOADED).delay_reason


@pytest.mark.parametrize(("line", "place"), [(CUSTOM, "https://s3.example:443"), (STANDARD, "region='us-west-2'")])
def test_the_place_of_the_stage_is_named(line: str, place: str) -> None:
    reason = requests(line).delay_reason
    assert place in reason
    assert "refused" not in reason


def test_a_refused_upload_is_named_until_one_went_through() -> None:
    assert "refused the SDK's upload (AWS S3 transient; S3: endpoint=https://s3.example:443" in (
        requests(CUSTOM, REFUSED).delay_reason
    )
    assert "refused" not in requests(CUSTOM, REFUSED, UPLOADED).delay_reason


def test_a_storage_without_a_known_endpoint_is_named_by_its_kind() -> None:
    assert requests(REFUSED).delay_reason.endswith("refused the SDK's upload (AWS S3 transient)")


def test_a_credential_in_the_log_is_masked() -> None:
    assert "abc.def.ghi" not in requests(f"{CUSTOM}, Authorization: Bearer abc.def.ghi").delay_reason


@pytest.mark.parametrize("pass_on_all", [False, True])
def test_warnings_are_passed_on_and_the_rest_only_when_somebody_set_a_level(pass_on_all: bool) -> None:
    warning = "2026-11-28T04:11:11Z | WARN | core | sf | no more memory"
    done = subprocess.run(
        [sys.executable, "-c", FOLLOW.format(pass_on_all)],
        input=f"{CUSTOM}\n{warning}\n{REFUSED}\na line without a level\n",
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert not done.stdout
    assert warning in done.stderr
    assert "a line without a level" in done.stderr
    assert (CUSTOM in done.stderr) is pass_on_all
    assert "refused the SDK's upload" in done.stderr.splitlines()[-1]


def test_requests_that_are_throttled_are_counted_and_others_that_fail_are_not() -> None:
    assert requests(FAILED.format(429), FAILED.format(503), UPLOADED, FAILED.format(429)).throttled == 2
    assert requests("| INFO | HTTP 429 is what a limit says", FAILED.format(4290)).throttled == 0


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (FAILED.format(403), "insert_rows: HTTP 403, error_code=390701, message=Request rate exceeds max. Try later."),
        (UNREACHABLE, "get_channel_status_batch: error sending request"),
        (UNREACHABLE.replace("get_channel_status_batch", "send_telemetry"), ""),
    ],
)
def test_the_request_that_failed_last_is_the_reason_of_what_waits(line: str, said: str) -> None:
    assert requests(line).delay_reason == (said and f"the SDK's last request that failed is {said}")


def test_a_request_that_failed_hides_no_storage() -> None:
    reason = requests(CUSTOM, FAILED.format(503), FAILED.format(403)).delay_reason
    assert reason.startswith("the SDK's last request that failed is insert_rows: HTTP 403")
    assert "cloud storage (S3: endpoint=https://s3.example:443" in reason
