"""What the service's codes mean for the owner of a channel: the same in a status and in the error of an append.

https://docs.snowflake.com/en/user-guide/snowpipe-streaming/snowpipe-streaming-high-performance-error-handling
"""

from shared.errors import ChannelGone, ConfigurationError, EvsupError, OwnershipLost, SinkUnavailable
from shared.ipc.messages import CHANNEL_GONE

# The sequencer of the channel, which grows with every open, is not ours any more. The first code comes with an append.
SUPERSEDED = ("STALE_CONTINUATION_TOKEN", "ERR_CHANNEL_HAS_INVALID_CLIENT_SEQUENCER")
TARGET_GONE = ("ERR_PIPE_DOES_NOT_EXIST", "ERR_TABLE_DOES_NOT_EXIST")
# All others are over with the next open, which every start does: ERR_CHANNEL_MUST_BE_REOPENED,
# ERR_CHANNEL_MUST_BE_REOPENED_DUE_TO_ROW_SEQ_GAP, ERR_CHANNEL_HAS_INVALID_ROW_SEQUENCER, STALE_PIPE_CACHE (a pipe of
# this name was dropped a moment ago), and those that nobody knows yet.


def invalid_channel(what: str, why: str) -> EvsupError:
    """The error for a channel that takes no more rows; `why` has the service's code in it."""
    if any(code in why for code in SUPERSEDED):
        return OwnershipLost(what, why, "Another opener took the channel over; nothing needs to be done.")
    if CHANNEL_GONE in why:
        return gone(what, why)
    if any(code in why for code in TARGET_GONE):
        return ConfigurationError(
            what,
            why,
            "Check that the table and its pipe exist and SNOWFLAKE_ROLE may use them (`evsup check`); `evsup init"
            " --target --print` shows the table's SQL.",
        )
    return SinkUnavailable(what, why, "Start again: the channel is reopened and resumes after its committed token.")


def gone(what: str, why: str) -> ChannelGone:
    """The error for a channel that is not there any more."""
    return ChannelGone(what, why, "Start again: the start says what can be done.")
