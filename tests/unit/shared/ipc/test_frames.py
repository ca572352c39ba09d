"""Frames arrive in any pieces; what is no frame is refused."""

import struct
from contextlib import suppress
from itertools import pairwise
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.config.formats.identifier import MOST_CHARACTERS
from shared.errors import ProtocolError
from shared.ipc.frames import HEADER, MAX_FRAME_BYTES, FrameDecoder, encode
from shared.ipc.messages import (
    Abort,
    ChannelStatus,
    ChannelStatuses,
    Command,
    Drain,
    Failed,
    Lease,
    Report,
    TableColumns,
)
from worker.sink.channel_status import LONGEST_MESSAGE

MESSAGES: list[Command] = [Lease(trusted_until_s=1.5), Drain(deadline_s=2.0), Abort(reason="lost " * 50)]
STREAM = b"".join(map(encode, MESSAGES))


def decoder() -> FrameDecoder[Command]:
    return FrameDecoder(Command)


def test_whole_frames_give_their_messages_in_order() -> None:
    assert list(decoder().feed(STREAM)) == MESSAGES


def test_a_stream_may_be_cut_at_any_byte() -> None:
    for cut in range(len(STREAM) + 1):
        frames = decoder()
        assert [*frames.feed(STREAM[:cut]), *frames.feed(STREAM[cut:])] == MESSAGES, cut


def test_a_stream_may_come_byte_by_byte() -> None:
    frames = decoder()
    assert [message for byte in STREAM for message in frames.feed(bytes([byte]))] == MESSAGES


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_a_stream_may_come_in_any_pieces(cuts: list[int]) -> None:
    frames, places = decoder(), [0, *sorted(cuts), len(STREAM)]
    pieces = [STREAM[one:two] for one, two in pairwise(places)]
    assert [message for piece in pieces for message in frames.feed(piece)] == MESSAGES


def test_half_a_frame_is_kept_and_not_decoded() -> None:
    frames = decoder()
    assert list(frames.feed(STREAM[:7])) == []


def test_a_frame_beyond_the_limit_is_refused_before_its_bytes_come() -> None:
    frames = decoder()
    with pytest.raises(ProtocolError, match=f"says {MAX_FRAME_BYTES + 1} bytes"):
        list(frames.feed(HEADER.pack(MAX_FRAME_BYTES + 1)))
    with pytest.raises(ProtocolError):  # and the stream stays refused: nobody knows where the next frame begins
        list(frames.feed(encode(MESSAGES[0])))


def test_a_message_beyond_the_limit_is_not_sent() -> None:
    with pytest.raises(ProtocolError, match="does not fit"):
        encode(Failed(error="Bug", what="x" * MAX_FRAME_BYTES, why="", fix=""))


def test_the_columns_of_any_table_and_the_statuses_of_all_channels_of_a_pipe_fit_a_frame() -> None:
    names = tuple(f"{number:{MOST_CHARACTERS}}" for number in range(5000))
    columns = TableColumns(names=names, order=tuple((name, "TIMESTAMP_TZ") for name in names))
    assert list(decoder().feed(encode(columns))) == [columns]
    status = ChannelStatus(2**62, 2**62, "SUCCESS", "é" * LONGEST_MESSAGE, str(2**62))
    assert encode(ChannelStatuses(channels={f"{number:100}": status for number in range(2000)}))


def test_the_largest_frame_goes_through() -> None:
    room = MAX_FRAME_BYTES - len(encode(Abort(reason=""))) - 16
    message = Abort(reason="x" * room)
    assert list(decoder().feed(encode(message))) == [message]


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xc1",
        b"garbage",
        msgspec.msgpack.encode({"type": "Unknown"}),
        msgspec.msgpack.encode({"type": "Drain"}),
        msgspec.msgpack.encode({"type": "Drain", "deadline_s": "soon"}),
        msgspec.msgpack.encode({"type": "Drain", "deadline_s": 1.0, "extra": 1}),
        msgspec.msgpack.encode(Drain(deadline_s=1.0)) + b"\x00",
        msgspec.msgpack.encode(Failed(error="Bug", what="", why="", fix="")),  # the other direction's
        msgspec.msgpack.encode({"type": "Abort", "reason": "x"})[:-1] + b"\xff",
        b"\x82\xa1x" + b"\x91" * 100_000,
    ],
)
def test_a_frame_that_is_no_message_is_refused(payload: bytes) -> None:
    with pytest.raises(ProtocolError):
        list(decoder().feed(struct.pack(">I", len(payload)) + payload))


@given(st.binary(max_size=300))
def test_garbage_gives_messages_or_a_protocol_error_and_nothing_else(garbage: bytes) -> None:
    try:
        list(decoder().feed(garbage))
    except ProtocolError:
        return


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=9)
    | st.binary(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)
FIELDS = sorted({"type", *(field for union in get_args(Command | Report) for field in union.__struct_fields__)})
TAGS = st.sampled_from([union.__name__ for union in get_args(Command | Report)])


@given(st.dictionaries(st.sampled_from(FIELDS), VALUES | TAGS), st.sampled_from([Command, Report]))
def test_any_message_like_frame_is_a_message_or_a_protocol_error_and_nothing_else(
    content: dict[str, object], union: object
) -> None:
    payload = msgspec.msgpack.encode(content)
    frames: FrameDecoder[Command | Report] = FrameDecoder(union)
    with suppress(ProtocolError):
        for message in frames.feed(HEADER.pack(len(payload)) + payload):
            assert type(message) in get_args(union)
