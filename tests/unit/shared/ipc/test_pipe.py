"""The pipe between supervisor and worker never blocks, whatever the other end does."""

import os
import threading
from collections.abc import Iterator
from multiprocessing import Pipe
from typing import TYPE_CHECKING

import pytest

from shared.clock import Deadline
from shared.errors import ProtocolError
from shared.ipc.frames import encode
from shared.ipc.messages import Abort, Command, Drain, Drained, Failed, Lease, Opened, Report, Status
from shared.ipc.pipe import MOST_READS, READ_BYTES, MessagePipe
from tests.unit.readable import DEADLINE_S, readable

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

Ends = tuple["Connection[bytes, bytes]", "Connection[bytes, bytes]"]


@pytest.fixture
def raw() -> Iterator[Ends]:
    """Both ends of a pipe, as `multiprocessing` makes them."""
    one, two = Pipe(duplex=True)
    yield one, two
    one.close()
    two.close()


def big(number: int) -> Opened:
    return Opened(channel="x" * 100_000, resumed_after=number, reason="")


def supervisor(raw: Ends) -> MessagePipe[Report]:
    return MessagePipe(raw[0], Report)


def worker(raw: Ends) -> MessagePipe[Command]:
    return MessagePipe(raw[1], Command)


def receive_until(pipe: MessagePipe[Report], last: object) -> list[Report]:
    """Everything that comes, up to `last`."""
    received: list[Report] = []
    while last not in received:
        assert readable(pipe), f"{last} never came, only {received}"
        received += pipe.receive()
    return received


def test_messages_go_both_ways_in_order(raw: Ends) -> None:
    ours, theirs = supervisor(raw), worker(raw)
    ours.send(Lease(trusted_until_s=1.0))
    ours.send(Drain(deadline_s=2.0))
    theirs.send(Drained(checkpointed=7))
    assert theirs.receive() == [Lease(trusted_until_s=1.0), Drain(deadline_s=2.0)]
    assert ours.receive() == [Drained(checkpointed=7)]


def test_with_nothing_to_read_it_returns_at_once(raw: Ends) -> None:
    ours = supervisor(raw)
    assert ours.receive() == []
    assert not ours.ended


def test_half_a_message_blocks_nobody(raw: Ends) -> None:
    ours, frame = supervisor(raw), encode(Drained(checkpointed=7))
    os.write(raw[1].fileno(), frame[:3])
    assert ours.receive() == []
    os.write(raw[1].fileno(), frame[3:])
    assert ours.receive() == [Drained(checkpointed=7)]


def test_a_peer_that_never_pauses_keeps_nobody(raw: Ends) -> None:
    ours, frame, enough = supervisor(raw), encode(Drained(checkpointed=7)), threading.Event()

    def flood() -> None:
        while not enough.is_set():
            os.write(raw[1].fileno(), frame * 1000)

    flooding = threading.Thread(target=flood)
    flooding.start()
    for _ in range(20):
        assert readable(ours)
        assert len(ours.receive()) <= MOST_READS * READ_BYTES / len(frame) + 1
    enough.set()
    while flooding.is_alive():
        ours.receive()
    flooding.join()


def test_a_peer_that_reads_nothing_blocks_nobody_and_loses_nothing(raw: Ends) -> None:
    ours, theirs = supervisor(raw), worker(raw)
    sent = [big(number) for number in range(4)]
    for message in sent:
        theirs.send(message)
    assert theirs.has_unsent
    received: list[Report] = []
    while len(received) < len(sent):
        assert readable(ours)
        received += ours.receive()
        assert theirs.flush()
    assert received == sent
    assert not theirs.has_unsent


def test_unsent_statuses_coalesce_and_the_newest_wins_while_other_messages_all_arrive(raw: Ends) -> None:
    ours, theirs = supervisor(raw), worker(raw)
    last = Drained(checkpointed=99)
    for number in range(5):
        theirs.send(big(number))  # more than the pipe takes
    for number in range(100):
        theirs.send(Status(state="running", rss_bytes=number), topic="status")
        theirs.send(Drained(checkpointed=number))
    received: list[Report] = []
    while last not in received:
        assert readable(ours)
        received += ours.receive()
        theirs.flush()
    statuses = [message for message in received if isinstance(message, Status)]
    assert [status.rss_bytes for status in statuses] == [99]
    assert [message for message in received if isinstance(message, Drained)] == [
        Drained(checkpointed=number) for number in range(100)
    ]
    assert [message for message in received if isinstance(message, Opened)] == [big(number) for number in range(5)]


def test_a_message_half_written_is_finished_before_a_newer_of_its_topic(raw: Ends) -> None:
    ours, theirs = supervisor(raw), worker(raw)
    for number in range(3):
        theirs.send(big(number), topic="opened")  # the first fills the pipe and is cut in the middle
    received: list[Report] = []
    while big(2) not in received:
        assert readable(ours)
        received += ours.receive()
        theirs.flush()
    assert received[-1] == big(2)
    assert big(0) in received


def test_the_end_of_the_stream_is_seen_after_the_last_message(raw: Ends) -> None:
    ours, theirs = supervisor(raw), worker(raw)
    theirs.send(Drained(checkpointed=1))
    theirs.close()
    assert ours.receive() == [Drained(checkpointed=1)]
    assert ours.ended
    assert ours.receive() == []


def test_half_a_message_at_the_end_of_the_stream_is_dropped(raw: Ends) -> None:
    ours = supervisor(raw)
    os.write(raw[1].fileno(), encode(Drained(checkpointed=1))[:-1])
    raw[1].close()
    assert ours.receive() == []
    assert ours.ended


def test_sending_to_a_peer_that_is_gone_says_so(raw: Ends) -> None:
    ours = supervisor(raw)
    raw[1].close()
    ours.send(Abort(reason="over"))
    assert not ours.flush()
    ours.send(Abort(reason="again"))
    assert not ours.flush_until(Deadline.after(DEADLINE_S))


def test_the_last_message_of_a_peer_is_received_also_when_something_was_sent_to_it_since(raw: Ends) -> None:
    ours, theirs = supervisor(raw), worker(raw)
    theirs.send(Drained(checkpointed=1))
    theirs.close()
    ours.send(Abort(reason="nobody reads it"))
    assert ours.receive() == [Drained(checkpointed=1)]
    assert ours.ended


def test_a_peer_that_left_bytes_unread_is_gone_too(raw: Ends) -> None:
    ours = supervisor(raw)
    os.write(raw[0].fileno(), b"never read")
    raw[1].close()  # a reset, not an end, for whoever reads next
    assert ours.receive() == []
    assert ours.ended


def test_garbage_is_a_protocol_error(raw: Ends) -> None:
    ours = supervisor(raw)
    os.write(raw[1].fileno(), b"Segmentation fault (core dumped)\n")
    with pytest.raises(ProtocolError):
        ours.receive()


def test_the_last_message_waits_for_room_until_the_deadline(raw: Ends) -> None:
    theirs = worker(raw)
    failed = Failed(error="Bug", what="x", why="", fix="", traceback="t" * 200_000)
    theirs.send(big(0))
    theirs.send(big(1))
    theirs.send(failed)
    assert theirs.has_unsent
    assert not theirs.flush_until(Deadline.after(0.0))
    received: list[Report] = []
    reader = threading.Thread(target=lambda: received.extend(receive_until(supervisor(raw), failed)))
    reader.start()
    assert theirs.flush_until(Deadline.after(DEADLINE_S))
    reader.join(DEADLINE_S)
    assert received == [big(0), big(1), failed]
