"""The real streaming SDK against the local Snowpipe Streaming service, over TLS, each test in a process of its own."""

import base64
import json
import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scripts.localcloud.cloud import INLINE_PROPERTIES, key_pair
from scripts.localcloud.signing.certificate import write_private
from scripts.localcloud.snow.admin import AdminError
from scripts.localcloud.snow.driver import SdkDriver, SdkError
from tests.harness.snow.sdk import (
    DEADLINE_S,
    NEVER_S,
    ROLE,
    Snow,
    append,
    committed,
    events,
    failure,
    until,
)


@pytest.fixture
def sdk(snow: Snow) -> Iterator[SdkDriver]:
    with snow.driver() as driver:
        driver.client(snow.pipe)
        yield driver


def test_rows_are_committed_after_the_delay_and_not_before(sdk: SdkDriver, snow: Snow) -> None:
    snow.admin.set_commit_delay(NEVER_S)
    assert sdk.open(snow.channel)["token"] is None
    append(sdk, snow, 0, 9)
    sdk.flush(snow.channel, int(DEADLINE_S))
    assert snow.admin.channels()[snow.channel].requests_waiting == 1
    assert snow.rows() == [(0,)]
    snow.admin.set_commit_delay(0)
    assert committed(sdk, snow, "9")["inserted"] == 10
    assert snow.rows("count(*), min(n), max(n)") == [(10, 0, 9)]


def test_every_type_keeps_its_value(sdk: SdkDriver, snow: Snow) -> None:
    payload = {"big": 123456789012345678901234567890, "text": 'é\n\u2028"', "list": [1, None, True, 1.5, {}]}
    row = {
        "payload": payload,  # matched without regard to case
        "N": 10**37,
        "AT": "2026-03-01T10:00:00.123456+02:00",
        "RAW": base64.b64encode(b"\x00\xffraw").decode(),
        "UNKNOWN": "ignored",
    }
    sdk.open(snow.channel)
    sdk.append(snow.channel, [row, {"N": 0}], ("1", "2"))
    committed(sdk, snow, "2")
    stored, empty = snow.rows("* ")
    assert json.loads(stored[0]) == payload
    assert stored[1:] == (10**37, "2026-03-01T08:00:00.123456Z", b"\x00\xffraw".hex().upper())
    assert empty == (None, 0, None, None)


def test_rejected_rows_are_counted_and_the_token_passes_them(sdk: SdkDriver, snow: Snow) -> None:
    sdk.open(snow.channel)
    bad: list[dict[str, Any]] = [{"N": None}, {"N": "seven"}, {"N": 1, "AT": "yesterday"}, {"N": 1, "RAW": "%%"}]
    sdk.append(snow.channel, [{"N": 7}, *bad, {"N": 8}], ("1", "6"))
    status = committed(sdk, snow, "6")
    assert (status["parsed"], status["inserted"], status["errors"]) == (6, 2, 4)
    assert (status["upper_bound"], "non-nullable" in status["message"]) == ("6", True)
    assert snow.rows("n") == [(7,), (8,)]
    sdk.close(snow.channel)
    assert sdk.open(snow.channel)["errors"] == 4, "the counter survives a reopen"


def test_rows_can_be_rejected_on_request(sdk: SdkDriver, snow: Snow) -> None:
    sdk.open(snow.channel)
    snow.admin.reject_rows(2, snow.channel)
    append(sdk, snow, 0, 9)
    assert committed(sdk, snow, "9")["errors"] == 2
    assert snow.rows("count(*), min(n)") == [(8, 2)]


def test_rejected_rows_can_be_counted_later_than_the_token_passes_them(sdk: SdkDriver, snow: Snow) -> None:
    sdk.open(snow.channel)
    snow.admin.hold_counts()
    snow.admin.reject_rows(3, snow.channel)
    append(sdk, snow, 0, 9)
    assert committed(sdk, snow, "9")["errors"] == 0
    snow.admin.delay_counts(NEVER_S)
    assert sdk.status(snow.channel)["errors"] == 0
    assert snow.admin.channels()[snow.channel].rows_error_count == 3
    snow.admin.delay_counts(0.01, message_seconds=NEVER_S)
    later = until(lambda: sdk.status(snow.channel), lambda status: bool(status["errors"] == 3))
    assert (later["message"], later["upper_bound"]) == (None, None)
    snow.admin.delay_counts(NEVER_S / 2, in_steps=True)
    until(lambda: sdk.status(snow.channel), lambda status: bool(status["errors"] == 0))
    snow.admin.clear_faults()
    now = until(lambda: sdk.status(snow.channel), lambda status: bool(status["errors"] == 3))
    assert now["upper_bound"] == "9"
    assert snow.admin.fired()["delay_counts"]


