"""Errors of the streaming SDK, as errors of ours: by the SDK's own code and, for a channel, by the service's.

https://docs.snowflake.com/en/user-guide/snowpipe-streaming/snowpipe-streaming-high-performance-error-handling
"""

import re

from shared.config.settings import SnowflakeSettings
from shared.errors import (
    Bug,
    ChannelGone,
    ConfigurationError,
    EvsupError,
    NotSignedIn,
    OwnershipLost,
    SinkUnavailable,
)
from shared.fixes import REACH_SNOWFLAKE
from shared.ipc.messages import CHANNEL_GONE
from shared.limits import limit_error
from shared.log.secret import mask
from shared.snowflake import fixes

# The SDK's codes, by what they mean for a worker. Any other code, and those that a newer SDK brings, are a failed sink.
# A code of the service that the SDK does not know is `Fatal`, with the service's code in the text.
SATURATED = frozenset(
    (
        "ReceiverSaturated",
        "MemoryThresholdExceeded",
        "MemoryThresholdExceededInContainer",
        "HttpRetryableClientError",
    )
)
PASSING = SATURATED | {"HttpRetriesExhaustedError", "SfApiInternalServerError"}
INVALID_CHANNEL = "InvalidChannelError"  # whatever made it invalid: the service's own code is in the text
# A key that was replaced while the channel was open: no new token is given, and that ends the client and its channels.
# The text ends with the reason.
SIGN_IN_REFUSED = re.compile(
    'Fail to create authorization token.*(HTTP request failed with an authentication error[^"]*)'
)
NOT_FOUND = "ChannelNotFound"  # of a status
REFUSED = frozenset(("AuthTokenError", "SfApiAuthError"))
MISSING = frozenset(("SfApiNotFoundError", "ConfigError", "InvalidArgument", "SfApiUserError"))
# A client's first request asks the account which host takes rows. It names no table, so none is what was refused.
OF_ACCOUNT = "API get_subdomain_name"
_ACCOUNT = "Check SNOWFLAKE_ACCOUNT and SNOWFLAKE_URL: an account that is not known is refused like this."
# Of whatever is between. Snowflake does not redirect, and the SDK does not follow; a page in place of a token refuses
# no key, and neither does a status that is none of a refusal.
REDIRECTED = re.compile(r"\bHTTP 3\d\d\b")
NO_TOKEN = re.compile(
    r"Failed to decode JWT token|Token is empty|non-retryable error for API refresh_scoped_token\. HTTP (?!400)"
)

# The service's codes. They mean the same in a status and in the error of an append.
# The channel's sequencer, which grows with every open, is another opener's. The first code comes with an append.
SUPERSEDED = ("STALE_CONTINUATION_TOKEN", "ERR_CHANNEL_HAS_INVALID_CLIENT_SEQUENCER")
# The part of the target's name that leads nowhere, or that the role lacks a privilege on.
TARGET_GONE = tuple(f"ERR_{part}_DOES_NOT_EXIST" for part in ("DATABASE", "SCHEMA", "TABLE", "PIPE"))
# The next open, which every start does, resolves all others: ERR_CHANNEL_MUST_BE_REOPENED,
# ERR_CHANNEL_MUST_BE_REOPENED_DUE_TO_ROW_SEQ_GAP, ERR_CHANNEL_HAS_INVALID_ROW_SEQUENCER, STALE_PIPE_CACHE (a pipe of
# this name was dropped just before), and those that nobody knows yet.


def code_of(error: Exception) -> str:
    """The SDK's code of an error; of any other error its class."""
    return str(getattr(getattr(error, "error_code", None), "value", type(error).__name__))


def translate(error: Exception, what: str, settings: SnowflakeSettings) -> EvsupError:
    """The error as one of ours; `what` says what failed. An error without a code is our bug."""
    if isinstance(error, EvsupError):
        return error
    code, why = code_of(error), mask(" ".join(str(error).split()))
    if code == NOT_FOUND:
        return _channel_gone(what, why)
    if code == INVALID_CHANNEL and (refused := SIGN_IN_REFUSED.search(why)):
        return NotSignedIn(what, refused[1], fixes.sign_in(settings, why))
    if code == INVALID_CHANNEL:
        return invalid_channel(what, why)
    if (code in REFUSED and NO_TOKEN.search(why)) or (code in MISSING and REDIRECTED.search(why)):
        return SinkUnavailable(what, why, REACH_SNOWFLAKE)
    if code in REFUSED:
        sign_in = fixes.sign_in(settings, why)
        return NotSignedIn(what, why, f"{_ACCOUNT} {sign_in}" if OF_ACCOUNT in why and "HTTP 403" in why else sign_in)
    if code in MISSING:
        return ConfigurationError(what, why, _ACCOUNT if OF_ACCOUNT in why else fixes.target(settings, why))
    if not hasattr(error, "error_code") and not isinstance(error, OSError):
        return limit_error(error, what) or Bug(what, f"{code}: {why}")
    reason = why if why.startswith(code) else f"{code}: {why}"
    return SinkUnavailable(what, reason, "Start again; the channel resumes after its committed token.")


def invalid_channel(what: str, why: str) -> EvsupError:
    """The error for a channel that takes no more rows; `why` has the service's code in it."""
    if any(code in why for code in SUPERSEDED):
        return OwnershipLost(what, why, "Another opener took the channel over; nothing needs to be done.")
    if any(code in why for code in CHANNEL_GONE):
        return _channel_gone(what, why)
    if any(code in why for code in TARGET_GONE):
        return ConfigurationError(
            what,
            why,
            "Check that the table and its pipe exist and SNOWFLAKE_ROLE may use them (`evsup check`); `evsup init"
            " --target --print` shows the table's SQL.",
        )
    return SinkUnavailable(what, why, "Start again: the channel is reopened and resumes after its committed token.")


def _channel_gone(what: str, why: str) -> ChannelGone:
    return ChannelGone(what, why, "Start again: if that is refused, the message names the command.")
