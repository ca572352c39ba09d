"""Bytes of a connection become events and frames, wherever a read ends and however deliveries are cut."""

import struct
from contextlib import suppress
from gzip import compress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.worker.rows.events import event, event_of, properties
from tests.unit.worker.rows.wire import held, sized
from worker.source import stream as stream_module
from worker.source.stream import BrokenStream, Received, Stream

CHANNEL, HANDLE, LARGEST_FRAME = 1, 3, 1024 * 1024
HEARTBEAT = frame = struct.pack(">IBBH", 8, 2, 0, 0)


def framed(body: bytes, channel: int = CHANNEL, doff: int = 2, kind: int = 0) -> bytes:
    """A frame, with as many words of an extended header as `doff` says."""
    extended = bytes(4 * (doff - 2))
    return struct.pack(">IBBH", 8 + len(extended) + len(body), doff, kind, channel) + extended + body


def performative(code: int, fields: list[bytes], *, large: bool = False) -> bytes:
    return b"\x00\x53" + bytes([code]) + held(0xC0, len(fields), b"".join(fields), large=large)


FALSE, TRUE, NULL = b"\x42", b"\x41", b"\x40"


def transfer(
    piece: bytes,
    number: int | None = 0,
    *,
    more: bytes = FALSE,
    aborted: bytes = FALSE,
    handle: bytes = b"\x52\x03",
    fields: int = 11,
    large: bool = False,
    channel: int = CHANNEL,
) -> bytes:
    """A transfer of a delivery; without a number it goes on with the one before."""
    first = [NULL, NULL, NULL]
    if number is not None:
        first = [b"\x70" + struct.pack(">I", number), sized(0xA0, struct.pack(">Q", number)), b"\x43"]
    known = [handle, *first, TRUE, more, NULL, NULL, FALSE, aborted, FALSE]
    return framed(performative(0x14, known[:fields], large=large) + piece, channel)


def split(message: bytes, number: int, sizes: list[int]) -> list[bytes]:
    """The transfers of a delivery in pieces of these sizes, and the rest."""
    pieces, at = [], 0
    for size in sizes:
        pieces.append(message[at : at + size])
        at += size
    pieces.append(message[at:])
    return [
        transfer(piece, number if index == 0 else None, more=TRUE if index + 1 < len(pieces) else FALSE)
        for index, piece in enumerate(pieces)
    ]


FLOW = framed(performative(0x13, [b"\x43"] * 7))
OTHER_LINK = transfer(b"an answer", 9, handle=b"\x52\x01")
OTHER_CHANNEL = transfer(b"an answer", 9, channel=2)


class Fed:
    """A stream, and the frames that it handed on."""

    def __init__(self) -> None:
        self.frames: list[tuple[int, int]] = []
        self.stream = Stream(CHANNEL, HANDLE, LARGEST_FRAME, event_of, self._on_frame)

    def _on_frame(self, channel: int, frame: tuple[int, Any]) -> None:
        self.frames.append((channel, frame[0]))

    @property
    def numbers(self) -> list[int | None]:
        return [each.sequence_number for each in self.stream.events]


def fed(*reads: bytes) -> Fed:
    made = Fed()
    for read in reads:
        made.stream.feed(read)
    return made


def test_whole_deliveries_become_events_in_order() -> None:
    made = fed(b"".join(transfer(event(b"{}", number), number) for number in range(5)))
    assert made.numbers == [0, 1, 2, 3, 4]
    assert made.frames == []


def test_what_is_no_delivery_of_the_link_is_handed_on() -> None:
    made = fed(HEARTBEAT + FLOW + OTHER_LINK + transfer(event(b"{}", 1)) + OTHER_CHANNEL)
    assert made.numbers == [1]
    assert made.frames == [(0, 1), (1, 0x13), (1, 0x14), (2, 0x14)]


@pytest.mark.parametrize("handle", [b"\x52\x03", b"\x70\x00\x00\x00\x03"])
@pytest.mark.parametrize("fields", range(3, 12))
@pytest.mark.parametrize("large", [False, True])
def test_a_transfer_may_leave_out_its_last_fields_and_write_the_others_in_any_form(
    handle: bytes, fields: int, large: bool
) -> None:
    assert fed(transfer(event(b"{}", 1), 7, handle=handle, fields=fields, large=large)).numbers == [1]


@pytest.mark.parametrize("length", range(33))
def test_a_tag_may_have_any_length(length: int) -> None:
    fields = [b"\x52\x03", b"\x43", sized(0xA0, b"t" * length), b"\x43", TRUE, FALSE]
    assert fed(framed(performative(0x14, fields) + event(b"{}", 1))).numbers == [1]


@pytest.mark.parametrize("no", [b"\x40", b"\x42", b"\x56\x00"])
def test_false_may_be_written_in_three_ways(no: bytes) -> None:
    assert fed(transfer(event(b"{}", 1), more=no, aborted=no)).numbers == [1]


