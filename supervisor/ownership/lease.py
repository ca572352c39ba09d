"""The leases of this supervisor: claimed, renewed and released on a thread of their own.

The control store may take its time, and the loop that talks to the workers may not; so the store is spoken to here and
nowhere else in the supervisor, and what happened is told to the loop as events.

Trust. A renewal that began at `t` and succeeded is good until `t + expiration − margin` on the monotonic clock: the
database counts the expiration from a moment after `t`, so ours always ends first, however slow the reply was. Workers
stop themselves at that moment; nobody may claim before it.
"""

import queue
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from shared.clock import Clock, Deadline, jittered, monotonic
from shared.config.settings import EventHubSettings
from shared.control.store import ControlStore
from shared.errors import Bug, EvsupError, OwnershipLost, ServiceUnavailable
from shared.ipc.wakeup import Wakeup
from shared.limits import reached
from shared.log.logger import get_logger
from shared.log.secret import mask
from shared.model import Ownership, SupervisorRow, Term
from supervisor.ownership import balance
from supervisor.ownership.balance import Assignment, GroupView
from supervisor.ownership.passive_members import PassiveMembers

RETRY_S = 1.0  # between tries to renew while the store is away; less with short leases
AFTER_END_S = 0.5  # by then the heartbeat of whoever held it, a moment younger, is over as well
DRAIN_SHARE = 0.25  # of the trust window: from then on the workers drain instead of hoping
NEVER_S = float("inf")
WAITING_S = 1.0  # between looks at the group while another supervisor hands over what belongs to this one
log = get_logger()


@dataclass(frozen=True, slots=True)
class Claimed:
    """A partition is ours until `trusted_until_s`."""

    term: Term
    trusted_until_s: float


@dataclass(frozen=True, slots=True)
class Renewed:
    """These terms are good until `trusted_until_s`."""

    terms: tuple[Term, ...]
    trusted_until_s: float


@dataclass(frozen=True, slots=True)
class Lost:
    """Somebody else holds the partition."""

    term: Term


@dataclass(frozen=True, slots=True)
class Balanced:
    """What the last balancing round decided. What it claimed came as `Claimed`; its surplus is to be drained."""

    assignment: Assignment


@dataclass(frozen=True, slots=True)
class LeasesFailed:
    """The leases cannot be kept."""

    error: EvsupError


LeaseEvent: TypeAlias = Claimed | Renewed | Lost | Balanced | LeasesFailed


