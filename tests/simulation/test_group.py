"""The simulation, driven by hypothesis: what fails shrinks to the shortest history that still fails."""

from contextlib import ExitStack

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from supervisor.ownership.lease_keeper import LeaseKeeper
from tests.simulation.faults import FAULTS, Fault
from tests.simulation.guards import released_at_once, replaced
from tests.simulation.simulation import Simulation, chosen
from tests.simulation.stage import staged
from tests.simulation.world import Violation, World

POSITIONS = ("-1", "@latest")
FEW = settings(max_examples=15, stateful_step_count=10, suppress_health_check=list(HealthCheck), database=None)
SOON = settings(FEW, max_examples=5, derandomize=True, phases=[Phase.generate, Phase.shrink])


class Group(RuleBasedStateMachine):
    """A group of supervisors: time passes, faults strike; at the end it has to recover."""

    simulation: Simulation

    def __init__(self) -> None:
        super().__init__()
        self._stage = ExitStack()
        self._is_broken = True
        """Not begun, or beyond repair."""

    @initialize(
        seed=st.integers(0, 9),
        hosts=st.integers(2, 4),
        partitions=st.integers(4, 16),
        position=st.sampled_from(POSITIONS),
    )
    def begin(self, seed: int, hosts: int, partitions: int, position: str) -> None:
        world = World(seed)
        self._stage.callback(world.end)
        self._stage.enter_context(staged(world))
        self.simulation = Simulation(world, hosts, partitions, chosen("greedy", position, 12))
        self.wait(5.0)

    @rule(seconds=st.sampled_from((0.1, 1.0, 5.0, 13.0)))
    def wait(self, seconds: float) -> None:
        self._is_broken = True
        self.simulation.world.run(seconds)
        self._is_broken = False

    @rule(fault=st.sampled_from(FAULTS))
    def strike(self, fault: Fault) -> None:
        self.simulation.strike(fault)

    def teardown(self) -> None:
        with self._stage:
            if not self._is_broken:
                self.simulation.recover()


def test_whatever_happens_in_whatever_order_every_invariant_holds() -> None:
    run_state_machine_as_test(Group, settings=FEW)


def test_a_failure_shrinks_to_a_short_history() -> None:
    with replaced(LeaseKeeper, "receive", released_at_once)(), pytest.raises(Violation, match="I5") as raised:
        run_state_machine_as_test(Group, settings=SOON)
    history = "\n".join(raised.value.__notes__)
    assert history.count("state.") <= 6, history
