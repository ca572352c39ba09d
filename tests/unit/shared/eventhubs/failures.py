"""Errors as the Azure SDK raises them, with the chain that it keeps, from what its AMQP client or the socket raised."""

import ssl

from azure.eventhub._pyamqp import error as amqp
from azure.eventhub._transport._pyamqp_transport import PyamqpTransport


def raised(cause: Exception, below: BaseException | None = None) -> Exception:
    """What the SDK raises for what its AMQP client raised, with the chain that it keeps."""
    cause.__cause__ = below
    error: Exception = PyamqpTransport._create_eventhub_exception(cause)
    error.__context__ = cause
    return error


def put_token(status: int, description: str) -> Exception:
    """A token that was refused at `$cbs`."""
    return raised(amqp.TokenAuthFailure(status, description.encode()))


def management(status: int) -> Exception:
    """A question that was refused at `$management`: the SDK loses what the service wrote."""
    return raised(PyamqpTransport.get_error(status, None))


def link(condition: str, description: str) -> Exception:
    """A link that was refused or detached."""
    known = next((each for each in amqp.ErrorCondition if each.value.decode() == condition), None)
    return raised(amqp.AMQPLinkError(known or condition.encode(), description=description))


def connecting(error: OSError) -> Exception:
    """A connection that did not come about."""
    text = f"Failed to initiate the connection due to exception: {error}"
    return raised(amqp.AMQPConnectionError(amqp.ErrorCondition.SocketError, description=text, error=error), error)


def certificate(code: int, message: str) -> Exception:
    """A certificate that OpenSSL refuses."""
    error = ssl.SSLCertVerificationError(1, f"[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: {message}")
    error.verify_code, error.verify_message = code, message
    return connecting(error)


def tls(reason: str) -> Exception:
    """A handshake that failed."""
    error = ssl.SSLError(1, f"[SSL: {reason}] (_ssl.c:1006)")
    error.reason = reason
    return connecting(error)
