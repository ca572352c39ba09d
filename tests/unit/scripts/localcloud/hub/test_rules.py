"""The rules of the local Event Hubs that are decided on values."""

import time
import uuid
from typing import TYPE_CHECKING

import pytest
from azure.eventhub._pyamqp.utils import generate_sas_token

from scripts.localcloud.hub.access import token
from scripts.localcloud.hub.access.admission import admit
from scripts.localcloud.hub.entity import event
from scripts.localcloud.hub.entity.partition import FIRST_OFFSET, Partition
from scripts.localcloud.hub.nodes import position
from scripts.localcloud.hub.wire import values

if TYPE_CHECKING:
    from collections.abc import Callable

POLICY = token.Policy("local", "a2V5")
AUDIENCE = "sb://127.0.0.1:5672/flights"


def partition(*times_ms: int) -> Partition:
    made = Partition("0")
    for time_ms in times_ms:
        made.append(event.data(b"{}"), time_ms)
    return made


@pytest.mark.parametrize(
    ("selector", "cursor"),
    [
        ("amqp.annotation.x-opt-offset > '-1'", 1),
        (f"amqp.annotation.x-opt-offset > '{FIRST_OFFSET}'", 1),
        (f"amqp.annotation.x-opt-offset >= '{FIRST_OFFSET}'", 1),
        ("amqp.annotation.x-opt-offset > '@latest'", 4),
        ("amqp.annotation.x-opt-sequence-number > '-1'", 1),
        ("amqp.annotation.x-opt-sequence-number > '0'", 1),
        ("amqp.annotation.x-opt-sequence-number > '1'", 2),
        ("amqp.annotation.x-opt-sequence-number >= '1'", 1),
        ("amqp.annotation.x-opt-sequence-number > '3'", 4),
        ("amqp.annotation.x-opt-enqueued-time > '200'", 3),
        ("amqp.annotation.x-opt-enqueued-time >= '200'", 1),
        ("amqp.annotation.x-opt-enqueued-time > '9000'", 4),
    ],
)
def test_a_position_is_found_in_what_is_retained(selector: str, cursor: int) -> None:
    log = partition(100, 200, 200, 300)
    log.trim(1)
    assert position.resolve(position.parse(selector), log) == cursor


def test_a_replica_that_lacks_events_gives_their_numbers_again_at_other_offsets() -> None:
    log, before = partition(100, 200, 300), partition(100, 200, 300)
    log.fail_over(2)
    assert (log.last_sequence_number, log.last_offset) == (0, str(FIRST_OFFSET))
    assert log.append(event.data(b"{}"), 400) == 1
    assert int(log.last_offset) > int(before.last_offset)


@pytest.mark.parametrize(
    "selector",
    [
        "amqp.annotation.x-opt-sequence-number > '4'",
        "amqp.annotation.x-opt-sequence-number >= '4'",
        "amqp.annotation.x-opt-offset > '99999999999'",
        "amqp.annotation.x-opt-offset > 'abc'",
        "amqp.annotation.x-opt-publisher > '1'",
        "",
    ],
)
def test_a_position_that_cannot_be_is_refused(selector: str) -> None:
    with pytest.raises(position.PositionError):
        position.resolve(position.parse(selector), partition(100, 200, 200, 300))


@pytest.mark.parametrize(
    ("epoch", "present", "refused", "displaces"),
    [
        (None, [], False, False),
        (None, [None] * 4, False, False),
        (None, [None] * 5, True, False),
        (None, [0], True, False),
        (0, [None, None], False, True),
        (3, [3], False, True),
        (4, [3], False, True),
        (2, [3], True, False),
    ],
)
def test_epochs_admit_refuse_and_displace(
    epoch: int | None, present: list[int | None], refused: bool, displaces: bool
) -> None:
    admission = admit(epoch, present)
    assert (admission.refused is not None, admission.displaced is not None) == (refused, displaces)


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


@pytest.mark.parametrize(
    ("encoded", "value"),
    [
        (values.string("x" * 300), "x" * 300),
        (values.long(-5), -5),
        (values.ulong(1 << 63), 1 << 63),
        (values.timestamp(-1), -1),
        (values.string_array(["0", "1"]), ["0", "1"]),
        (values.fields({"a": values.uint(7), "b": values.NULL}), {"a": 7, "b": None}),
        (values.listing([values.TRUE] * 200), [True] * 200),
        (b"\x98" + uuid.UUID(int=9).bytes, uuid.UUID(int=9)),
        (b"\x00" + values.symbol("kind") + values.string("x"), values.Described("kind", "x")),
    ],
)
def test_values_are_read_as_they_were_written(encoded: bytes, value: object) -> None:
    assert values.decode(encoded) == (value, len(encoded))
    assert values.skip(encoded, 0) == len(encoded)


@pytest.mark.parametrize("broken", [b"", b"\xa1\x05ab", b"\xc0\x09\x02\x43", b"\x13", b"\xa1\x02\xff\xfe", b"\x00\x53"])
def test_broken_bytes_are_told_as_such(broken: bytes) -> None:
    with pytest.raises(values.MalformedValueError):
        values.decode(broken)