@pytest.mark.parametrize("yes", [b"\x41", b"\x56\x01"])
def test_true_may_be_written_in_two_ways(yes: bytes) -> None:
    message = event(b"{}", 1)
    assert fed(transfer(message[:9], more=yes) + transfer(message[9:], None)).numbers == [1]


def test_a_header_may_be_extended() -> None:
    one = transfer(event(b"{}", 1))
    assert fed(framed(one[8:], doff=4) + framed(b"", doff=3)).numbers == [1]


def test_a_delivery_in_several_transfers_is_one_event_whatever_comes_between_them() -> None:
    first, second, third = split(event(b'{"a": 1}', 1), 0, [10, 20])
    made = fed(first + HEARTBEAT + second + OTHER_LINK + third)
    assert made.numbers == [1]
    assert made.stream.received.transfers == 3
    assert made.stream.received.deliveries == 1


@pytest.mark.parametrize("second", [None, 7])
@pytest.mark.parametrize("third", [None, 7])
@pytest.mark.parametrize("sizes", [(0, 20), (10, 0), (10, 20)])
def test_the_transfers_of_a_delivery_may_repeat_its_id_or_leave_it_out(
    sizes: tuple[int, int], second: int | None, third: int | None
) -> None:
    message, (one, two) = event(b'{"a": 1}', 1), sizes
    pieces = [message[:one], message[one : one + two], message[one + two :]]
    first = transfer(pieces[0], 7, more=TRUE)
    made = fed(first, transfer(pieces[1], second, more=TRUE), transfer(pieces[2], third))
    assert made.numbers == [1]
    assert (made.stream.received.transfers, made.stream.received.deliveries) == (3, 1)


def test_the_next_delivery_may_have_the_same_id_as_one_that_is_whole() -> None:
    message = event(b"{}", 1)
    assert fed((transfer(message[:9], 7, more=TRUE) + transfer(message[9:], 7)) * 2).numbers == [1, 1]


@pytest.mark.parametrize("yes", [b"\x41", b"\x56\x01"])
@pytest.mark.parametrize("rest", [b"", b"some more"])
def test_a_delivery_that_its_sender_aborts_is_no_event_and_comes_again_whole(yes: bytes, rest: bytes) -> None:
    message = event(b'{"a": 1}', 1)
    cut = transfer(message[:20], more=TRUE) + transfer(rest, None, aborted=yes)
    made = fed(cut + transfer(message, 1))
    assert made.numbers == [1]
    assert bytes(made.stream.events[0].row) == bytes(event_of(message).row)
    assert made.stream.received.deliveries == 2, "it used up credit, too"


def test_a_delivery_that_is_aborted_at_once_is_no_event() -> None:
    assert fed(transfer(b"", aborted=TRUE) + transfer(event(b"{}", 1), 1)).numbers == [1]


def test_what_came_is_counted_with_all_that_is_no_column() -> None:
    message = event(b"{}", 1, footer={b"f": b"x" * 1000})
    received = fed(transfer(message) + HEARTBEAT + transfer(message)).stream.received
    assert received == Received(transfers=2, deliveries=2, size_bytes=2 * len(message))


def test_what_was_compressed_is_counted_as_large_as_its_row() -> None:
    message = event(compress(b'"%b"' % (b"x" * 50_000)), 1, properties=properties(content_encoding=b"gzip"))
    made = fed(transfer(message) + HEARTBEAT + transfer(message[:50], more=TRUE) + transfer(message[50:], None))
    assert made.stream.received.size_bytes == sum(each.size_bytes for each in made.stream.events) > 100_000


def test_the_newest_message_is_there_to_be_asked() -> None:
    made = fed(transfer(event(b"{}", 1)) + transfer(event(b"{}", 2)))
    assert made.stream.last_message == event(b"{}", 2)
    made.stream.feed(HEARTBEAT)
    assert made.stream.last_message == event(b"{}", 2)


def test_what_is_counted_before_a_frame_is_handed_on_is_what_came_before_it() -> None:
    counted: list[int] = []
    stream = Stream(CHANNEL, HANDLE, LARGEST_FRAME, event_of, lambda *_: counted.append(stream.received.transfers))
    stream.feed(transfer(event(b"{}", 1)) + FLOW + transfer(event(b"{}", 2)) + HEARTBEAT)
    assert counted == [1, 2]


