"""Waiting for locks: for how long, for whom, and that no two wait for each other."""

import asyncio

from scripts.localcloud.snow.sql.locking.locks import Blocked
from scripts.localcloud.snow.sql.statements.parameter import Parameters
from scripts.localcloud.snow.sql.statements.refusal import deadlock, lock_timeout, statement_timeout


class Waits:
    """Who waits for whom, and the sign that locks were released. Lives on the event loop."""

    def __init__(self) -> None:
        self._for: dict[int, int] = {}
        self._released = asyncio.Event()

    @property
    def released(self) -> asyncio.Event:
        """The sign of the next release; take it before trying, so that none is missed."""
        return self._released

    def wake(self) -> None:
        """Let everybody who waits try again."""
        self._released.set()
        self._released = asyncio.Event()

    def begin(self, waiter: int, holder: int) -> None:
        """Note that a session waits for another; the one who closes a circle is refused instead."""
        last: int | None = holder
        while last is not None:
            if last == waiter:
                raise deadlock()
            last = self._for.get(last)
        self._for[waiter] = holder

    def end(self, waiter: int) -> None:
        """Note that a session waits no longer."""
        self._for.pop(waiter, None)


def left_s(parameters: Parameters, blocked: Blocked, waited_s: float) -> float:
    """Give the seconds that a statement may go on waiting, or refuse it."""
    lock_s = parameters.seconds("HYBRID_TABLE_LOCK_TIMEOUT" if blocked.hybrid else "LOCK_TIMEOUT")
    statement_s = parameters.seconds("STATEMENT_TIMEOUT_IN_SECONDS") or float("inf")
    if waited_s >= lock_s:
        raise lock_timeout(blocked.table[-1], lock_s)
    if waited_s >= statement_s:
        raise statement_timeout(statement_s)
    return min(lock_s, statement_s) - waited_s
