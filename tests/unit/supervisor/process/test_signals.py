"""No signal is lost between its handler and the loop."""

import signal
from collections import deque
from collections.abc import Iterator

import pytest

from supervisor.process.signals import HANDLED, SignalInbox


class Interrupted(deque[int]):
    """Another signal comes as soon as somebody has looked at those that came."""

    def __init__(self, late: list[int]) -> None:
        super().__init__()
        self._late = late

    def __iter__(self) -> Iterator[int]:
        yield from list(super().__iter__())
        self._come()

    def popleft(self) -> int:
        first = super().popleft()
        self._come()
        return first

    def _come(self) -> None:
        if self._late:
            self.append(self._late.pop())


@pytest.fixture
def inbox() -> Iterator[SignalInbox]:
    before = {number: signal.getsignal(number) for number in (*HANDLED, signal.SIGHUP)}
    yield SignalInbox()
    signal.set_wakeup_fd(-1)
    for number, handler in before.items():
        signal.signal(number, handler)


def test_signals_are_taken_once_and_in_order(inbox: SignalInbox) -> None:
    signal.raise_signal(signal.SIGUSR1)
    signal.raise_signal(signal.SIGTERM)
    assert inbox.receive() == [signal.SIGUSR1, signal.SIGTERM]
    assert inbox.receive() == []


def test_a_signal_that_comes_while_others_are_taken_is_not_lost(inbox: SignalInbox) -> None:
    inbox._received = Interrupted([signal.SIGTERM])
    inbox._received.append(signal.SIGUSR1)
    assert inbox.receive() + inbox.receive() == [signal.SIGUSR1, signal.SIGTERM]
