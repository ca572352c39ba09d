"""No signal is lost between its handler and the loop."""

import signal
from collections import deque
from collections.abc import Iterator

import pytest

from supervisor.process.signals import HANDLED, SignalInbox


class Interrupted(deque[int]):
    """Another signal arrives as soon as one was read."""

    def __init__(self, late: list[int]) -> None:
        super().__init__()
        self._late = late

    def __iter__(self) -> Iterator[int]:
        yield from list(super().__iter__())
        self._arrive()

    def popleft(self) -> int:
        first = super().popleft()
        self._arrive()
        return first

    def _arrive(self) -> None:
        if self._late:
            self.append(self._late.pop())


@pytest.fixture(autouse=True)
def _handlers_restored() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (*HANDLED, signal.SIGHUP)}
    yield
    signal.set_wakeup_fd(-1)
    for number, handler in before.items():
        signal.signal(number, handler)


def test_signals_are_received_once_and_in_order() -> None:
    inbox = SignalInbox()
    signal.raise_signal(signal.SIGUSR1)
    signal.raise_signal(signal.SIGTERM)
    assert inbox.receive() == [signal.SIGUSR1, signal.SIGTERM]
    assert inbox.receive() == []


def test_a_signal_that_arrives_while_others_are_received_is_not_lost() -> None:
    inbox = SignalInbox(Interrupted([signal.SIGTERM]))
    signal.raise_signal(signal.SIGUSR1)
    assert inbox.receive() + inbox.receive() == [signal.SIGUSR1, signal.SIGTERM]
