"""A code of the service means the same whether it comes in a channel's status or in the error of an append."""

import pytest

from shared.errors import ChannelGone, ConfigurationError, EvsupError, OwnershipLost, SinkUnavailable
from shared.ipc.messages import ChannelStatus
from tests.unit.plain_settings import snowflake
from tests.unit.worker.sink.test_channel import SdkError
from worker.sink.channel import translated
from worker.sink.channel_status import verify

CODES: dict[str, type[EvsupError]] = {
    "STALE_CONTINUATION_TOKEN_SEQUENCER": OwnershipLost,
    "ERR_CHANNEL_HAS_INVALID_CLIENT_SEQUENCER": OwnershipLost,
    "ERR_PIPE_DOES_NOT_EXIST_OR_NOT_AUTHORIZED": ConfigurationError,
    "ERR_TABLE_DOES_NOT_EXIST_NOT_AUTHORIZED": ConfigurationError,
    "ERR_CHANNEL_HAS_INVALID_ROW_SEQUENCER": SinkUnavailable,
    "ERR_CHANNEL_MUST_BE_REOPENED": SinkUnavailable,
    "ERR_CHANNEL_MUST_BE_REOPENED_DUE_TO_ROW_SEQ_GAP": SinkUnavailable,
    "ERR_CHANNEL_DOES_NOT_EXIST_OR_NOT_AUTHORIZED": ChannelGone,
    "STALE_PIPE_CACHE": SinkUnavailable,
    "ERR_OF_A_LATER_YEAR": SinkUnavailable,
    "ACTIVE": SinkUnavailable,
}


@pytest.mark.parametrize("code", CODES)
def test_a_status_with_this_code_ends_the_worker(code: str) -> None:
    with pytest.raises(EvsupError) as raised:
        verify("3", ChannelStatus(5, 0, code), 4, 9, 0)
    assert type(raised.value) is CODES[code]
    assert code in raised.value.why
    assert raised.value.fix


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("status", [400, 409])
def test_an_append_refused_with_this_code_ends_the_worker_likewise(code: str, status: int) -> None:
    text = f"Channel C is in an invalid state. Inner Error: HTTP {status}, error_code={code}, message=it failed"
    error = translated(SdkError("InvalidChannelError", text), "Rows cannot be appended", snowflake())
    assert type(error) is CODES[code]
    assert code in error.why
    assert error.fix
