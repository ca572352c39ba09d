"""The private key that signs in, for the streaming SDK and for SQL alike."""

from base64 import b64encode
from hashlib import sha256
from typing import TYPE_CHECKING

from shared.config.formats import private_key
from shared.config.formats.files import SECRET_BYTES, bytes_of
from shared.config.settings import SnowflakeSettings

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey


def fingerprint(key: "RSAPrivateKey") -> str:
    """That of the key's public half, as DESC USER shows it in RSA_PUBLIC_KEY_FP.

    https://docs.snowflake.com/en/user-guide/key-pair-auth#verify-the-user-s-public-key-fingerprint
    """
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"SHA256:{b64encode(sha256(public).digest()).decode()}"


def signing_key(settings: SnowflakeSettings) -> "RSAPrivateKey":
    """The key that the settings name; a file is read anew. Raises ValueError with the reason in plain English."""
    key, passphrase = settings.private_key, settings.private_key_passphrase
    material = key.reveal() if key else bytes_of(settings.private_key_file or "", SECRET_BYTES)
    return private_key.open_key(material, passphrase.reveal() if passphrase else None)
