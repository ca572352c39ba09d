"""The guards of the product, and how to take each out: a simulation that cannot tell the difference proves nothing."""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from msgspec import structs

from shared.control import queries, sqlite
from shared.ipc.messages import ChannelStatus
from supervisor.ownership import leases
from supervisor.ownership.lease_events import Balanced, LeaseEvent
from supervisor.ownership.lease_keeper import LeaseKeeper
from supervisor.ownership.leases import Leases
from tests.simulation.faults import (
    FAULTS,
    Fault,
    answer_late_and_leave,
    break_link,
    fade_away,
    freeze_supervisor,
    freeze_tree,
    freeze_tree_in_the_middle,
    kill_worker,
    lose_requests,
    slow_down,
    stick_worker,
)
from tests.simulation.processes.process import Clock
from tests.simulation.processes.worker import WorkerProcess
from tests.simulation.services.hub import SimulatedReceiver
from tests.simulation.services.snowpipe import Channel, Handle
from worker.loop import Worker
from worker.pipeline import pipeline, status_poll
from worker.pipeline.pipeline import Pipeline
from worker.pipeline.sequence import Admission
from worker.sink.channel_status import verify
from worker.sink.unsettled import Unsettled
from worker.source.link import Position

Removal = Callable[[], AbstractContextManager[object]]


@dataclass(frozen=True, slots=True)
class Guard:
    """What protects against what, and how to take it out."""

    name: str
    removed: Removal
    breaks: str
    """Begins the violation that shows without it; a regular expression."""
    trusting: bool = True
    """False: it is the second line, and shows only when leases are ignored."""
    equal_ids: bool | None = None
    faults: Sequence[Fault] = FAULTS
    """That bring it out soonest."""
    rejecting: bool = False
    """Whether Snowflake rejects rows, and counts them late."""
    first_seed: int = 0
    """The one to begin with: that of the first history in which it was missed."""


def without(name: str, text: str, instead: str = "") -> Removal:
    """A named query with a part of it left out."""
    original = queries.query(name, "sqlite")
    assert text in original, f"{name}.sql reads differently now"
    changed = original.replace(text, instead)
    return replaced(sqlite, "query", lambda asked, dialect: changed if asked == name else queries.query(asked, dialect))


def replaced(owner: Any, name: str, function: Any) -> Removal:
    """A function of the product with another in its place."""

    @contextmanager
    def removed() -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(owner, name, function)
            yield

    return removed


# --- the lease --------------------------------------------------------------------------------------------------------


def trust_from_the_answer(leases: Leases, renew: Callable[[Leases], None] = Leases.renew) -> None:
    """Count the lease from when the answer came."""
    renew(leases)
    leases.trust(leases.held, leases.clock() + leases.window_s)


def released_at_once(
    keeper: LeaseKeeper, receive: Callable[[LeaseKeeper], list[LeaseEvent]] = LeaseKeeper.receive
) -> list[LeaseEvent]:
    """Release surplus while its worker still drains."""
    events = receive(keeper)
    surplus = {each for event in events if isinstance(event, Balanced) for each in event.assignment.surplus}
    for term in keeper.leases.held:
        if term.partition_id in surplus:
            keeper.release(term)
    return events


@contextmanager
def measured_by_the_claimer() -> Iterator[None]:
    """End a lease by the expiration of the member that looks at it."""

    def changed(name: str, dialect: str) -> str:
        return re.sub(
            r"COALESCE\((held\.)?expiration_s, :expiration_s\)", ":expiration_s", queries.query(name, dialect)
        )

    with replaced(sqlite, "query", changed)():
        yield


@contextmanager
def distrust() -> Iterator[None]:
    """Workers know nothing of leases: neither loop nor guard ends them."""
    with (
        replaced(Worker, "_require_trust", lambda *_: None)(),
        replaced(WorkerProcess, "_guarded", lambda _: None)(),
    ):
        yield


# --- the sink, the source ---------------------------------------------------------------------------------------------


def same_sequencer(channel: Channel) -> int:
    """Open without taking the channel over."""
    channel._sequencer = 1
    return 1


def earlier_token(
    handle: Handle, generation: int, open_: Callable[[Handle, int], ChannelStatus] = Handle.open
) -> ChannelStatus:
    """Resume after what was committed before the open."""
    before = handle._channel.token
    return structs.replace(open_(handle, generation), token=before)


def level_zero(
    process: WorkerProcess, partition_id: str, level: int, position: Position, source: Any = WorkerProcess.source
) -> SimulatedReceiver:
    """Receive without the epoch as owner level."""
    reader: SimulatedReceiver = source(process, partition_id, 0, position)
    return reader


# --- the pipeline -----------------------------------------------------------------------------------------------------


