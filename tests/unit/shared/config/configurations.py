"""Complete environments for tests of the configuration."""

from functools import cache
from typing import Literal

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from shared.config.environment import Loaded, load
from shared.errors import ConfigurationError

PASSPHRASE = "correct horse"
CONNECTION_STRING = (
    "Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=listen;SharedAccessKey=c2VjcmV0;EntityPath=flights"
)
KeyKind = Literal["pkcs8", "encrypted", "pkcs1", "ec", "weak", "public"]


@cache
def key(kind: KeyKind = "pkcs8") -> str:
    """A fresh PEM of that kind, the same one all through a test run."""
    if kind == "public":
        return (
            _rsa(2048)
            .public_key()
            .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
            .decode()
        )
    private = ec.generate_private_key(ec.SECP256R1()) if kind == "ec" else _rsa(1024 if kind == "weak" else 2048)
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if kind == "encrypted":
        encryption = serialization.BestAvailableEncryption(PASSPHRASE.encode())
    layout = serialization.PrivateFormat.TraditionalOpenSSL if kind == "pkcs1" else serialization.PrivateFormat.PKCS8
    return private.private_bytes(serialization.Encoding.PEM, layout, encryption).decode()


@cache
def _rsa(bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def complete(**changes: str) -> dict[str, str]:
    """A valid environment with identity, with `changes`; an empty text takes a variable out."""
    return {
        "EVENTHUB_NAMESPACE": "ns.servicebus.windows.net",
        "EVENTHUB_NAME": "flights",
        "SNOWFLAKE_ACCOUNT": "myorg-myaccount",
        "SNOWFLAKE_USER": "EVSUP",
        "SNOWFLAKE_DATABASE": "EVENTS",
        "SNOWFLAKE_SCHEMA": "PUBLIC",
        "SNOWFLAKE_TABLE": "FLIGHTS",
        "SNOWFLAKE_PRIVATE_KEY": key(),
    } | changes


def loaded(**changes: str) -> Loaded:
    """`complete(**changes)`, loaded."""
    return load(environ=complete(**changes))


def fault_text(environ: dict[str, str]) -> str:
    """What a person reads when `environ` cannot be used; empty when it can."""
    try:
        load(environ=environ)
    except ConfigurationError as error:
        return str(error)
    return ""
