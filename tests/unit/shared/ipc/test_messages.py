"""Every message survives the way there, and is decoded as what it is."""

from typing import get_args

import msgspec
import pytest

from shared.ipc.frames import FrameDecoder, encode
from shared.ipc.messages import (
    BOUNDS_S,
    Abort,
    Command,
    Counters,
    Drain,
    Drained,
    Failed,
    Histogram,
    Latencies,
    Lease,
    Message,
    Opened,
    Report,
    Status,
    TableChecked,
    TableColumns,
    Times,
)

COMMANDS: list[Message] = [
    Lease(trusted_until_s=12.25),
    Drain(deadline_s=0.0),
    Abort(reason="lost"),
    TableColumns(names=("A", "ü"), order=(("A", "NUMBER"), ("ü", "VARCHAR"))),
    TableChecked(up_to=7),
]
REPORTS: list[Message] = [
    Opened(channel="C", resumed_after=None, reason="fresh"),
    Opened(channel="C", resumed_after=0, reason=""),
    Status(state="opening"),
    Status(
        state="running",
        counters=Counters(
            received=2**63 - 1,
            appended=4,
            durable=3,
            checkpointed=2,
            rows_total=1,
            bytes_inflight=5,
            latencies=Latencies(appended_durable=Histogram(counts=tuple(range(len(BOUNDS_S) + 1)), sum_s=12.5)),
        ),
        times=Times(lag=9, lag_s=0.5, received_s=7.0, heard_s=7.25),
        rss_bytes=6,
        sent_at_s=7.5,
    ),
    Drained(checkpointed=None),
    Drained(checkpointed=0),
    Failed(error="SinkUnavailable", what="é 😀", why="why", fix="", traceback="line\nline"),
]


@pytest.mark.parametrize(
    ("union", "message"),
    [*((Command, message) for message in COMMANDS), *((Report, message) for message in REPORTS)],
)
def test_a_message_arrives_as_it_was_sent(union: object, message: Message) -> None:
    (received,) = FrameDecoder[Message](union).feed(encode(message))
    assert received == message
    assert type(received) is type(message)


def test_every_message_of_both_directions_is_tested() -> None:
    assert {type(message) for message in COMMANDS} == set(get_args(Command))
    assert {type(message) for message in REPORTS} == set(get_args(Report))


def test_a_message_cannot_be_changed() -> None:
    lease = Lease(trusted_until_s=1.0)
    with pytest.raises(AttributeError):
        lease.trusted_until_s = 2.0  # type: ignore[misc]


def test_an_unknown_state_is_refused() -> None:
    payload = msgspec.msgpack.encode({"type": "Status", "state": "thinking"})
    with pytest.raises(msgspec.ValidationError):
        msgspec.msgpack.decode(payload, type=Report)