def admit_all(high: int | None, numbers: Sequence[int | None]) -> Admission:
    """Take whatever comes."""
    return Admission(range(len(numbers)), numbers[-1] if numbers else high)


def verify_less(
    partition_id: str,
    status: ChannelStatus,
    durable: int | None,
    appended: int | None,
    errors_before: int,
    _: int | None,
) -> None:
    """Believe any token that does not go back."""
    verify(partition_id, status, durable, appended if status.token is None else status.token, errors_before)


def settled_at_once(events: Unsettled, token: int | None, _: float) -> None:
    """Take the count of a status for one of its token."""
    events.first = events.first if token is None else token + 1


def counted_once(_: Handle, __: Callable[[ChannelStatus], bool], ___: float) -> None:
    """Never wait for a later count."""


def believed(_: ChannelStatus, __: int | None, ___: int) -> bool:
    """Take every status for new."""
    return False


def checkpoint_appended(moved: Pipeline, now_s: float, turn: Callable[[Pipeline, float], None] = Pipeline.turn) -> None:
    """Checkpoint what was appended."""
    checkpoints = moved._checkpoints
    checkpoints.newest = replace(checkpoints.newest, sequence_number=moved.counters.appended)
    turn(moved, now_s)


FREEZES = (freeze_tree, freeze_tree_in_the_middle)
SLOW_STORES = (slow_down, fade_away)
WRONGLY = r"\w+ wants a person although nothing is wrong"
GUARDS = (
    Guard(
        "the margin of the trust window",
        replaced(leases, "trust_window_s", lambda expiration_s: expiration_s),
        "I5",
        faults=(fade_away, lose_requests, stick_worker),
    ),
    Guard(
        "trust from the start of a renewal",
        replaced(Leases, "renew", trust_from_the_answer),
        "I5",
        faults=(answer_late_and_leave,),
        first_seed=10,
    ),
    Guard(
        "the end of a worker that is stuck",
        replaced(WorkerProcess, "_guarded", lambda _: None),
        "I5",
        faults=(freeze_supervisor, stick_worker),
        first_seed=4,
    ),
    Guard("the end of a worker with its trust", distrust, "I5", faults=(fade_away, freeze_supervisor)),
    Guard("a clock that never jumps", replaced(Clock, "__call__", lambda _: time.time()), "I", faults=FREEZES),
    Guard("a release after the worker has exited", replaced(LeaseKeeper, "receive", released_at_once), "I5"),
    Guard(
        "owner and epoch of a release",
        without(
            "release",
            "partition_id || ' ' || epoch || ' ' || owner_id IN (SELECT key FROM json_each(:terms))",
            "EXISTS (SELECT 1 FROM json_each(:terms) WHERE key LIKE partition_id || ' %')",
        ),
        "I5",
        first_seed=5,
    ),
    Guard("the owner's own expiration", measured_by_the_claimer, "I5", faults=FREEZES),
    Guard("equal owner ids", without("claim", "held.etag = excluded.etag AND "), "I5", equal_ids=True),
    Guard(
        "the epoch of a checkpoint",
        without("save_checkpoint", "stored.epoch <= excluded.epoch\n    AND "),
        "I4",
        faults=FREEZES,
        first_seed=12,
    ),
    Guard(
        "the fence in the transaction of a claim",
        without("fence", "epoch = excluded.epoch", "epoch = stored.epoch"),
        "I4",
        faults=FREEZES,
    ),
    Guard(
        "a position that only rises",
        without("save_checkpoint", "excluded.sequence_number >= stored.sequence_number", "true"),
        "I4",
        faults=SLOW_STORES,
        first_seed=17,
    ),
    Guard("the reopening of the channel", replaced(Channel, "open", same_sequencer), "I"),
    Guard("the token of this open", replaced(Handle, "open", earlier_token), "I1", faults=(kill_worker,)),
    Guard("dropping what comes again", replaced(pipeline, "admit", admit_all), "I1", faults=(break_link,)),
    Guard("checkpointing what is durable", replaced(Pipeline, "turn", checkpoint_appended), "I3"),
    Guard(
        "the epoch as owner level",
        replaced(WorkerProcess, "source", level_zero),
        "I5",
        trusting=False,
        faults=FREEZES,
        first_seed=14,
    ),
    Guard(
        "refusing a token above what was appended",
        replaced(pipeline, "verify", verify_less),
        "I3",
        trusting=False,
        faults=FREEZES,
        first_seed=34,
    ),
    Guard("events that are not settled", replaced(Unsettled, "observe", settled_at_once), WRONGLY, rejecting=True),
    Guard("waiting for a later count", replaced(Handle, "await_status", counted_once), WRONGLY, rejecting=True),
    Guard("asking again when a status is older", replaced(status_poll, "is_older", believed), WRONGLY, rejecting=True),
)