def test_an_event_of_20_mb_comes_whole() -> None:
    body = b'"' + b"x" * (20 * 1024 * 1024) + b'"'
    message = event(body, 1)
    data = b"".join(split(message, 0, [60_000] * (len(message) // 60_000)))
    reads = [data[at : at + 256 * 1024] for at in range(0, len(data), 256 * 1024)]
    assert fed(*reads).stream.events[0].size_bytes > len(body)


@st.composite
def traffic(draw: st.DrawFn) -> tuple[list[bytes], list[int]]:
    """Frames of events in all forms, with others between them; and the numbers of the events."""
    frames: list[bytes] = []
    numbers: list[int] = []
    for number in range(draw(st.integers(1, 6))):
        message = event(draw(st.sampled_from((b"{}", b'{"a": [1, 2]}', b"no json", b""))), number)
        frames += draw(st.lists(st.sampled_from((HEARTBEAT, FLOW, OTHER_LINK)), max_size=2))
        if draw(st.booleans()):
            frames.append(transfer(message, number, fields=draw(st.integers(5, 11)), large=draw(st.booleans())))
        else:
            pieces = split(message, number, draw(st.lists(st.integers(0, 60), min_size=1, max_size=3)))
            if draw(st.booleans()):
                frames += [pieces[0], transfer(b"", None, aborted=TRUE)]
            for piece in pieces:
                frames += [piece, *draw(st.lists(st.sampled_from((HEARTBEAT, OTHER_LINK)), max_size=1))]
        numbers.append(number)
    return frames, numbers


@given(traffic(), st.data())
def test_a_read_may_end_anywhere(sent: tuple[list[bytes], list[int]], data: st.DataObject) -> None:
    frames, numbers = sent
    whole = b"".join(frames)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=12)))
    reads = [whole[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    at_once, in_pieces = fed(whole), fed(*reads)
    assert in_pieces.numbers == at_once.numbers == numbers
    assert in_pieces.frames == at_once.frames
    assert in_pieces.stream.received == at_once.stream.received
    assert [bytes(each.row) for each in in_pieces.stream.events] == [bytes(each.row) for each in at_once.stream.events]


def test_a_read_may_be_one_byte() -> None:
    data = transfer(event(b"{}", 1)) + HEARTBEAT + b"".join(split(event(b"{}", 2), 2, [30]))
    assert fed(*(bytes([byte]) for byte in data)).numbers == [1, 2]


# --- what is no AMQP --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("damaged", "reason"),
    [
        (struct.pack(">IBBH", 7, 2, 0, 0), "a frame of 7 bytes"),
        (struct.pack(">IBBH", 0, 2, 0, 0), "a frame of 0 bytes"),
        (struct.pack(">IBBH", LARGEST_FRAME + 1, 2, 0, 0), "is the bound"),
        (b"HTTP/1.1 400 Bad Request\r\n", "is the bound"),
        (b"AMQP\x00\x01\x00\x00", "is the bound"),
        (framed(b"\x00\x53\x14\x45", kind=1), "a frame of type 1"),
        (struct.pack(">IBBH", 8, 1, 0, 0), "begins with byte 4"),
        (struct.pack(">IBBH", 8, 9, 0, 0), "begins with byte 36"),
        (framed(b"\x00\x53\x14\xc0\x05\x02\x5f"), "cannot be decoded"),
        (framed(b"\x00"), "cannot be decoded"),
        (transfer(b"some", 1, more=TRUE) + transfer(b"other", 2, more=TRUE), "in the middle of another"),
        (transfer(b"", 1, more=TRUE) + transfer(event(b"{}", 2), 2), "in the middle of another"),
        (transfer(event(b"{}", 2), None), "begins without its delivery-id"),
        (transfer(b"some", None, more=TRUE), "begins without its delivery-id"),
    ],
)
def test_what_is_no_amqp_is_said_to_be_none(damaged: bytes, reason: str) -> None:
    made = Fed()
    with pytest.raises(BrokenStream, match=reason):
        made.stream.feed(transfer(event(b"{}", 1)) + damaged)
    assert made.numbers == [1], "what came before it is whole"


def test_a_frame_with_a_count_that_nothing_can_hold_is_refused_at_once() -> None:
    array = b"\xf0\xff\xff\xff\x00\xff\xff\xff\xff\xa0"
    with pytest.raises(BrokenStream, match="cannot be decoded"):
        fed(framed(performative(0x13, [array])))


def test_a_delivery_without_an_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "LARGEST_DELIVERY_BYTES", 1000)
    piece = transfer(b"x" * 400, 1, more=TRUE)
    with pytest.raises(BrokenStream, match="a delivery of more than 1000 bytes"):
        fed(piece + transfer(b"x" * 400, None, more=TRUE) * 2)


def test_a_delivery_in_a_great_many_pieces_takes_no_time_of_its_own() -> None:
    """A piece costs what it has, not what came before it: with a sum over all pieces this takes minutes."""
    body = b'"' + b"x" * 50_000 + b'"'
    message = event(body, 1)
    pieces = split(message, 7, [1] * 50_000)
    empty = transfer(b"", None, more=TRUE) * 50_000
    assert fed(pieces[0] + empty, b"".join(pieces[1:])).numbers == [1]


@given(traffic(), st.data())
def test_damaged_frames_are_refused_or_read_and_never_hang(
    sent: tuple[list[bytes], list[int]], data: st.DataObject
) -> None:
    whole = bytearray(b"".join(sent[0]))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    made = Fed()
    with suppress(BrokenStream):
        made.stream.feed(bytes(whole))
    assert len(made.numbers) <= len(sent[1])