class LeaseKeeper:
    """Holds the terms of one supervisor. `run` on a thread, `step` in tests; `receive` and `release` from the loop."""

    def __init__(
        self,
        store: ControlStore,
        me: SupervisorRow,
        partition_ids: Collection[str],
        settings: EventHubSettings,
        clock: Clock = monotonic,
    ) -> None:
        self._store, self._me, self._partition_ids = store, me, partition_ids
        self._settings, self._clock = settings, clock
        self._window_s = trust_window_s(settings.ownership_expiration)
        self._retry_s = retry_s(settings)
        self._held: dict[Term, float] = {}
        self._leaving: set[str] = set()
        self._patience = PassiveMembers.of(settings)
        self.group_size = 1
        """Live supervisors of the group at the last look."""
        self._renew_due_s = clock()
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._returning: queue.SimpleQueue[Term] = queue.SimpleQueue()
        self._events: deque[LeaseEvent] = deque()
        self._wakeup = Wakeup()
        self._claiming = True
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)

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
        return self._wakeup.fileno()

    def receive(self) -> list[LeaseEvent]:
        """What happened since the last call, in order."""
        if not self._wakeup.clear():
            return []
        return [self._events.popleft() for _ in range(len(self._events))]

    def stop_claiming(self) -> None:
        """Only renew and release from now on, and tell the others that nothing can be had here any more."""
        self._claiming = False
        self._jobs.put(self._step_back)

    def learn(self, partition_ids: Collection[str]) -> None:
        """The hub has these partitions now; counts from the next look at the group on."""
        self._partition_ids = partition_ids

    def release(self, term: Term) -> None:
        """Give a partition back soon: its worker is gone. Those that come while the store is busy go together."""
        self._returning.put(term)
        self._jobs.put(self._release_returning)

    def close(self, deadline: Deadline) -> None:
        """Release what is still held and end the thread, as far as the deadline lets."""
        self._jobs.put(None)
        self._thread.join(deadline.remaining_s())
        if self._thread.is_alive():
            log.warning("leases_left", reason="the control store took too long; they end by themselves")

    # --- the thread's side --------------------------------------------------------------------------------------------

    def _run(self) -> None:
        pause_s = 0.0
        while True:
            try:
                if not self._obey(pause_s):
                    break
                pause_s = self.step()
            except Exception as error:  # noqa: BLE001 (if this thread ended now, the leases would run out unnoticed)
                self._tell(LeasesFailed(_as_ours(error)))
                pause_s = RETRY_S
        self.retire()

    def step(self) -> float:
        """One round: renew and say that we live when it is time, then look at the group and claim.

        Returns the seconds until the next. Blocks in the store. Raises when the store refuses, or is away for so long
        that trust is about to end.
        """
        try:
            if self._clock() >= self._renew_due_s:
                self._renew()
                self._store.heartbeat(self._me)
                self._renew_due_s = self._clock() + jittered(self._settings.load_balancing_interval)
            look_in_s = self._balance() if self._claiming else NEVER_S
        except ServiceUnavailable as error:
            self._require_time_to_retry(error)
            log.warning("lease_retrying", reason=str(error))
            return self._retry_s
        return min(self._renew_due_s - self._clock(), look_in_s)

    def _renew(self) -> None:
        if not self._held:
            return
        trusted_until_s = self._clock() + self._window_s
        renewed = tuple(self._store.renew(tuple(self._held)))
        for term in [term for term in self._held if term not in renewed]:
            self._forget(term)
            self._tell(Lost(term))
        self._held.update(dict.fromkeys(renewed, trusted_until_s))
        self._tell(Renewed(renewed, trusted_until_s))

    def _balance(self) -> float:
        """Look at the group, claim, and tell what is to be handed over. Returns the seconds until another look pays."""
        now_s = self._clock()
        view = self._view(now_s)
        plan = self._planned(view, now_s)
        _warn_of_the_future(row for row in view.ownerships if row.partition_id in plan.claim)
        for partition_id in plan.claim:
            self._claim(partition_id)
            if self._clock() > self._renew_due_s:  # a slow store: what is held comes first, the rest the next time
                break
        self._leaving.update(plan.surplus)
        self._tell(Balanced(plan))
        for row in view.supervisors:
            if row.is_long_dead:  # it was killed, or it would have retired
                self._store.retire(row.owner_id)
        return min(_pays_in_s(plan), self._patience.ends_in_s(now_s))

    def _view(self, now_s: float) -> GroupView:
        rows, members = self._store.ownerships(), self._store.supervisors()
        held, patience = [term.partition_id for term in self._held], self._patience
        self.group_size = sum(row.is_live for row in members)
        return GroupView(
            self._partition_ids, rows, members, held, self._leaving, patience.spare(now_s), patience.overdue(now_s)
        )

    def _planned(self, view: GroupView, now_s: float) -> Assignment:
        plan = balance.assign(view, self._me, self._settings.load_balancing_strategy)
        self._patience = self._patience.after(plan, now_s)
        return plan

    def _claim(self, partition_id: str) -> None:
        trusted_until_s = self._clock() + self._window_s
        term = self._store.claim(partition_id, self._me.owner_id, self._settings.ownership_expiration)
        if term is not None:
            self._held[term] = trusted_until_s
            self._tell(Claimed(term, trusted_until_s))

    def _require_time_to_retry(self, error: ServiceUnavailable) -> None:
        """Leave the last quarter of the trust window to the workers for their drain."""
        if not self._held:
            return
        if self._clock() + self._retry_s > min(self._held.values()) - self._window_s * DRAIN_SHARE:
            raise OwnershipLost(
                "The leases could not be renewed", str(error), "Check the control store; nothing is lost."
            ) from error

    def _obey(self, pause_s: float) -> bool:
        """Wait for the next round; jobs come in between. False: close."""
        deadline = Deadline.after(pause_s, self._clock())
        while True:
            try:
                job = self._jobs.get(timeout=max(0.001, deadline.remaining_s(self._clock())))
            except queue.Empty:
                return True
            if job is None:
                return False
            job()
            if deadline.passed(self._clock()):
                return True

    def _step_back(self) -> None:
        """A capacity of nothing: from now on others count what is released here as theirs."""
        self._me = replace(self._me, capacity=0)
        try:
            self._store.heartbeat(self._me)
        except EvsupError as error:  # the next round says it again
            log.warning("heartbeat_failed", reason=str(error))

    def _forget(self, term: Term) -> None:
        if self._held.pop(term, None) is not None:
            self._leaving.discard(term.partition_id)

    def _release_returning(self) -> None:
        terms = [self._returning.get() for _ in range(self._returning.qsize())]
        if terms:
            self._release(terms)

    def _release(self, terms: Sequence[Term]) -> None:
        for term in terms:
            self._forget(term)
        try:
            self._store.release_all(terms)
        except EvsupError as error:  # they expire by themselves; the next owner only waits longer
            log.warning("release_failed", partitions=[term.partition_id for term in terms], reason=str(error))

    def retire(self) -> None:
        """Leave the group. First the heartbeat goes, so that others count what is released as theirs.

        Never raises: what cannot be taken back expires. The last thing the thread does; without a thread, blocks.
        """
        try:
            self._store.retire(self._me.owner_id)
        except Exception as error:  # noqa: BLE001 (what is held is released whatever this met)
            log.warning("retire_failed", reason=str(_as_ours(error)))
        try:
            self._release(tuple(self._held))
        except Exception as error:  # noqa: BLE001 (nobody is left to be told)
            log.warning("release_failed", reason=str(_as_ours(error)))

    def _tell(self, event: LeaseEvent) -> None:
        self._events.append(event)
        self._wakeup.set()


