"""A changed table ends the tree with the events that may lack something; a look that fails is said and ends nothing."""

import errno
from collections.abc import Iterator
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, cast

import pytest
from msgspec import Struct

from shared.errors import NotPermitted, RowsDoNotFit, SnowflakeUnavailable, WorkerCrashed
from shared.ipc import spawn
from shared.ipc.failure import last_word
from shared.ipc.messages import CheckTable, Counters, Drained, Opened, Status, TableFits, TableReport
from shared.ipc.pipe import MessagePipe
from shared.model import Term
from supervisor.process.table_monitor import LOOK_EVERY_S, LOOK_S, TableMonitor
from tests.unit.shared.control.stores import Clock

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

    from supervisor.process.child import Child

GONE = RowsDoNotFit("T does not take evsup's rows", "there is no column PAYLOAD", "ALTER TABLE …;")
TERM = Term("0", "owner", 1)
NEXT_TERM = Term("0", "owner", 1)  # epochs begin again when a partition was forgotten between both


class Watched(TableMonitor):
    """With a pipe for a process: what a test answers is what it says."""

    def __init__(self, now: Clock) -> None:
        super().__init__(now)
        self.started = 0

    def _start(self) -> MessagePipe[Any]:
        self.started += 1
        ours, theirs = get_context("spawn").Pipe(duplex=True)
        self.peer: MessagePipe[CheckTable] = MessagePipe(theirs, CheckTable)
        self._pipe = MessagePipe(ours, TableReport)
        return self._pipe

    def answer(self, message: Struct) -> None:
        assert self.peer.receive(), "it was asked"
        self.peer.send(message)


class Worker:
    """How far a worker is, as the supervisor knows it."""

    def __init__(
        self, durable: int | None, appended: int, after: int | None = 9, rows: int = 0, term: Term = TERM
    ) -> None:
        self.term = term
        self.status = Status(state="running", counters=Counters(durable=durable, appended=appended, rows_total=rows))
        self.opened = Opened(channel="C", resumed_after=after, reason="")
        self.drained: Drained | None = None


@pytest.fixture
def now() -> Clock:
    return Clock()


@pytest.fixture
def watch(now: Clock) -> Iterator[Watched]:
    """Asked once, and told that all is well."""
    made = Watched(now)
    made.ask()
    made.answer(TableFits(doubts=("narrow",)))
    assert made.first() == ("narrow",)
    yield made
    made.close()


def follow(watch: TableMonitor, **workers: Worker) -> None:
    watch.follow({name.removeprefix("p"): cast("Child", worker) for name, worker in workers.items()})


def looked_well(watch: Watched, now: Clock) -> None:
    """Let it ask once more and find nothing."""
    now.move(LOOK_EVERY_S * 1.1)
    watch.turn(now())
    watch.answer(TableFits(doubts=()))
    assert watch.turn(now()) is None


def test_it_is_asked_again_within_half_a_minute_and_not_before_an_answer(watch: Watched, now: Clock) -> None:
    watch.turn(now())
    assert not watch.peer.receive()
    now.move(LOOK_EVERY_S * 1.1)
    watch.turn(now())
    assert len(watch.peer.receive()) == 1
    now.move(LOOK_EVERY_S)
    watch.turn(now())
    assert not watch.peer.receive()


def test_the_events_since_the_last_good_look_are_named_with_their_replay(watch: Watched, now: Clock) -> None:
    follow(watch, p0=Worker(19, 25), p1=Worker(None, 12))
    now.move(LOOK_EVERY_S * 1.1)
    watch.turn(now())
    watch.answer(TableFits(doubts=()))
    assert watch.turn(now()) is None
    follow(watch, p0=Worker(40, 45), p1=Worker(11, 12))
    now.move(LOOK_EVERY_S * 1.1)
    watch.turn(now())
    watch.answer(last_word(GONE)[1])
    found = watch.turn(now())
    assert isinstance(found, RowsDoNotFit)
    last = Worker(45, 45)
    last.drained = Drained(checkpointed=50)  # appended between its last report and the drain
    follow(watch, p0=last)
    error = watch.located(found)
    assert "events 20 to 50 of partition 0; events 10 to 12 of partition 1" in error.why
    assert "`evsup replay --partition 0 --from 20 --to 50`" in error.fix
    assert error.exit_code == 78


def test_a_partition_that_began_after_the_look_counts_from_its_first_row(watch: Watched) -> None:
    follow(watch, p0=Worker(None, 104, after=None, rows=5))
    assert "events 100 to 104 of partition 0" in watch.located(GONE).why


