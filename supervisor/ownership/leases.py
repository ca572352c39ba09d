"""The leases of one supervisor: claimed, renewed and released in the control store.

The store may take its time, so everything here may block. The process tree, which must not, uses `LeaseKeeper`.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from shared.clock import Clock, jittered, monotonic
from shared.config.settings import EventHubSettings
from shared.control.store import ControlStore
from shared.errors import Bug, EvsupError, OwnershipLost, ServiceUnavailable
from shared.limits import limit_error
from shared.log.logger import get_logger
from shared.log.secret import mask
from shared.model import Ownership, SupervisorRow, Term
from supervisor.ownership import balance
from supervisor.ownership.balance import Assignment, GroupView
from supervisor.ownership.lease_events import Balanced, Claimed, LeaseEvents, Lost, Renewed
from supervisor.ownership.passive_members import PassiveMembers
from supervisor.ownership.trust import DRAIN_SHARE, retry_s, trust_window_s

AFTER_END_S = 0.5  # by then the heartbeat of the former owner, which is a little younger than the lease, ends as well
WAITING_S = 1.0  # between balancing rounds while another supervisor hands over what belongs to this one
NEVER_S = float("inf")
log = get_logger()


class Leases:
    """The terms that this supervisor holds. All methods are for one thread; attributes may be read by any."""

    def __init__(
        self,
        store: ControlStore,
        me: SupervisorRow,
        partition_ids: Collection[str],
        settings: EventHubSettings,
        clock: Clock = monotonic,
    ) -> None:
        self.events = LeaseEvents()
        self.me = me
        self.partition_ids = partition_ids
        """Those of the hub, as far as is known; counted from the next balancing round on."""
        self.is_claiming = True
        """Whether partitions are claimed; without it, terms are only renewed and released."""
        self.failures, self.round_s = 0, 0.0
        """Rounds that failed and were tried again, and how long the last one took: any thread may read them."""
        self.trouble: str | None = None
        """Why the last round failed; None when it did not."""
        self.group_size, self.lost_members = 1, 0
        """Members at the last balancing round: those that live, and those that ended without leaving the group."""
        self.starting = 1
        """Members that start workers, as of the last balancing round, with this one."""
        self.clock, self._store, self._settings = clock, store, settings
        self.window_s = trust_window_s(settings.ownership_expiration)
        self._retry_s = retry_s(settings)
        self._trusted_until_s: dict[Term, float] = {}
        self._leaving: set[str] = set()
        self._passive = PassiveMembers.of(settings)
        self._renew_due_s = clock()

    @property
    def held(self) -> tuple[Term, ...]:
        """The terms that were claimed, and neither lost nor released."""
        return tuple(self._trusted_until_s)

    def step(self) -> float:
        """One round: renew and send the heartbeat when it is time, then look at the group and claim.

        Returns the seconds until the next round. Raises when the store refuses, or is away for so long that trust is
        about to end.
        """
        began_s = self.clock()
        try:
            # What is held comes first: a claim may be late, a renewal may not.
            if self.clock() >= self._renew_due_s:
                self.renew()
                # After the renewal: in a slow store a late heartbeat costs some of the share, a late renewal the tree.
                # And a lease that is younger than the heartbeat was claimed since (`balance.starting`).
                self._store.heartbeat(self.me)
                # Only now, so that a round that failed on the way is tried again as a whole. Jittered: supervisors that
                # were started together would ask the store together for ever.
                self._renew_due_s = self.clock() + jittered(self._settings.load_balancing_interval)
            look_in_s = self._balance() if self.is_claiming else NEVER_S
        except ServiceUnavailable as error:
            self.failures += 1
            self._require_time_to_retry(error)
            self.trouble = str(error)
            log.warning("lease_retrying", reason=self.trouble)
            return self._retry_s
        finally:
            self.round_s = self.clock() - began_s
        self.trouble = None
        return min(self._renew_due_s - self.clock(), look_in_s)

    def decide(self, view: GroupView) -> Assignment:
        """What this round is to do: `balance.assign`."""
        return balance.assign(view, self.me, self._settings.load_balancing_strategy)

    # --- the steps of a round -----------------------------------------------------------------------------------------

    def renew(self) -> None:
        """Renew all terms now. A term that another member owns is lost."""
        if not self._trusted_until_s:
            return
        # Before the call: the database counts from a later time, so the lease ends after this, however slow the reply.
        trusted_until_s = self.clock() + self.window_s
        # One statement for all of them: with a slow store, one after another would not be done within the interval.
        renewed = tuple(self._store.renew(self.held))
        for term in [term for term in self.held if term not in renewed]:
            self.forget(term)
            self.events.emit(Lost(term))
        self.trust(renewed, trusted_until_s)

    def trust(self, terms: tuple[Term, ...], until_s: float) -> None:
        """These terms were renewed, and are good until then."""
        self._trusted_until_s.update(dict.fromkeys(terms, until_s))
        self.events.emit(Renewed(terms, until_s))

    def _balance(self) -> float:
        """Look at the group, claim, and emit what is to be handed over. Returns the seconds until another look pays."""
        now_s = self.clock()
        view = self._view(now_s)
        assignment = self.decide(view)
        self._passive = self._passive.after(assignment, now_s)
        # Before the claims: another thread starts their workers at once, which share the hub with those of others.
        self.starting = balance.starting(view, self.me, assignment)
        _warn_of_the_future(row for row in view.ownerships if row.partition_id in assignment.claim)
        for partition_id in assignment.claim:
            self._claim(partition_id)
            if self.clock() > self._renew_due_s:  # a slow store: what is held comes first, the rest the next time
                break
        # From now on they count as leaving, or the next round would hand over as many again.
        self._leaving.update(assignment.surplus)
        self.events.emit(Balanced(assignment))
        for row in view.supervisors:
            if row.is_obsolete:  # it was killed, or it would have retired
                self._store.retire(row.owner_id)
        return min(_pays_in_s(assignment), self._passive.ends_in_s(now_s))

    def _view(self, now_s: float) -> GroupView:
        rows, members = self._store.ownerships(), self._store.supervisors()
        self.group_size = sum(row.is_live for row in members)
        self.lost_members = len(members) - self.group_size
        return GroupView(
            self.partition_ids,
            rows,
            members,
            held=[term.partition_id for term in self.held],
            leaving=self._leaving,
            spare=self._passive.spare(now_s),
            overdue=self._passive.overdue(now_s),
        )

    def _claim(self, partition_id: str) -> None:
        trusted_until_s = self.clock() + self.window_s  # before the call, as for a renewal
        term = self._store.claim(partition_id, self.me.owner_id, self._settings.ownership_expiration)
        if term is not None:
            self._trusted_until_s[term] = trusted_until_s
            self.events.emit(Claimed(term, trusted_until_s))

    def _require_time_to_retry(self, error: ServiceUnavailable) -> None:
        """Leave the last quarter of the trust window to the workers for their drain."""
        if not self._trusted_until_s:
            return
        oldest_s = min(self._trusted_until_s.values())
        if self.clock() + self._retry_s > oldest_s - self.window_s * DRAIN_SHARE:
            raise OwnershipLost(
                "The leases could not be renewed", str(error), "Check the control store; nothing is lost."
            ) from error

    # --- giving back --------------------------------------------------------------------------------------------------

    def withdraw(self) -> None:
        """Claim no more, and say so with a capacity of 0: others then count what is released here as theirs."""
        self.is_claiming = False
        self.me = replace(self.me, capacity=0)
        try:
            self._store.heartbeat(self.me)
        except EvsupError as error:  # the next round says it again
            log.warning("heartbeat_failed", reason=str(error))

    def forget(self, term: Term) -> None:
        """Renew it no more, and leave its lease to end by itself."""
        if self._trusted_until_s.pop(term, None) is not None:
            self._leaving.discard(term.partition_id)

    def release(self, terms: Sequence[Term]) -> None:
        """Give partitions back whose workers have exited."""
        # Before the call, and whatever it does: no worker runs for them, so they must not be renewed again.
        for term in terms:
            self.forget(term)
        try:
            self._store.release_all(terms)
        except EvsupError as error:  # they expire by themselves; the next owner only waits longer
            log.warning("release_failed", partitions=[term.partition_id for term in terms], reason=str(error))

    def settle(self, terms: Sequence[Term]) -> None:
        """As `ControlStore.settle_columns`. Never raises: without it, a later start names more rows than it has to."""
        try:
            self._store.settle_columns(terms)
        except EvsupError as error:
            log.warning("columns_not_settled", partitions=[term.partition_id for term in terms], reason=str(error))

    def retire(self) -> None:
        """Leave the group. Never raises: what cannot be taken back expires."""
        # The heartbeat first: a member that still had one would keep its share, and leave what is released unread.
        try:
            self._store.retire(self.me.owner_id)
        except Exception as error:  # noqa: BLE001 (what is held is released whatever this met)
            log.warning("retire_failed", reason=str(translate(error)))
        try:
            self.release(self.held)
        except Exception as error:  # noqa: BLE001 (it would end the thread that closes the store)
            log.warning("release_failed", reason=str(translate(error)))


def _pays_in_s(assignment: Assignment) -> float:
    """Soon while others hand over what belongs to this share; else when the first lease of another ends unrenewed.

    A live member renews long before that. So what a killed one left is found when its lease ends, not a round later.
    """
    if assignment.is_waiting:
        return jittered(WAITING_S)
    return min((lease.ends_in_s for lease in assignment.elsewhere), default=NEVER_S) + jittered(AFTER_END_S)


def _warn_of_the_future(rows: Iterable[Ownership]) -> None:
    for row in rows:
        if row.owner_id and row.is_from_the_future:
            log.warning("lease_from_the_future", partition=row.partition_id, owner=row.owner_id, ahead_s=-row.age_s)


def translate(error: Exception) -> EvsupError:
    """Any error of keeping leases as one of ours."""
    if isinstance(error, EvsupError):
        return error
    if limit := limit_error(error, "The leases cannot be kept"):
        return limit
    return Bug("The leases cannot be kept", " ".join(mask(f"{type(error).__name__}: {error}").split()))
