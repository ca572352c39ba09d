"""Many supervisors, random faults, every invariant after every step; more seeds: `python -m tests.simulation`."""

import pytest

from tests.simulation.faults import FAULTS, freeze_tree_in_the_middle, jump, kill_worker
from tests.simulation.guards import distrust
from tests.simulation.simulation import run
from tests.simulation.world import Violation, World

SEEDS = range(60)
FEWER_SEEDS = range(20)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_invariant_holds_after_every_step_and_everything_recovers(seed: int) -> None:
    run(seed)


@pytest.mark.parametrize("seed", FEWER_SEEDS)
def test_the_fences_alone_keep_every_event_once_when_nobody_minds_its_lease(seed: int) -> None:
    with distrust():
        run(seed, trusting=False)


@pytest.mark.parametrize("seed", FEWER_SEEDS)
def test_a_store_whose_clock_jumps_takes_leases_away_and_loses_no_event(seed: int) -> None:
    run(seed, trusting=False, faults=(jump, kill_worker, freeze_tree_in_the_middle))


def test_one_seed_gives_one_history() -> None:
    assert run(11).history == run(11).history


def test_every_fault_strikes_within_a_few_seeds() -> None:
    told = [line for seed in range(20) for line in run(seed).history]
    assert {fields["name"] for _, _, event, fields in told if event == "fault"} == {fault.__name__ for fault in FAULTS}
    assert {"worker_failed", "tree_failed", "checkpoint_retrying", "lease_retrying", "worker_drained"} <= {
        event for _, _, event, _ in told
    }


def test_the_first_violation_ends_the_run_and_tells_what_came_before() -> None:
    world = World(0)
    world.after(1.0, lambda: world.note("first", p="0"))
    world.after(2.0, lambda: world.violated("I0: a test"))
    world.after(3.0, lambda: world.note("never"))
    with pytest.raises(Violation, match=r"(?s)I0: a test\n +1\.000 .*first +p=0\n +2\.000 .*VIOLATION") as raised:
        world.run(10.0)
    assert "never" not in str(raised.value)
