import pytest
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_pem_private_key

from shared import private_key
from tests.unit.configurations import PASSPHRASE, key


def bare(pem: str) -> str:
    return "".join(line for line in pem.splitlines() if not line.startswith("-----"))


@pytest.mark.parametrize(
    ("text", "passphrase"), [(key(), None), (key("encrypted"), PASSPHRASE), (bare(key()), None), (key(), "unused")]
)
def test_every_form_of_a_key_is_the_same_key_as_der(text: str, passphrase: str | None) -> None:
    der = load_der_private_key(private_key.der(text, passphrase), None)
    assert der.public_key() == load_pem_private_key(key().encode(), None).public_key()
