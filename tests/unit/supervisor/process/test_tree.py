"""The tree, turn by turn: signals, leases and exits arrive, and the tree asks something of its workers."""

import signal
from dataclasses import replace

import pytest

from shared.clock import Deadline
from shared.errors import (
    DrainTimedOut,
    EvsupError,
    LimitReached,
    OwnershipLost,
    RowsDoNotFit,
    StoppedAtOnce,
    StoreUnavailable,
    WorkerCrashed,
)
from shared.ipc.messages import TableColumns
from supervisor.ownership.lease_events import Claimed, LeasesFailed, Lost, Renewed
from supervisor.process.stop import ABORT_GRACE_S, KILL_GRACE_S, LATE_S
from tests.unit.captured_log import capture_logs
from tests.unit.supervisor.process.rig import DRAIN_S, HAND_OVER_S, TRUST_S, TreeRig, term_of

TERM, INT, USR1 = signal.SIGTERM, signal.SIGINT, signal.SIGUSR1


# --- leases -----------------------------------------------------------------------------------------------------------


def test_a_claim_starts_a_worker_with_its_term_and_trust(rig: TreeRig) -> None:
    assert rig.step(rig.claimed("0"))
    child = rig.children["0"]
    assert (child.term, child.trusted_until_s) == (term_of("0"), rig.clock() + TRUST_S)
    assert child.asked == []


def test_a_renewal_reaches_the_workers_of_its_terms_and_no_other(two: TreeRig) -> None:
    before_s = two.children["1"].trusted_until_s
    two.step(Renewed((term_of("0"), term_of("7")), 5000.0))
    assert (two.children["0"].trusted_until_s, two.children["1"].trusted_until_s) == (5000.0, before_s)


def test_a_lost_lease_aborts_its_worker_and_its_failure_is_the_cause(two: TreeRig) -> None:
    two.step(Lost(term_of("0")), Lost(term_of("7")))
    assert two.children["0"].asked == ["abort: the lease has another owner"]
    assert two.children["1"].asked == []
    two.children["0"].end(OwnershipLost("Partition 0 was given up"))
    assert two.step()
    assert isinstance(two.tree.cause, OwnershipLost)
    assert two.children["1"].asked == ["drain"]


def test_a_term_claimed_while_the_worker_of_the_lost_one_lives_is_released(two: TreeRig) -> None:
    again = replace(term_of("0"), epoch=9)
    two.step(Lost(term_of("0")), Claimed(again, 5000.0), Renewed((again,), 6000.0))
    assert two.children["0"].asked == ["abort: the lease has another owner"]
    assert two.children["0"].trusted_until_s < 5000.0
    assert two.keeper.released == [again]


def test_the_loss_of_an_earlier_term_does_not_abort_the_worker_of_the_current_one(two: TreeRig) -> None:
    two.step(Lost(replace(term_of("0"), epoch=0)))
    assert two.children["0"].asked == []


def test_a_term_whose_lease_ended_before_the_loop_learned_of_it_is_released(rig: TreeRig) -> None:
    rig.step(Claimed(term_of("0"), rig.clock()))
    assert rig.keeper.released == [term_of("0")]
    assert not rig.children


def test_leases_that_cannot_be_kept_drain_every_worker(two: TreeRig) -> None:
    failure = StoreUnavailable("The store is away")
    assert two.step(LeasesFailed(failure))
    assert two.tree.cause is failure
    assert [child.asked for child in two.children.values()] == [["drain"], ["drain"]]
    assert not two.end("0", "1")


def test_leases_that_cannot_be_kept_end_a_tree_without_workers_at_once(rig: TreeRig) -> None:
    assert not rig.step(LeasesFailed(StoreUnavailable("The store is away")))


# --- handing over -----------------------------------------------------------------------------------------------------


def test_a_partition_that_is_handed_over_drains_is_released_and_is_no_failure(two: TreeRig) -> None:
    two.balance(surplus=("1", "7"))
    assert two.children["1"].asked == ["drain"]
    assert two.children["1"].drain_deadline == Deadline.after(HAND_OVER_S, two.clock())
    assert two.tree.status.healthy
    assert two.end("1")
    assert two.keeper.released == [term_of("1")]
    assert (two.tree.cause, two.children["0"].asked, two.tree.status.healthy) == (None, [], True)


