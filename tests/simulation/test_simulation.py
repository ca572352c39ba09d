"""Many supervisors, random faults, every invariant after every step; more seeds: `python -m tests.simulation`."""

import pytest

from tests.simulation.faults import FAULTS, freeze_tree_in_the_middle, jump, kill_worker
from tests.simulation.guards import distrust
from tests.simulation.simulation import INTERVAL_S, Simulation, chosen, run
from tests.simulation.stage import staged
from tests.simulation.world import Violation, World

SEEDS = range(60)
FEWER_SEEDS = range(20)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_invariant_holds_after_every_step_and_everything_recovers(seed: int) -> None:
    run(seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_rejected_row_is_ever_silent_however_late_it_is_counted(seed: int) -> None:
    """Also during kills, handovers and outages: each is in the quarantine once, and no person is needed."""
    run(seed, rejecting=True)


@pytest.mark.parametrize("seed", FEWER_SEEDS)
def test_the_fences_alone_keep_every_event_once_when_leases_are_ignored(seed: int) -> None:
    with distrust():
        run(seed, trusting=False)


@pytest.mark.parametrize("seed", FEWER_SEEDS)
def test_a_store_whose_clock_jumps_takes_leases_away_and_loses_no_event(seed: int) -> None:
    run(seed, trusting=False, faults=(jump, kill_worker, freeze_tree_in_the_middle))


@pytest.mark.parametrize("seed", FEWER_SEEDS)
def test_in_a_rolling_restart_after_the_hub_grew_no_partition_is_free_for_longer_than_a_lease(seed: int) -> None:
    """From a version that asks the hub once at its start to one that asks again and again."""
    world = World(seed)
    with staged(world):
        try:
            before, added, hosts = world.rng.randint(1, 8), world.rng.randint(1, 8), world.rng.choice((2, 3))
            settings = chosen("greedy", "-1", 40)
            group = Simulation(world, hosts, before, settings, older=range(hosts))
            world.run(20.0)
            group.grow(added)
            for host in range(hosts):
                group.supervisors[host].terminate()
                world.run(world.rng.uniform(5.0, 60.0))
            group.recover()
            assert group.invariants.longest_free_s <= max(group.expirations_s)
        finally:
            world.end()


@pytest.mark.parametrize("seed", FEWER_SEEDS)
def test_partitions_that_are_added_to_a_hub_are_claimed_within_two_balancing_rounds(seed: int) -> None:
    world = World(seed)
    with staged(world):
        try:
            group = Simulation(world, world.rng.choice((1, 2, 3)), 4, chosen("greedy", "-1", 40))
            world.run(20.0)
            group.grow(world.rng.randint(1, 8))
            world.run(2.2 * INTERVAL_S + 1.0)
            assert all(group.invariants.epoch(partition) for partition in group.partitions)
        finally:
            world.end()


def test_one_seed_gives_one_history() -> None:
    assert run(11).history == run(11).history


def test_every_fault_strikes_within_a_few_seeds() -> None:
    lines = [line for seed in range(20) for line in run(seed).history]
    assert {fields["name"] for _, _, event, fields in lines if event == "fault"} == {fault.__name__ for fault in FAULTS}
    assert {"worker_failed", "tree_failed", "checkpoint_retrying", "lease_retrying", "worker_drained"} <= {
        event for _, _, event, _ in lines
    }


def test_the_first_violation_ends_the_run_and_shows_what_came_before() -> None:
    world = World(0)
    world.after(1.0, lambda: world.note("first", p="0"))
    world.after(2.0, lambda: world.violated("I0: a test"))
    world.after(3.0, lambda: world.note("never"))
    with pytest.raises(Violation, match=r"(?s)I0: a test\n +1\.000 .*first +p=0\n +2\.000 .*VIOLATION") as raised:
        world.run(10.0)
    assert "never" not in str(raised.value)
