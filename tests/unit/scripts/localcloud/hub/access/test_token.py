"""Which SAS tokens the local Event Hubs takes, and for which addresses."""

import time
from typing import TYPE_CHECKING

import pytest
from azure.eventhub._pyamqp.utils import generate_sas_token

from scripts.localcloud.hub.access import token

if TYPE_CHECKING:
    from collections.abc import Callable

POLICY = token.Policy("local", "a2V5")
AUDIENCE = "sb://127.0.0.1:5672/flights"


def signed(key: str = POLICY.key, name: str = POLICY.name, expires_s: int | None = None) -> str:
    make: Callable[..., object] = generate_sas_token
    return str(make(AUDIENCE, name, key, expires_s or int(time.time()) + 60))


def test_a_token_of_the_sdk_is_verified_and_covers_what_is_below() -> None:
    claim = token.verify(signed(), POLICY, time.time())
    assert claim.covers("/flights/consumergroups/$default/partitions/0", time.time())
    assert not claim.covers("/flights-of-others", time.time())
    assert not claim.covers("/flights", claim.expires_s)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (signed(key="b3RoZXI="), "InvalidSignature"),
        (signed(name="stranger"), "InvalidSignature"),
        (signed(expires_s=1_000), "ExpiredToken"),
        (signed().replace("&se=", "&se=1"), "InvalidSignature"),
        ("SharedAccessSignature sr=x", "MalformedToken"),
        ("", "MalformedToken"),
    ],
)
def test_a_token_that_proves_nothing_is_refused(text: str, reason: str) -> None:
    with pytest.raises(token.TokenRefusedError, match=reason):
        token.verify(text, POLICY, time.time())
