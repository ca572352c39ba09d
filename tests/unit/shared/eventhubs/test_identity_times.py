"""What a token says of its time tells whether the clock of this host is right."""

import base64
import json
import math

import pytest

from shared.errors import NotPermitted
from shared.eventhubs.identity import clock_is_ahead

NOW_S = 1_700_000_000.0


def jwt(issued_at_s: float) -> str:
    claims = base64.urlsafe_b64encode(json.dumps({"iat": issued_at_s}).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJIUzI1NiJ9.{claims}.c2ln"


def test_a_token_that_is_over_at_once_tells_of_a_clock_that_is_ahead() -> None:
    late = clock_is_ahead(jwt(NOW_S - 7_200), NOW_S - 3_600, NOW_S)
    assert type(late) is NotPermitted
    assert "it says 2023-11-14 22:13:20 UTC" in late.why
    assert "given at 2023-11-14 20:13:20 UTC" in late.why
    assert clock_is_ahead(jwt(NOW_S), NOW_S + 3_600, NOW_S) is None


@pytest.mark.parametrize(
    "token", ["", "opaque", "a.b.c", "a.e30.c", "a.W10.c", "a.bnVsbA.c", jwt(1e12), jwt(1e300), jwt(math.nan)]
)
def test_a_token_that_says_nothing_of_its_time_does_no_harm(token: str) -> None:
    late = clock_is_ahead(token, NOW_S - 1, NOW_S)
    assert late is not None
    assert "given at" not in late.why