def test_a_status_can_be_one_commit_old(sdk: SdkDriver, snow: Snow) -> None:
    sdk.open(snow.channel)
    append(sdk, snow, 0, 4)
    committed(sdk, snow, "4")
    append(sdk, snow, 5, 9)
    committed(sdk, snow, "9")
    snow.admin.answer_stale(times=None)
    committed(sdk, snow, "4")
    snow.admin.clear_faults()
    committed(sdk, snow, "9")


def test_a_reopen_discards_what_is_in_flight(sdk: SdkDriver, snow: Snow) -> None:
    sdk.open(snow.channel)
    append(sdk, snow, 0, 4)
    committed(sdk, snow, "4")
    snow.admin.stall_commits(snow.channel)
    append(sdk, snow, 5, 9)
    sdk.flush(snow.channel, int(DEADLINE_S))
    sdk.client(snow.pipe, "two", open_channel_409_retry_total_backoff_seconds="0")
    assert sdk.open(snow.channel, "two")["token"] == "4"
    snow.admin.release_commits()
    sdk.append(snow.channel, events(5, 6), ("5", "6"), "two")
    committed(sdk, snow, "6")
    assert snow.rows("count(*), max(n)") == [(7, 6)]
    assert snow.admin.answers()["open 409 ERR_CHANNEL_HAS_UNCOMMITTED_DATA"] >= 1


def test_a_superseded_opener_fails_at_its_next_append_and_sees_success_until_then(sdk: SdkDriver, snow: Snow) -> None:
    sdk.open(snow.channel)
    sdk.client(snow.pipe, "two")
    sdk.open(snow.channel, "two")
    sdk.append(snow.channel, events(1, 1), ("1", "1"), "two")
    assert committed(sdk, snow, "1")["code"] == "SUCCESS", "the token of the other opener"
    append(sdk, snow, 0, 0)
    error = failure(sdk, snow)
    assert (error.code, error.http_status) == ("InvalidChannelError", 409)
    assert "STALE_CONTINUATION_TOKEN_SEQUENCER" in str(error)
    assert snow.rows("n") == [(1,)]


def test_a_stolen_channel_belongs_to_the_new_opener(sdk: SdkDriver, snow: Snow) -> None:
    sdk.open(snow.channel)
    snow.admin.steal(snow.channel, "thief")
    append(sdk, snow, 0, 0)
    assert failure(sdk, snow).code == "InvalidChannelError"
    facts = snow.admin.channels()[snow.channel]
    assert (facts.opened_by, facts.sequencer) == ("thief", 2)


def test_a_retry_after_a_lost_answer_does_not_repeat_rows(sdk: SdkDriver, snow: Snow) -> None:
    sdk.open(snow.channel)
    snow.admin.reset("append", served=True)
    append(sdk, snow, 0, 4)
    assert committed(sdk, snow, "4")["inserted"] == 5
    assert snow.admin.fired()["reset_after"] == 1
    assert snow.rows() == [(5,)]


def test_throttling_and_dropped_connections_are_retried_by_the_sdk(sdk: SdkDriver, snow: Snow) -> None:
    sdk.open(snow.channel)
    snow.admin.fail("append", 429)
    snow.admin.reset("append")
    append(sdk, snow, 0, 4)
    committed(sdk, snow, "4")
    assert snow.rows() == [(5,)]
    assert snow.admin.fired()["reset"] == 1


def test_expired_tokens_are_renewed_by_the_sdk(sdk: SdkDriver, snow: Snow) -> None:
    sdk.open(snow.channel)
    before = snow.admin.answers()["token 200"]
    snow.admin.expire_tokens()
    append(sdk, snow, 0, 4)
    committed(sdk, snow, "4")
    assert snow.admin.answers()["token 200"] > before
    assert snow.rows() == [(5,)]


