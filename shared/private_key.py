"""The key pair's private half, checked before a vendor's SDK is asked to use it.

https://docs.snowflake.com/en/user-guide/key-pair-auth: RSA, 2048 bits or more, PKCS#8.
"""

import base64
import binascii
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateNumbers
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

FEWEST_BITS = 2048
SHORTEST_BASE64 = 600  # of a key of 1024 bits; what is shorter is no key at all
MOST_BYTES = 64 * 1024  # no PEM of a key is longer; guards against a path that points at something else

_LABEL = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----")
_CONVERT = "convert it: openssl pkcs8 -topk8 -in OLD -out rsa_key.p8"
_OTHER_LABELS = {
    "RSA PRIVATE KEY": f"is PKCS#1, and Snowflake wants PKCS#8; {_CONVERT}",
    "EC PRIVATE KEY": "is an EC key, and Snowflake wants RSA",
    "OPENSSH PRIVATE KEY": "is an OpenSSH key, and Snowflake wants an RSA key as PKCS#8 PEM",
    "PUBLIC KEY": "is the public key; the private one is needed",
    "CERTIFICATE": "is a certificate; the private key is needed",
}


class PassphraseProblem(ValueError):
    """The key may be right, its passphrase is missing or wrong."""


def check(text: str, passphrase: str | None) -> None:
    """Raise ValueError (or PassphraseProblem) with the reason in plain words when Snowflake would refuse this key.

    `text` is PEM, or the bare base64 of one without its first and last line. The reason holds nothing of the key.
    """
    label = _label(text)
    if label == "ENCRYPTED PRIVATE KEY" and not passphrase:
        raise PassphraseProblem("is required: the private key is encrypted")
    try:
        bits = _rsa_bits(text, label, passphrase)
    except (ValueError, TypeError):
        if label == "ENCRYPTED PRIVATE KEY":
            raise PassphraseProblem("does not open the private key (or the key is damaged)") from None
        raise ValueError("is not a whole PKCS#8 private key: part of it is missing or changed") from None
    if bits is None:
        raise ValueError("is not an RSA key")
    if bits < FEWEST_BITS:
        raise ValueError(f"has {bits} bits, and Snowflake wants {FEWEST_BITS} or more")


def der(text: str, passphrase: str | None) -> bytes:
    """A key that `check` has passed, as DER without a passphrase: what every version of the connector takes."""
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = _loaded(text, _label(text), passphrase)
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def _label(text: str) -> str | None:
    """The PEM label, or None for bare base64; refuses every other kind of file."""
    found = _LABEL.search(text)
    if found is None:
        if len(text) >= SHORTEST_BASE64 and re.fullmatch(r"[A-Za-z0-9+/=\s]+", text):
            return None
        raise ValueError("is not PEM: there is no line '-----BEGIN PRIVATE KEY-----'")
    label = found[1]
    if label not in {"PRIVATE KEY", "ENCRYPTED PRIVATE KEY"}:
        raise ValueError(_OTHER_LABELS.get(label, "is not a PKCS#8 private key"))
    if f"-----END {label}-----" not in text:
        raise ValueError("ends before its last line; in a .env file, put the key in quotes over several lines")
    return label


def _rsa_bits(text: str, label: str | None, passphrase: str | None) -> int | None:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    key = _loaded(text, label, passphrase)
    if not isinstance(key, RSAPrivateKey):
        return None
    _refuse_changed(key.private_numbers())
    return key.key_size


def _loaded(text: str, label: str | None, passphrase: str | None) -> "PrivateKeyTypes":
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_der_private_key, load_pem_private_key

    password = passphrase.encode() if passphrase and label != "PRIVATE KEY" else None
    try:
        # OpenSSL's own validation proves that the primes are prime, which takes 60 ms at the start of every process.
        if label:
            return load_pem_private_key(text.encode(), password, unsafe_skip_rsa_key_validation=True)
        der = base64.b64decode("".join(text.split()), validate=True)
        return load_der_private_key(der, password, unsafe_skip_rsa_key_validation=True)
    except (binascii.Error, UnsupportedAlgorithm) as error:
        raise ValueError("unreadable") from error


def _refuse_changed(key: "RSAPrivateNumbers") -> None:
    """Raise ValueError unless the numbers belong together (RFC 8017, section 3.2): one wrong character changes one."""
    p, q, d = key.p, key.q, key.d
    if (
        min(p, q) < 3
        or p * q != key.public_numbers.n
        or (d % (p - 1), d % (q - 1), key.iqmp * q % p) != (key.dmp1, key.dmq1, 1)
        or any(key.public_numbers.e * d % (prime - 1) != 1 for prime in (p, q))
    ):
        raise ValueError("inconsistent")
