"""The thread that keeps the leases, and what the loop of the process tree asks of it.

The control store may take its time, and the loop that talks to the workers may not. So only this thread uses the store
while the tree runs. The loop gives it jobs, and receives what happened as events.
"""

import queue
import threading
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Protocol, TypeAlias

from shared.clock import Clock, Deadline, monotonic
from shared.log.logger import get_logger
from shared.model import Term
from supervisor.ownership.lease_events import LeaseEvent, LeasesFailed
from supervisor.ownership.leases import Leases, translate
from supervisor.ownership.trust import RETRY_S

Job: TypeAlias = Callable[[], None]
log = get_logger()


class Jobs(Protocol):
    """A queue of jobs for the thread; None asks it to end. `queue.SimpleQueue` outside of simulations."""

    def put(self, job: Job | None) -> None:
        """Add one. Never blocks."""

    def get(self, block: bool = True, timeout: float | None = None) -> Job | None:
        """The oldest job; raises `queue.Empty` when there is none in time."""


class LeaseKeeper:
    """Keeps `leases` on a thread of its own; their attributes may be read by any.

    Every method but `run` and `close` returns at once.
    """

    def __init__(self, leases: Leases, clock: Clock = monotonic, jobs: Jobs | None = None) -> None:
        self.leases, self._clock = leases, clock
        self._jobs: Jobs = jobs or queue.SimpleQueue()
        self._returned: queue.SimpleQueue[Term] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self.run, name="lease", daemon=True)

    # --- the loop's side ----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to claim and renew."""
        self._thread.start()

    @property
    def has_started(self) -> bool:
        """From then on the thread retires by itself at its end."""
        return self._thread.ident is not None

    def fileno(self) -> int:
        """For `multiprocessing.connection.wait`."""
        return self.leases.events.fileno()

    def receive(self) -> list[LeaseEvent]:
        """What happened since the last call, in order."""
        return self.leases.events.receive()

    def stop_claiming(self) -> None:
        """Only renew and release from now on, and have the others count on nothing here any more."""
        self.leases.is_claiming = False  # at once: a round may begin before the job
        self._jobs.put(self.leases.withdraw)

    def learn(self, partition_ids: Collection[str]) -> None:
        """The hub has these partitions now."""
        self.leases.partition_ids = partition_ids

    def release(self, term: Term) -> None:
        """Give a partition back soon: its worker has exited. Those that come while the store is busy go together."""
        # In this order: the job may run as soon as it is there.
        self._returned.put(term)
        self._jobs.put(self._release_returned)

    def forget(self, term: Term) -> None:
        """Neither renew nor release it any more: its worker cannot be ended. The lease ends by itself."""
        self._jobs.put(partial(self.leases.forget, term))

    def settle(self, terms: Sequence[Term]) -> None:
        """These terms have drained, and the target table had its columns after that."""
        self._jobs.put(partial(self.leases.settle, terms))

    def close(self, deadline: Deadline) -> None:
        """Release what is still held and end the thread. Blocks, until the deadline at most."""
        # Behind the releases that were asked for: each of them frees a partition that nobody reads.
        self._jobs.put(None)
        self._thread.join(deadline.remaining_s())
        if self._thread.is_alive():
            log.warning("leases_left", reason="the control store took too long; they end by themselves")

    # --- the thread's side --------------------------------------------------------------------------------------------

    def run(self) -> None:
        """The thread: rounds, and jobs in between, until it is closed. Then the group is left."""
        pause_s = 0.0
        while True:
            try:
                if not self._run_jobs(pause_s):
                    break
                pause_s = self.leases.step()
            except Exception as error:  # noqa: BLE001 (if this thread ended now, the leases would run out unnoticed)
                self.leases.events.emit(LeasesFailed(translate(error)))
                pause_s = RETRY_S
        # By the thread that held the leases: nothing renews them after this.
        self.leases.retire()

    def _run_jobs(self, pause_s: float) -> bool:
        """Wait for the next round; jobs are run in between. False: close."""
        deadline = Deadline.after(pause_s, self._clock())
        while True:
            try:
                job = self._jobs.get(timeout=max(0.001, deadline.remaining_s(self._clock())))
            except queue.Empty:
                return True
            if job is None:
                return False
            job()
            # Jobs that keep coming must not put off a renewal.
            if deadline.passed(self._clock()):
                return True

    def _release_returned(self) -> None:
        # All that wait, in one statement; the jobs of the others then find nothing.
        terms = [self._returned.get() for _ in range(self._returned.qsize())]
        if terms:
            self.leases.release(terms)
