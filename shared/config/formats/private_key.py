"""The key pair's private half: opened once, whatever form it was pasted in, and handed on in the one that fits.

The streaming SDK takes clean PKCS#8 PEM and calls everything else `Fatal`; each version of the connector reads files
and passphrases differently. So neither is asked to read what a person typed.
https://docs.snowflake.com/en/user-guide/key-pair-auth: RSA, 2048 bits or more.
"""

import base64
import binascii
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPrivateNumbers
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

FEWEST_BITS = 2048
SHORTEST_BASE64 = 600  # of a key of 1024 bits; what is shorter is no key at all

_FIRST_LINE = "-----BEGIN PRIVATE KEY-----"
_PRIVATE = ("PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "RSA PRIVATE KEY")
_LABEL = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----")
_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----", re.DOTALL)
_NOT_BASE64 = re.compile(r"[^A-Za-z0-9+/=\s]")
_BYTE_ORDER_MARKS = (b"\xff\xfe", b"\xfe\xff")  # of UTF-16, in which PowerShell writes a file
_DER = 0x30  # the first byte of a key without any text around it
_OTHER_LABELS = {
    "EC PRIVATE KEY": "is an EC key, and Snowflake wants RSA",
    "OPENSSH PRIVATE KEY": "is in OpenSSH's format; convert a copy of it: ssh-keygen -p -m PKCS8 -f COPY",
    "PUBLIC KEY": "is the public key; the private one is needed",
    "RSA PUBLIC KEY": "is the public key; the private one is needed",
    "CERTIFICATE": "is a certificate; the private key is needed",
}
_OTHER_FORMATS = {
    r"(?:/|~|\.{1,2}/|file:)\S*|\S+\.(?:p8|pem|key|der)": "is the path of a file, which belongs in"
    " SNOWFLAKE_PRIVATE_KEY_FILE",
    r"ssh-.*": "is a public key of OpenSSH; the private RSA key is needed",
    r"PuTTY-User-Key-File.*": "is in PuTTY's format; convert it: puttygen OLD -O private-openssh-new -o NEW,"
    " then ssh-keygen -p -m PKCS8 -f NEW",
    r"\{.*": f"is JSON; what begins with {_FIRST_LINE} in it is needed",
    r".*BEGIN.*PRIVATE KEY.*": f"has no whole first line {_FIRST_LINE}: five hyphens at each end",
}


class PassphraseProblem(ValueError):
    """The key may be right, its passphrase is missing or wrong."""


def open_key(material: str | bytes, passphrase: str | None) -> "RSAPrivateKey":
    """Open a private key: PEM (PKCS#8 or PKCS#1), the bare base64 of one, DER, or the base64 of any of these.

    Quotes, spaces, line breaks in words and lines before the key do no harm. Raises ValueError (or PassphraseProblem)
    with the reason in plain English when it does not open or Snowflake would refuse it. The reason holds nothing of it.
    """
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    encoded = _encoded(material)
    key = _loaded(encoded, passphrase)
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("is not an RSA key")  # noqa: TRY004 (what was typed is wrong, not our argument)
    _refuse_changed(key.private_numbers())
    if key.key_size < FEWEST_BITS:
        raise ValueError(f"has {key.key_size} bits, and Snowflake wants {FEWEST_BITS} or more")
    return key


def pem(key: "RSAPrivateKey") -> str:
    """The key as PKCS#8 PEM without a passphrase: what every version of the streaming SDK takes."""
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def der(key: "RSAPrivateKey") -> bytes:
    """The key as DER without a passphrase: what every version of the connector takes."""
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def _encoded(material: str | bytes) -> bytes:
    """Clean PEM, or DER."""
    if isinstance(material, bytes):
        if material[:1] == bytes([_DER]):
            return material
        material = _text(material)
    text = material.lstrip("\ufeff").strip().strip("\"'").replace("\\r", "").replace("\\n", "\n")
    return _clean_pem(text) if _LABEL.search(text) else _from_bare_base64(text)


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-16" if content.startswith(_BYTE_ORDER_MARKS) else "utf-8")
    except UnicodeDecodeError:
        raise ValueError("is neither a text file nor a key in DER") from None


def _clean_pem(text: str) -> bytes:
    """The one private key of a text, with line breaks where PEM has them."""
    # Others may stand beside it: a file of openssl often has the certificate, too.
    found = [block for block in _BLOCK.finditer(text) if block[1] in _PRIVATE]
    if len(found) > 1:
        raise ValueError("holds more than one private key")
    if not found:
        raise ValueError(_without_private_key(_LABEL.findall(text)))
    label, body = found[0].groups()
    if "Proc-Type:" in body:  # the headers of an encrypted PKCS#1 key, which lines belong to
        return found[0][0].encode()
    _refuse_foreign_character(text, found[0].start(2), found[0].end(2))
    return f"-----BEGIN {label}-----\n{_wrapped(body)}\n-----END {label}-----\n".encode()


def _without_private_key(labels: list[str]) -> str:
    if any(label in _PRIVATE for label in labels):
        return "ends before its last line; in a .env file, put the key in quotes over several lines"
    return _OTHER_LABELS.get(labels[0], "is not a PKCS#8 private key")


def _refuse_foreign_character(text: str, begin: int, end: int) -> None:
    if found := _NOT_BASE64.search(text, begin, end):
        line = text.count("\n", 0, found.start()) + 1
        raise ValueError(f"was changed when it was copied: {found[0]!a} in line {line} belongs to no key")


def _wrapped(body: str) -> str:
    compact = "".join(body.split())
    return "\n".join(compact[at : at + 64] for at in range(0, len(compact), 64))


def _from_bare_base64(text: str) -> bytes:
    if len(text) < SHORTEST_BASE64 or _NOT_BASE64.search(text):
        for form, reason in _OTHER_FORMATS.items():
            if re.fullmatch(form, text, re.DOTALL):
                raise ValueError(reason)
        raise ValueError(f"is not PEM: there is no line '{_FIRST_LINE}'")
    try:
        decoded = base64.b64decode("".join(text.split()), validate=True)
    except binascii.Error:
        raise _damaged() from None
    return _encoded(decoded) if b"-----BEGIN" in decoded else decoded


def _loaded(encoded: bytes, passphrase: str | None) -> "PrivateKeyTypes":
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_der_private_key, load_pem_private_key

    load = load_pem_private_key if encoded.startswith(b"-----") else load_der_private_key
    try:
        # OpenSSL's own validation proves that the primes are prime, which takes 60 ms at the start of every process.
        return load(encoded, None, unsafe_skip_rsa_key_validation=True)
    except TypeError:  # it is encrypted, and only then is a passphrase taken
        if not passphrase:
            raise PassphraseProblem("is required: the private key is encrypted") from None
    except (ValueError, UnsupportedAlgorithm):
        raise _damaged() from None
    try:
        return load(encoded, passphrase.encode(), unsafe_skip_rsa_key_validation=True)
    except (ValueError, UnsupportedAlgorithm):
        raise PassphraseProblem("does not open the private key (or the key is damaged)") from None


def _refuse_changed(key: "RSAPrivateNumbers") -> None:
    """Raise ValueError unless the numbers belong together (RFC 8017, section 3.2): one wrong character changes one."""
    p, q, d = key.p, key.q, key.d
    if (
        min(p, q) < 3
        or p * q != key.public_numbers.n
        or (d % (p - 1), d % (q - 1), key.iqmp * q % p) != (key.dmp1, key.dmq1, 1)
        or any(key.public_numbers.e * d % (prime - 1) != 1 for prime in (p, q))
    ):
        raise _damaged()


def _damaged() -> ValueError:
    return ValueError("is not a whole private key: part of it is missing or changed")