def test_a_worker_that_fails_while_it_is_handed_over_is_a_failure(two: TreeRig) -> None:
    two.balance(surplus=("1",))
    two.children["1"].end(DrainTimedOut("Partition 1 did not drain in time"))
    two.step()
    assert isinstance(two.tree.cause, DrainTimedOut)
    assert two.children["0"].asked == ["drain"]


def test_a_tree_that_stops_hands_nothing_over(two: TreeRig) -> None:
    two.step(signals=(TERM,))
    two.balance(surplus=("1",))
    assert two.children["1"].asked == ["drain"]


def test_a_claim_that_arrives_while_the_tree_stops_is_released_at_once(two: TreeRig) -> None:
    two.step(signals=(TERM,))
    two.step(two.claimed("2"))
    assert "2" not in two.children
    assert two.keeper.released == [term_of("2")]


# --- fail together ----------------------------------------------------------------------------------------------------


def test_the_first_failure_is_the_cause_and_later_ones_are_consequences(two: TreeRig) -> None:
    two.children["1"].crash("first")
    assert two.step()
    assert two.children["0"].asked == ["drain"]
    assert not two.keeper.is_claiming
    two.children["0"].crash("second")
    assert not two.step()
    assert isinstance(two.tree.cause, WorkerCrashed)
    assert two.tree.cause.what == "Partition 1: first"
    assert two.crash_reports == ["1"]
    assert two.keeper.released == [term_of("1"), term_of("0")]


def test_of_two_failures_in_one_turn_one_is_the_cause(two: TreeRig) -> None:
    for child in two.children.values():
        child.crash()
    assert not two.step()
    assert two.crash_reports == ["0"]


def test_a_table_that_rows_do_not_fit_any_more_drains_every_worker_and_the_failure_names_the_events(
    two: TreeRig,
) -> None:
    two.table.found = RowsDoNotFit("No column")
    two.step()
    assert [child.asked for child in two.children.values()] == [["drain"], ["drain"]]
    turns = two.table.turns
    two.end("0", "1")
    assert two.table.turns == turns, "a tree that stops needs no further check"
    with pytest.raises(RowsDoNotFit, match="in 0, 1"):
        two.tree.run()


def test_a_worker_is_started_with_the_columns_that_the_last_check_found(two: TreeRig) -> None:
    two.table.columns = found = TableColumns(names=("A",))
    two.claim("2")
    assert two.children["2"].columns == found


def drained(tree: TreeRig) -> None:
    """The tree's whole run, in which everything has drained."""
    tree.step(signals=(signal.SIGTERM,))
    tree.end("0", "1")
    tree.tree.run()


def test_after_a_drain_the_table_is_checked_a_last_time_and_what_that_covers_is_settled(two: TreeRig) -> None:
    two.table.checked_last = ("0", "elsewhere")
    drained(two)
    assert two.table.last_turns == 1
    assert two.keeper.settled == [term_of("0")]


def test_a_column_that_the_last_check_misses_is_the_failure_of_the_tree_and_settles_nothing(two: TreeRig) -> None:
    two.table.found_last = RowsDoNotFit("No column")
    with pytest.raises(RowsDoNotFit, match="in 0, 1"):
        drained(two)
    assert two.keeper.settled == []


def test_a_tree_that_is_stopped_at_once_checks_no_table(two: TreeRig) -> None:
    two.step(signals=(signal.SIGTERM,))
    two.step(signals=(signal.SIGTERM,))
    for child in two.children.values():
        child.crash()
    with pytest.raises(EvsupError):
        two.tree.run()
    assert two.table.last_turns == 0


def test_a_table_that_cannot_be_checked_shows_in_the_status_and_degrades_nothing(two: TreeRig) -> None:
    two.table.unseen = "No answer"
    two.step()
    assert (two.tree.status.table_unseen, two.tree.status.healthy) == ("No answer", True)


def test_the_partition_is_named_once(two: TreeRig) -> None:
    two.children["0"].crash("The channel of partition 0 could not be opened")
    two.step()
    assert two.tree.cause is not None
    assert two.tree.cause.what == "The channel of partition 0 could not be opened"


def test_a_worker_that_cannot_be_started_drains_the_others_and_its_partition_is_released(two: TreeRig) -> None:
    two.refusal = LimitReached("No worker can be started for partition 2")
    assert two.step(two.claimed("2"))
    assert two.keeper.released == [term_of("2")]
    assert [child.asked for child in two.children.values()] == [["drain"], ["drain"]]
    assert two.tree.cause is two.refusal


