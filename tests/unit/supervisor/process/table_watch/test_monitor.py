"""A table that rows no longer fit ends the tree and names the events to read again; a failed check ends nothing."""

import errno
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import connection, get_context

import pytest
from msgspec import Struct
from msgspec.structs import replace

from shared.clock import Deadline
from shared.errors import EvsupError, NotPermitted, RowsDoNotFit, SnowflakeUnavailable, WorkerCrashed, WorkerKilled
from shared.ipc import spawn
from shared.ipc.failure import failure_message
from shared.ipc.messages import (
    CheckTable,
    TableColumns,
    TableFits,
    TableReport,
)
from shared.ipc.pipe import MessagePipe
from supervisor.process.table_watch.monitor import CHECK_EVERY_S, CHECK_S, TableMonitor
from tests.unit.shared.control.stores import Clock
from tests.unit.supervisor.process.rig import StandInProcess
from tests.unit.supervisor.process.table_watch.rig import GONE, Worker


def of(*names: str) -> TableColumns:
    """These columns, all of one type."""
    return TableColumns(names=names, order=tuple((name, "VARCHAR") for name in names))


def fits(names: str) -> TableFits:
    """A table that is right, with a column for each letter."""
    return TableFits(doubts=(), columns=of(*names))


class Probes:
    """Starts stand-ins of the process that checks the table; the newest one answers what a test says."""

    def __init__(self) -> None:
        self.started: list[StandInProcess] = []

    def start(self) -> tuple[StandInProcess, MessagePipe[TableReport]]:
        """In place of `probe.start`."""
        self.started.append(StandInProcess())
        ours, theirs = get_context("spawn").Pipe(duplex=True)
        self.newest: MessagePipe[CheckTable] = MessagePipe(theirs, CheckTable)
        return self.started[-1], MessagePipe(ours, TableReport)

    def answer_when_asked(self, message: Struct) -> None:
        connection.wait([self.newest.fileno()])
        self.answer(message)

    def answer(self, message: Struct) -> None:
        assert self.newest.receive(), "a check was requested"
        self.newest.send(message)

    def exit(self, code: int) -> None:
        """Let the newest one exit, without an answer."""
        self.started[-1].code = code
        self.newest.close()


@pytest.fixture
def now() -> Clock:
    return Clock()


@pytest.fixture
def probes() -> Iterator[Probes]:
    made = Probes()
    yield made
    for process in made.started:
        process.close()


@pytest.fixture
def monitor(now: Clock, probes: Probes) -> Iterator[TableMonitor]:
    """One whose first check found the table right."""
    made = TableMonitor(now, probes.start)
    made.ask()
    probes.answer(TableFits(doubts=("narrow",), columns=of()))
    assert made.first_result() == ("narrow",)
    yield made
    made.close()


def follow(monitor: TableMonitor, **workers: Worker) -> None:
    monitor.follow({name.removeprefix("p"): worker for name, worker in workers.items()})


def check(
    monitor: TableMonitor, probes: Probes, now: Clock, answer: Struct | None = None, **workers: Worker
) -> RowsDoNotFit | None:
    """Let the next check be made, with this answer or a table that is right; what it finds."""
    children = {name.removeprefix("p"): worker for name, worker in workers.items()}
    now.move(CHECK_EVERY_S * 1.1)
    monitor.turn(children, now())
    probes.answer(answer or TableFits(doubts=(), columns=of()))
    try:
        monitor.turn(children, now())
    except RowsDoNotFit as error:
        return error
    return None


def test_the_next_check_is_requested_within_half_a_minute_and_not_before_an_answer(
    monitor: TableMonitor, probes: Probes, now: Clock
) -> None:
    monitor.turn({}, now())
    assert not probes.newest.receive()
    now.move(CHECK_EVERY_S * 1.1)
    monitor.turn({}, now())
    assert len(probes.newest.receive()) == 1
    now.move(CHECK_EVERY_S)
    monitor.turn({}, now())
    assert not probes.newest.receive()