def _pays_in_s(plan: Assignment) -> float:
    """Soon while others hand over what belongs to this share; else when the first lease of another ends unrenewed.

    Whoever lives renews long before that: what a killed supervisor left is found so, at once and not a round later.
    """
    if plan.is_waiting:
        return jittered(WAITING_S)
    return min((lease.ends_in_s for lease in plan.elsewhere), default=NEVER_S) + jittered(AFTER_END_S)


def _warn_of_the_future(rows: Iterable[Ownership]) -> None:
    for row in rows:
        if row.owner_id and row.is_from_the_future:
            log.warning("lease_from_the_future", partition=row.partition_id, owner=row.owner_id, ahead_s=-row.age_s)


def _as_ours(error: Exception) -> EvsupError:
    if isinstance(error, EvsupError):
        return error
    if limit := reached(error, "The leases cannot be kept"):
        return limit
    return Bug("The leases cannot be kept", " ".join(mask(f"{type(error).__name__}: {error}").split()))


def trust_window_s(expiration_s: float) -> float:
    """How long after the start of a renewal the owner may trust it: the expiration less a margin of a tenth.

    The margin is at least the 2 s in which a worker whose loop is stuck is ended by its guard.
    """
    return expiration_s - max(2.0, expiration_s / 10)


def retry_s(settings: EventHubSettings) -> float:
    """Seconds between tries to renew: so few that two renewals may fail, each at once, before the drain begins."""
    longest_round_s = 1.1 * settings.load_balancing_interval  # with its jitter
    room_s = trust_window_s(settings.ownership_expiration) * (1 - DRAIN_SHARE) - longest_round_s
    return min(RETRY_S, room_s / 3)
