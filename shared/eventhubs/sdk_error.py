"""What an exception of the Azure SDK says, read from its class, its AMQP condition and its status.

The SDK makes one error of another, and what the service said is in the chain of their causes. An error without such a
chain still has a condition and the SDK's own text of the status.
"""

import re
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from azure.core.exceptions import ClientAuthenticationError
from azure.eventhub._pyamqp.error import (
    AMQPConnectionError,
    AMQPException,
    AMQPLinkError,
    AuthenticationException,
    TokenAuthFailure,
    TokenExpired,
)
from azure.eventhub.exceptions import AuthenticationError, EventHubError

from shared.log.secret import mask

Cause = Literal[
    "put-token",  # the service refused the token, `number` is its status
    "token",  # the client saw by itself that its token is over
    "management",  # the service refused a question about the hub, `number` is its status
    "link",
    "connection",
    "certificate",  # `number` is OpenSSL's code
    "tls",
    "plain",  # nothing was wrong but that the port speaks TLS
    "name",
    "host",
    "network",
    "identity",
    "partition",
    "sdk",  # an error of the SDK of which no more is known than its condition and text
    "unknown",
]
_STATUS = re.compile(r"Status code: (\d+)")
_UNAUTHORIZED = 401
_WRONG_PARTITION = "Wrong partition id"


@dataclass(frozen=True, slots=True)
class SdkError:
    """The cause of an error, with its own text: secrets masked, on one line."""

    cause: Cause
    text: str
    condition: str = ""
    """AMQP condition without its first part: `link:stolen`, `entity-disabled`."""
    number: int | None = None


def read_error(error: BaseException) -> SdkError:
    """The most telling cause in the chain of an error."""
    chain = tuple(chain_of(error))
    for kind, read in _READERS:
        for each in chain:
            if isinstance(each, kind) and (found := read(each)):
                return found
    return SdkError("unknown", plain(f"{type(error).__name__}: {error}"))


def chain_of(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what it was made of, outermost first."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        inner = getattr(error, "inner_error", None)  # of an AMQP error that was kept and raised later
        error = error.__cause__ or (inner if isinstance(inner, BaseException) else None) or error.__context__


def plain(text: str) -> str:
    """On one line and without secrets: the SDK's texts have three lines, a reason has one."""
    return " ".join(mask(text).split())


def _identity(error: Any) -> SdkError:
    return SdkError("identity", plain(str(error)))


def _certificate(error: Any) -> SdkError:
    return SdkError("certificate", plain(error.verify_message), number=error.verify_code)


def _tls(error: Any) -> SdkError:
    return SdkError("tls", plain(error.reason or str(error)))


def _name(error: Any) -> SdkError:
    return SdkError("name", plain(str(error)))


def _host(error: Any) -> SdkError:
    return SdkError("host", plain(str(error)))


def _put_token(error: Any) -> SdkError | None:
    if not isinstance(error.status_code, int):
        return None
    return SdkError("put-token", plain(f"{error.status_code} {_text(error.status_description)}"), "", error.status_code)


def _amqp(error: Any) -> SdkError:
    text = plain(_text(error.description) or str(error))
    condition = _condition(error.condition)
    if status := _STATUS.search(text):
        return SdkError("management", text.removesuffix(", Description: None"), condition, int(status[1]))
    cause: Cause = "token" if isinstance(error, TokenExpired) else "connection"
    return SdkError("link" if isinstance(error, AMQPLinkError) else cause, text, condition)


def _network(error: Any) -> SdkError:
    return SdkError("network", plain(f"{type(error).__name__}: {error}" if type(error) is not OSError else str(error)))


def _partition(error: Any) -> SdkError | None:
    text = plain(str(error))
    return SdkError("partition", text) if text.startswith(_WRONG_PARTITION) else None


def _sdk(error: Any) -> SdkError:
    text = plain(str(error))
    status = _STATUS.search(text)
    if isinstance(error, AuthenticationError):
        return SdkError("put-token", text, error.error or "", int(status[1]) if status else _UNAUTHORIZED)
    return SdkError("sdk", text, error.error or "", int(status[1]) if status else None)


def _condition(condition: Any) -> str:
    text = _text(getattr(condition, "value", condition))
    return text.partition(":")[2] or text


def _text(said: Any) -> str:
    return said.decode(errors="replace") if isinstance(said, bytes) else str(said or "")


# From the most telling to the least. Every network error is an OSError, also those that have a class of their own.
_READERS: tuple[tuple[type[BaseException], Callable[[Any], SdkError | None]], ...] = (
    (ClientAuthenticationError, _identity),
    (ssl.SSLCertVerificationError, _certificate),
    (ssl.SSLError, _tls),
    (socket.gaierror, _name),
    (TokenAuthFailure, _put_token),
    (AuthenticationException, _amqp),
    (AMQPLinkError, _amqp),
    (OSError, _network),  # TimeoutError too
    (AMQPConnectionError, _amqp),
    (AMQPException, _amqp),
    (UnicodeError, _host),  # of a host whose parts are empty or too long
    (ValueError, _partition),
    (EventHubError, _sdk),
)
