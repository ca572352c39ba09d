"""The private key that signs in, for the streaming SDK and for SQL alike."""

from typing import TYPE_CHECKING

from shared.config.formats import private_key
from shared.config.formats.files import bytes_of
from shared.config.settings import SnowflakeSettings

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey


def signing_key(settings: SnowflakeSettings) -> "RSAPrivateKey":
    """The key that the settings name; a file is read anew. Raises ValueError with the reason in plain English."""
    key, passphrase = settings.private_key, settings.private_key_passphrase
    material = key.reveal() if key else bytes_of(settings.private_key_file or "", private_key.MOST_BYTES)
    return private_key.open_key(material, passphrase.reveal() if passphrase else None)