def test_a_term_that_begins_lower_than_the_last_one_ended_is_counted_from_its_own_begin(
    watch: Watched, now: Clock
) -> None:
    follow(watch, p0=Worker(900, 900))
    looked_well(watch, now)
    follow(watch, p0=Worker(20, 25, after=9, term=NEXT_TERM))
    assert "events 10 to 25 of partition 0" in watch.located(GONE).why


def test_what_an_earlier_term_appended_is_named_until_a_look_is_well(watch: Watched, now: Clock) -> None:
    follow(watch, p0=Worker(19, 25))
    follow(watch, p0=Worker(None, 25, after=25, term=NEXT_TERM))
    assert "events 10 to 25 of partition 0" in watch.located(GONE).why
    looked_well(watch, now)
    assert "no event was loaded since" in watch.located(GONE).why


def test_without_an_event_since_then_there_is_nothing_to_read_again(watch: Watched) -> None:
    follow(watch, p0=Worker(9, 9))
    error = watch.located(GONE)
    assert "no event was loaded since" in error.why
    assert "replay" not in error.fix


def test_many_partitions_are_named_in_part(watch: Watched) -> None:
    follow(watch, **{f"p{number}": Worker(9, 30) for number in range(32)})
    error = watch.located(GONE)
    assert (error.fix.count("evsup replay"), "32 in all" in error.fix) == (3, True)


@pytest.mark.parametrize("error", [SnowflakeUnavailable("No answer"), NotPermitted("No grant")])
def test_a_look_that_fails_ends_nothing_and_is_said_until_one_succeeds(
    watch: Watched, now: Clock, error: Exception
) -> None:
    for answer, unseen in ((last_word(error)[1], str(error)), (TableFits(doubts=()), None)):
        now.move(LOOK_EVERY_S * 1.1)
        watch.turn(now())
        watch.answer(answer)
        assert watch.turn(now()) is None
        assert watch.unseen == unseen


def test_a_process_that_is_silent_or_gone_is_replaced_at_the_next_look(watch: Watched, now: Clock) -> None:
    now.move(LOOK_EVERY_S * 1.1)
    watch.turn(now())
    now.move(LOOK_S)
    assert watch.turn(now()) is None
    assert "does not say" in (watch.unseen or "")
    now.move(LOOK_EVERY_S * 1.1)
    watch.turn(now())
    assert watch.started == 2
    watch.peer.close()
    assert watch.turn(now()) is None
    assert "has ended" in (watch.unseen or "")
    now.move(LOOK_EVERY_S * 1.1)
    watch.turn(now())
    assert watch.started == 3


class Stuck:
    """A process that waits in the kernel, and dies when that lets it."""

    alive, kills = True, 0

    def kill(self) -> None:
        self.kills += 1

    def is_alive(self) -> bool:
        return self.alive

    def join(self, timeout_s: float | None = None) -> None:
        assert timeout_s is not None, "the loop would wait as long as the kernel does"


def test_a_process_that_cannot_be_killed_yet_is_not_waited_for_and_gets_no_successor(
    watch: Watched, now: Clock
) -> None:
    stuck = Stuck()
    watch._process = cast("BaseProcess", stuck)
    now.move(LOOK_EVERY_S * 1.1)
    watch.turn(now())
    now.move(LOOK_S)
    watch.turn(now())
    for _ in range(3):
        now.move(LOOK_EVERY_S * 1.1)
        watch.turn(now())
    assert (stuck.kills, watch.started) == (1, 1)
    stuck.alive = False
    watch.turn(now())
    assert watch.started == 2


def test_a_host_at_its_limits_looks_later_and_loses_no_tree(
    watch: Watched, now: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    watch.close()
    monkeypatch.setattr(watch, "_start", lambda: TableMonitor._start(watch))
    monkeypatch.setattr(spawn, "start", full)
    now.move(LOOK_EVERY_S * 1.1)
    assert watch.turn(now()) is None
    assert "No process can be started" in (watch.unseen or "")


def test_at_a_start_everything_else_than_a_good_look_is_raised(now: Clock) -> None:
    watch = Watched(now)
    watch.ask()
    watch.answer(last_word(GONE)[1])
    with pytest.raises(RowsDoNotFit):
        watch.first()
    watch.ask()
    watch.peer.close()
    with pytest.raises(WorkerCrashed, match="SNOWFLAKE_CHECK_COLUMNS=false"):
        watch.first()