def test_the_events_since_the_last_good_check_are_named_with_their_replay(
    monitor: TableMonitor, probes: Probes, now: Clock
) -> None:
    follow(monitor, p0=Worker(19, 25), p1=Worker(None, 12))
    assert check(monitor, probes, now) is None
    follow(monitor, p0=Worker(40, 45), p1=Worker(11, 12))
    found = check(monitor, probes, now, failure_message(GONE))
    assert isinstance(found, RowsDoNotFit)
    follow(monitor, p0=Worker(45, 45, drained=50))  # five were appended between its last report and the drain
    error = monitor.located(found)
    assert "events 20 to 50 of partition 0; events 10 to 12 of partition 1" in error.why
    assert "`evsup replay --partition 0 --from 20 --to 50`" in error.fix
    assert error.exit_code == 78


def test_a_column_that_is_added_is_known_and_one_that_is_lost_ends_the_tree(
    monitor: TableMonitor, probes: Probes, now: Clock
) -> None:
    for names in ("AB", "ABC"):
        assert check(monitor, probes, now, fits(names)) is None
        assert monitor.columns == of(*names)
    error = check(monitor, probes, now, fits("BD"))
    assert error
    assert error.why == "there is no column A, C any more"
    assert "_EVSUP:unknown" in error.fix


def test_a_table_of_another_creation_stops_the_tree_although_it_has_the_same_columns(
    monitor: TableMonitor, probes: Probes, now: Clock
) -> None:
    then, later = (
        TableFits(doubts=(), columns=replace(of("A"), created=time)) for time in ("2026-01-30", "2026-01-31")
    )
    assert check(monitor, probes, now, then) is None
    assert check(monitor, probes, now, then) is None
    replaced = check(monitor, probes, now, later)
    assert replaced
    assert "created at 2026-01-31, and rows were loaded into one that was created at 2026-01-30" in replaced.why


def test_a_worker_knows_up_to_where_the_table_was_right(monitor: TableMonitor, probes: Probes, now: Clock) -> None:
    worker = Worker(20, 25)
    follow(monitor, p0=worker, p1=Worker(7, 7))
    check(monitor, probes, now, p0=worker)
    monitor.turn({"0": worker}, now())
    assert worker.reported == [20], "once, and nothing of a partition that is no longer here"


def test_every_worker_knows_the_columns_that_the_last_check_found_when_they_have_changed(
    monitor: TableMonitor, probes: Probes, now: Clock
) -> None:
    workers = {"p0": Worker(9, 9), "p1": Worker(9, 9)}
    for names in ("A", "A", "AB"):
        check(monitor, probes, now, fits(names), **workers)
    assert [worker.reported for worker in workers.values()] == [[("A",), ("A", "B")]] * 2


def test_the_last_check_covers_what_became_durable_after_the_one_before_it_was_requested(
    monitor: TableMonitor, probes: Probes, now: Clock
) -> None:
    follow(monitor, p0=Worker(19, 25))
    now.move(CHECK_EVERY_S * 1.1)
    monitor.turn({}, now())  # requests a check
    follow(monitor, p0=Worker(25, 25, drained=25))
    with ThreadPoolExecutor() as answering:
        for _ in range(2):
            answering.submit(probes.answer_when_asked, fits(""))
        assert {*monitor.last_turn(Deadline.after(5.0, now()))} == {"0"}
    assert "no event was loaded since" in monitor.located(GONE).why


def test_a_last_check_that_finds_a_column_lost_says_so_and_one_without_an_answer_settles_nothing(
    monitor: TableMonitor, probes: Probes, now: Clock
) -> None:
    assert check(monitor, probes, now, fits("AB")) is None
    follow(monitor, p0=Worker(25, 25, drained=25))
    with ThreadPoolExecutor() as answering:
        answering.submit(probes.answer_when_asked, fits("A"))
        with pytest.raises(RowsDoNotFit, match="there is no column B any more"):
            monitor.last_turn(Deadline.after(5.0, now()))
    probes.exit(1)
    assert not monitor.last_turn(Deadline.after(5.0, now()))