def test_an_invalid_channel_shows_it_in_its_status_and_refuses_rows(sdk: SdkDriver, snow: Snow) -> None:
    sdk.open(snow.channel)
    snow.admin.invalidate(snow.channel)
    until(lambda: sdk.status(snow.channel)["code"], lambda code: code == "ERR_CHANNEL_MUST_BE_REOPENED")
    append(sdk, snow, 0, 0)
    assert "ERR_CHANNEL_MUST_BE_REOPENED" in str(failure(sdk, snow))
    sdk.close(snow.channel)
    assert sdk.open(snow.channel)["code"] == "SUCCESS"


def test_a_frozen_token_stands_still_while_rows_land(sdk: SdkDriver, snow: Snow) -> None:
    sdk.open(snow.channel)
    snow.admin.freeze_token(snow.channel)
    append(sdk, snow, 0, 4)
    status = until(lambda: sdk.status(snow.channel), lambda status: status["inserted"] == 5)
    assert (status["code"], status["token"]) == ("SUCCESS", None)
    snow.admin.thaw_tokens()
    committed(sdk, snow, "4")


@pytest.mark.parametrize("token", ["3", "not-a-number"])
def test_a_token_can_be_moved_back_or_made_unparsable(sdk: SdkDriver, snow: Snow, token: str) -> None:
    sdk.open(snow.channel)
    append(sdk, snow, 0, 9)
    committed(sdk, snow, "9")
    snow.admin.set_token(snow.channel, token)
    assert committed(sdk, snow, token)["code"] == "SUCCESS"


def test_a_deleted_channel_is_new_when_it_is_opened_again(sdk: SdkDriver, snow: Snow) -> None:
    sdk.open(snow.channel)
    append(sdk, snow, 0, 4)
    committed(sdk, snow, "4")
    snow.admin.delete_channel(snow.channel)
    error = failure(sdk, snow)
    assert (error.code, error.http_status) == ("ChannelNotFound", 404)
    sdk.close(snow.channel)
    assert sdk.open(snow.channel)["token"] is None
    assert snow.rows() == [(5,)]


def test_a_call_that_hangs_ends_in_a_timeout_and_goes_through_once_released(sdk: SdkDriver, snow: Snow) -> None:
    sdk.open(snow.channel)
    snow.admin.hang("append")
    append(sdk, snow, 0, 4)
    with pytest.raises(SdkError) as caught:
        sdk.flush(snow.channel, 2)
    assert caught.value.kind == "TimeoutError"
    snow.admin.clear_faults()
    committed(sdk, snow, "4")
    assert snow.rows() == [(5,)]


def test_an_oversize_payload_is_refused(snow: Snow) -> None:
    with snow.driver(INLINE_PROPERTIES) as sdk:
        sdk.client(snow.pipe)
        sdk.open(snow.channel)
        sdk.append(snow.channel, [{"N": 0, "PAYLOAD": secrets.token_hex(5_000_000)}], ("0", "0"))
        assert "PAYLOAD_TOO_LARGE" in str(failure(sdk, snow))


@pytest.mark.parametrize("dropped", ["pipe", "table"])
def test_rows_for_a_dropped_pipe_or_table_are_refused(sdk: SdkDriver, snow: Snow, dropped: str) -> None:
    sdk.open(snow.channel)
    if dropped == "pipe":
        snow.admin.drop_pipe(snow.pipe)
    else:
        snow.admin.drop_table(snow.name)
    append(sdk, snow, 0, 0)
    assert "ERR_PIPE_DOES_NOT_EXIST_OR_NOT_AUTHORIZED" in str(failure(sdk, snow))


def test_a_missing_table_is_refused_when_the_client_is_made(snow: Snow) -> None:
    with snow.driver() as sdk, pytest.raises(SdkError) as caught:
        sdk.client(("DB", "PUBLIC", "NOWHERE-STREAMING"))
    assert (caught.value.code, caught.value.http_status) == ("SfApiUserError", 400)
    assert "ERR_PIPE_DOES_NOT_EXIST_OR_NOT_AUTHORIZED" in str(caught.value)


