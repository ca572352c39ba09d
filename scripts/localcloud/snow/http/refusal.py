"""Refusals: an HTTP status, and a body that names the reason."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Literal

DATABASE_UNKNOWN = "ERR_DATABASE_DOES_NOT_EXIST_OR_NOT_AUTHORIZED"
SCHEMA_UNKNOWN = "ERR_SCHEMA_DOES_NOT_EXIST_OR_NOT_AUTHORIZED"
PIPE_UNKNOWN = "ERR_PIPE_DOES_NOT_EXIST_OR_NOT_AUTHORIZED"
TABLE_UNKNOWN = "ERR_TABLE_DOES_NOT_EXIST_NOT_AUTHORIZED"
CHANNEL_UNKNOWN = "ERR_CHANNEL_DOES_NOT_EXIST_OR_NOT_AUTHORIZED"
UNCOMMITTED_DATA = "ERR_CHANNEL_HAS_UNCOMMITTED_DATA"
OPEN_IN_PROGRESS = "ERR_OPEN_CHANNEL_IN_PROGRESS"
STALE_SEQUENCER = "STALE_CONTINUATION_TOKEN_SEQUENCER"
ROW_SEQUENCER = "ERR_CHANNEL_HAS_INVALID_ROW_SEQUENCER"
RATE_EXCEEDED = "390701"
ACCEPT_UNSUPPORTED = "391902"
FRAGMENT_INVALID = "ERR_FILE_FRAGMENT_INVALID"  # a name of our own: the service's is not known

# Numbers of Snowflake's login service, as its drivers and the key-pair page name them:
# https://docs.snowflake.com/en/user-guide/key-pair-auth-troubleshooting
ACCESS_DENIED = "390100"
JWT_INVALID = "390144"
ROLE_UNKNOWN = "390189"
TOKEN_INVALID = "390303"  # noqa: S105 - a number of an error
TOKEN_EXPIRED = "390318"  # noqa: S105

Shape = Literal["code", "error_code", "bare"]
"""Bodies of refusals that clients of the live service have seen: `{"code", "message"}` as documented, `{"error_code",
"message"}`, and the code alone as a JSON string."""


@dataclass
class Refusal(Exception):
    """One refused call: `status` goes on the wire, `code` is what clients match on, `message` is for people."""

    status: HTTPStatus
    code: str
    message: str
    shape: Shape = "code"

    @property
    def body(self) -> object:
        """What Snowflake's REST APIs answer with, as a JSON value."""
        return self.code if self.shape == "bare" else {self.shape: self.code, "message": self.message}

    def __str__(self) -> str:
        return f"{self.status.value} {self.code}: {self.message}"


def bad_request(message: str) -> Refusal:
    """Refuse a call that the protocol does not allow."""
    return Refusal(HTTPStatus.BAD_REQUEST, "INVALID_REQUEST", message)


def not_found(code: str, what: str) -> Refusal:
    """Refuse a name that does not exist; the service does not distinguish missing from forbidden."""
    return Refusal(HTTPStatus.NOT_FOUND, code, f"{what} does not exist or not authorized.")


def conflict(code: str, message: str, shape: Shape = "code") -> Refusal:
    """Refuse a call that another opener or the channel's state stands against."""
    return Refusal(HTTPStatus.CONFLICT, code, message, shape)


def unauthorized(code: str, message: str) -> Refusal:
    """Refuse a credential."""
    return Refusal(HTTPStatus.UNAUTHORIZED, code, message)
