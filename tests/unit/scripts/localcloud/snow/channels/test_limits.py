"""A limit is a second's worth at once, then no more than time restores."""

import pytest

from scripts.localcloud.snow.channels.limits import Limits
from scripts.localcloud.snow.http.refusal import Refusal


@pytest.fixture
def limits() -> Limits:
    return Limits()


def taken(limits: Limits, channel: str, size: int, now_s: float) -> bool:
    """Send one request; say whether it was let through."""
    try:
        limits.take(channel, size, now_s)
    except Refusal:
        return False
    return True


def test_there_is_no_limit_until_one_is_set(limits: Limits) -> None:
    assert all(taken(limits, "c", 10**9, 0.0) for _ in range(1000))


def test_each_channel_may_send_so_many_requests_a_second(limits: Limits) -> None:
    limits.set_channels(10, None)
    assert [taken(limits, "c", 1, 100.0) for _ in range(12)] == [True] * 10 + [False] * 2
    assert taken(limits, "another", 1, 100.0)
    assert [taken(limits, "c", 1, 100.1) for _ in range(2)] == [True, False]
    assert [taken(limits, "c", 1, 200.0) for _ in range(12)] == [True] * 10 + [False] * 2


def test_a_request_too_many_is_refused_as_the_live_service_does(limits: Limits) -> None:
    limits.set_channels(1, None)
    limits.take("c", 1, 100.0)
    with pytest.raises(Refusal) as raised:
        limits.take("c", 1, 100.0)
    assert raised.value.status == 429
    assert raised.value.body == {"code": "390701", "message": "Request rate exceeds max. Try later."}


def test_each_channel_may_send_so_many_bytes_a_second(limits: Limits) -> None:
    limits.set_channels(None, 1000)
    assert taken(limits, "c", 600, 100.0)
    assert taken(limits, "c", 600, 100.0)
    assert not taken(limits, "c", 1, 100.1)
    assert taken(limits, "c", 1, 100.3)


def test_a_request_larger_than_a_second_s_worth_is_taken_and_paid_for(limits: Limits) -> None:
    limits.set_channels(None, 1000)
    assert taken(limits, "c", 3000, 100.0)
    assert not taken(limits, "c", 1, 102.0)
    assert taken(limits, "c", 1, 102.1)


def test_control_calls_are_limited_for_the_account(limits: Limits) -> None:
    limits.set_control(2)
    for now_s in (100.0, 100.0, 100.5):
        limits.take_control(now_s)
    with pytest.raises(Refusal):
        limits.take_control(100.5)
    assert taken(limits, "c", 1, 100.5)