def test_a_wrong_key_is_refused(snow: Snow, tmp_path: Path) -> None:
    write_private(tmp_path / "other.p8", key_pair()[0])
    with snow.driver({"private_key_file": str(tmp_path / "other.p8")}) as sdk, pytest.raises(SdkError) as caught:
        sdk.client(snow.pipe)
    assert (caught.value.code, caught.value.http_status) == ("SfApiAuthError", 401)
    assert "390144" in str(caught.value)


def test_a_named_pipe_feeds_its_table(snow: Snow) -> None:
    pipe = (*snow.name[:2], f"PIPE_OF_{snow.name[2]}")
    snow.admin.create_pipe(pipe, snow.name[2])
    with snow.driver() as sdk:
        sdk.client(pipe)
        sdk.open(snow.channel)
        append(sdk, snow, 0, 4)
        committed(sdk, snow, "4")
    assert snow.rows() == [(5,)]


@pytest.mark.parametrize(
    ("privilege", "is_named", "code"),
    [
        ("INSERT", False, "ERR_TABLE_DOES_NOT_EXIST_NOT_AUTHORIZED"),
        ("OPERATE", True, "ERR_PIPE_DOES_NOT_EXIST_OR_NOT_AUTHORIZED"),
    ],
)
def test_a_role_without_a_privilege_is_refused_by_every_call_until_it_is_granted(
    snow: Snow, privilege: str, is_named: bool, code: str
) -> None:
    pipe = (*snow.name[:2], f"PIPE_OF_{snow.name[2]}") if is_named else snow.pipe
    snow.admin.create_pipe(pipe, snow.name[2])
    privileged = (privilege, pipe if is_named else snow.name, ROLE)
    with snow.driver() as sdk:
        sdk.client(pipe)
        sdk.open(snow.channel)
        snow.admin.revoke(*privileged)
        append(sdk, snow, 0, 0)
        assert code in str(failure(sdk, snow))
        with pytest.raises(SdkError, match=code):
            sdk.client(pipe, name="another")
        snow.admin.grant(*privileged)
        sdk.client(pipe, name="granted")
        sdk.open(snow.channel, client="granted")


def test_a_default_pipe_needs_no_operate(snow: Snow, sdk: SdkDriver) -> None:
    snow.admin.revoke("OPERATE", snow.pipe, ROLE)
    sdk.open(snow.channel)


def test_rows_in_flight_are_not_committed_once_insert_is_revoked(sdk: SdkDriver, snow: Snow) -> None:
    snow.admin.stall_commits()
    sdk.open(snow.channel)
    append(sdk, snow, 0, 4)
    until(lambda: snow.admin.channels()[snow.channel].requests_waiting, lambda waiting: waiting == 1)
    snow.admin.revoke("INSERT", snow.name, ROLE)
    snow.admin.release_commits()
    until(lambda: snow.admin.channels()[snow.channel].status_code, lambda code: "NOT_AUTHORIZED" in code)
    assert snow.rows() == [(0,)]


def test_without_evolve_schema_a_new_field_gets_no_column(snow: Snow) -> None:
    evolving = replace(snow, name=("DB", "PUBLIC", f"{snow.name[2]}_EVOLVES"))
    snow.admin.execute_create_table(f"CREATE TABLE {'.'.join(evolving.name)} (N INT) ENABLE_SCHEMA_EVOLUTION = TRUE")
    snow.admin.revoke("EVOLVE SCHEMA", evolving.name, ROLE)
    with evolving.driver() as sdk:
        sdk.client(evolving.pipe)
        sdk.open(evolving.channel)
        for n in ("0", "1"):
            sdk.append(evolving.channel, [{"N": n, "NEW": n}], (n, n))
            sdk.push(evolving.channel)
            committed(sdk, evolving, n)
            snow.admin.grant("EVOLVE SCHEMA", evolving.name, ROLE)
    assert evolving.rows("N, NEW") == [(0, None), (1, "1")]


def test_a_query_reads_inside_the_payload_and_only_reads(sdk: SdkDriver, snow: Snow) -> None:
    sdk.open(snow.channel)
    append(sdk, snow, 0, 3)
    committed(sdk, snow, "3")
    assert snow.rows("sum((PAYLOAD->>'n')::INT)") == [(6,)]
    with pytest.raises(AdminError, match="one SELECT"):
        snow.admin.query("DROP TABLE x")
