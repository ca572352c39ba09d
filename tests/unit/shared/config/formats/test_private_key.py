"""Every form of a key that evsup opens reaches the vendors' clients as the one form that each of them takes."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from shared.config.formats import private_key
from tests.unit.shared.config.configurations import PASSPHRASE, key


def bare(pem: str) -> str:
    return "".join(line for line in pem.splitlines() if not line.startswith("-----"))


def encoded(encoding: Encoding, layout: PrivateFormat, encryption: KeySerializationEncryption | None = None) -> bytes:
    loaded = load_pem_private_key(key().encode(), None)
    assert isinstance(loaded, RSAPrivateKey)
    return loaded.private_bytes(encoding, layout, encryption or NoEncryption())


FORMS: dict[str, str | bytes] = {
    "PKCS#8": key(),
    "encrypted PKCS#8": key("encrypted"),
    "PKCS#1": key("pkcs1"),
    "encrypted PKCS#1": encoded(
        Encoding.PEM, PrivateFormat.TraditionalOpenSSL, BestAvailableEncryption(PASSPHRASE.encode())
    ),
    "DER": encoded(Encoding.DER, PrivateFormat.PKCS8),
    "encrypted DER": encoded(Encoding.DER, PrivateFormat.PKCS8, BestAvailableEncryption(PASSPHRASE.encode())),
    "PKCS#1 in DER": encoded(Encoding.DER, PrivateFormat.TraditionalOpenSSL),
    "bare base64": bare(key()),
    "bare base64 of an encrypted one": bare(key("encrypted")),
    "bare base64 in lines": bare(key())[:700] + "\n" + bare(key())[700:],
    "base64 of the whole PEM": base64.b64encode(key().encode()).decode(),
    "a line": key().replace("\n", " "),
    "a line without any space": key().replace("\n", ""),
    "line breaks in words": key().replace("\n", "\\n"),
    "line breaks of Windows": key().replace("\n", "\r\n").encode(),
    "indented, as YAML has it": "\n".join(f"    {line}" for line in key().splitlines()),
    "in quotes": f'"{key()}"',
    "bytes": key().encode(),
    "UTF-8 with its mark": key().encode("utf-8-sig"),
    "UTF-16": key().encode("utf-16"),
    "after the attributes of a PKCS#12 export": "Bag Attributes\n    localKeyID: 01\nKey Attributes: <No>\n" + key(),
    "beside its public key": key("public") + key(),
}


@pytest.mark.parametrize("material", FORMS.values(), ids=FORMS)
def test_every_form_of_a_key_is_the_same_key_for_either_client(material: str | bytes) -> None:
    opened = private_key.open_key(material, PASSPHRASE)
    assert private_key.pem(opened).encode() == encoded(Encoding.PEM, PrivateFormat.PKCS8)
    assert private_key.der(opened) == encoded(Encoding.DER, PrivateFormat.PKCS8)