def test_a_last_check_misses_no_column_where_every_row_was_loaded_before(
    monitor: TableMonitor, probes: Probes, now: Clock
) -> None:
    follow(monitor, p0=Worker(25, 25, drained=25))
    assert check(monitor, probes, now, fits("AB")) is None
    with ThreadPoolExecutor() as answering:
        answering.submit(probes.answer_when_asked, fits("A"))
        assert not monitor.last_turn(Deadline.after(5.0, now()))


@pytest.mark.parametrize("error", [SnowflakeUnavailable("No answer"), NotPermitted("No grant")])
def test_a_check_that_fails_ends_nothing_and_is_reported_until_one_succeeds(
    monitor: TableMonitor, probes: Probes, now: Clock, error: Exception
) -> None:
    for answer, unseen in ((failure_message(error), str(error)), (TableFits(doubts=(), columns=of()), None)):
        assert check(monitor, probes, now, answer) is None
        assert monitor.unseen == unseen


def test_a_process_that_does_not_answer_or_has_exited_is_replaced_at_the_next_check(
    monitor: TableMonitor, probes: Probes, now: Clock
) -> None:
    now.move(CHECK_EVERY_S * 1.1)
    monitor.turn({}, now())
    now.move(CHECK_S)
    monitor.turn({}, now())
    assert "does not say" in (monitor.unseen or "")
    now.move(CHECK_EVERY_S * 1.1)
    monitor.turn({}, now())
    assert len(probes.started) == 2
    probes.exit(-signal.SIGKILL)
    monitor.turn({}, now())
    assert "was killed by SIGKILL" in (monitor.unseen or "")
    now.move(CHECK_EVERY_S * 1.1)
    monitor.turn({}, now())
    assert len(probes.started) == 3


def test_a_process_that_cannot_be_killed_yet_is_not_waited_for_and_gets_no_successor(
    monitor: TableMonitor, probes: Probes, now: Clock
) -> None:
    (stuck,) = probes.started
    stuck.is_stuck = True
    now.move(CHECK_EVERY_S * 1.1)
    monitor.turn({}, now())
    now.move(CHECK_S)
    monitor.turn({}, now())
    for _ in range(3):
        now.move(CHECK_EVERY_S * 1.1)
        monitor.turn({}, now())
    assert (stuck.kills, len(probes.started)) == (1, 1)
    stuck.code = -9
    monitor.turn({}, now())
    assert len(probes.started) == 2


def test_a_host_at_its_limits_checks_later_and_loses_no_tree(now: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(spawn, "start", full)
    monitor = TableMonitor(now)
    monitor.turn({}, now())
    assert "No process can be started" in (monitor.unseen or "")


@pytest.mark.parametrize("can_opt_out", [True, False])
def test_a_start_names_the_way_around_the_check_only_where_there_is_one(
    now: Clock, probes: Probes, can_opt_out: bool
) -> None:
    monitor = TableMonitor(now, probes.start, can_opt_out=can_opt_out)
    monitor.ask()
    probes.answer(failure_message(SnowflakeUnavailable("No answer")))
    with pytest.raises(SnowflakeUnavailable) as error:
        monitor.first_result()
    assert ("SNOWFLAKE_CHECK_COLUMNS" in error.value.fix) == can_opt_out


def test_at_a_start_anything_but_a_good_check_is_raised(now: Clock, probes: Probes) -> None:
    monitor = TableMonitor(now, probes.start)
    monitor.ask()
    probes.answer(failure_message(GONE))
    with pytest.raises(RowsDoNotFit):
        monitor.first_result()


@pytest.mark.parametrize(("code", "failure"), [(1, WorkerCrashed), (-signal.SIGKILL, WorkerKilled)])
def test_a_process_that_exits_before_the_first_check_says_why(
    now: Clock, probes: Probes, code: int, failure: type[EvsupError]
) -> None:
    monitor = TableMonitor(now, probes.start)
    monitor.ask()
    probes.exit(code)
    with pytest.raises(failure, match="SNOWFLAKE_CHECK_COLUMNS=false"):
        monitor.first_result()