# --- signals ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [TERM, INT])
def test_a_signal_drains_every_worker_and_the_tree_ends_without_a_cause(two: TreeRig, number: int) -> None:
    assert two.step(signals=(number,))
    assert [child.asked for child in two.children.values()] == [["drain"], ["drain"]]
    assert not two.keeper.is_claiming
    assert two.end("0")
    assert not two.end("1")
    assert two.tree.cause is None


def test_a_signal_ends_a_tree_without_workers_at_once(rig: TreeRig) -> None:
    assert not rig.step(signals=(TERM,))


def test_sigusr1_asks_every_worker_for_its_stacks_and_changes_nothing(two: TreeRig) -> None:
    assert two.step(signals=(USR1,))
    assert [child.asked for child in two.children.values()] == [["show stacks"], ["show stacks"]]
    assert two.tree.status.state == "running"


def test_a_second_signal_aborts_at_once(two: TreeRig) -> None:
    two.step(signals=(TERM, INT))
    assert two.children["0"].asked == ["drain", "abort: a second signal came"]
    assert isinstance(two.tree.cause, DrainTimedOut)
    assert two.tree.cause.what == "The drain was cut short (partitions 0, 1)"


def test_workers_that_a_second_signal_stops_are_no_errors_and_the_log_says_so_once(two: TreeRig) -> None:
    with capture_logs() as logged:
        two.step(signals=(INT, INT))
        for child in two.children.values():
            child.end(StoppedAtOnce("The worker was aborted by the supervisor", "a second signal came"))
        assert not two.step()
    assert isinstance(two.tree.cause, DrainTimedOut)
    assert two.crash_reports == []
    assert [line["event"] for line in logged] == ["drain_started", "drain_cut_short", *["worker_stopped"] * 2]
    assert two.keeper.released == [term_of("0"), term_of("1")]


def test_a_second_signal_cuts_nothing_short_where_no_worker_runs(rig: TreeRig) -> None:
    assert not rig.step(signals=(TERM, TERM))
    assert rig.tree.cause is None


def test_a_third_signal_changes_nothing_more(two: TreeRig) -> None:
    two.step(signals=(TERM, TERM, TERM))
    assert two.children["0"].asked == ["drain", "abort: a second signal came"]


def test_the_first_signal_during_a_drain_that_a_failure_began_changes_nothing(two: TreeRig) -> None:
    two.children["0"].crash()
    two.step()
    two.step(signals=(TERM,))
    assert two.children["1"].asked == ["drain"]
    two.step(signals=(TERM,))
    assert two.children["1"].asked == ["drain", "abort: a second signal came"]
    assert isinstance(two.tree.cause, WorkerCrashed)


# --- escalating -------------------------------------------------------------------------------------------------------


def test_a_drain_that_takes_too_long_is_aborted_half_a_second_after_its_deadline(two: TreeRig) -> None:
    two.step(signals=(TERM,))
    two.step(after_s=DRAIN_S + LATE_S - 0.01)
    assert two.children["0"].asked == ["drain"]
    assert two.tree.cause is None
    two.step(after_s=0.01)
    assert two.children["0"].asked == ["drain", "abort: it took longer than 30 s"]
    assert isinstance(two.tree.cause, DrainTimedOut)


def test_a_worker_that_does_not_exit_after_an_abort_is_killed(two: TreeRig) -> None:
    two.step(signals=(TERM, TERM))
    two.end("0")
    two.step(after_s=ABORT_GRACE_S - 0.01)
    assert "kill" not in two.children["1"].asked
    assert two.step(after_s=0.01)
    assert two.children["1"].asked[-1] == "kill"
    assert "kill" not in two.children["0"].asked
    two.children["1"].crash()
    assert not two.step()
    assert isinstance(two.tree.cause, DrainTimedOut)


def test_a_worker_that_cannot_be_killed_yet_holds_up_no_end_and_its_lease_is_left_to_end_by_itself(
    two: TreeRig,
) -> None:
    two.step(signals=(TERM, TERM))
    two.end("0")
    assert two.step(after_s=ABORT_GRACE_S)
    assert two.step(after_s=KILL_GRACE_S - 0.01)
    with capture_logs() as logged:
        assert not two.step(after_s=0.01)
    assert [(line["event"], line["worker"]) for line in logged] == [("worker_left", two.children["1"].pid)]
    assert (two.keeper.released, two.keeper.forgotten) == ([term_of("0")], [term_of("1")])
    assert isinstance(two.tree.cause, DrainTimedOut)
