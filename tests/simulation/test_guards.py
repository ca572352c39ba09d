"""That the simulation can see: without any one of the product's guards it finds a violation."""

import re
from contextlib import nullcontext

import pytest

from tests.simulation.guards import GUARDS, Guard, distrust
from tests.simulation.simulation import run
from tests.simulation.world import Violation

SEEDS = 300  # within which a missing guard shows


def first_violation(guard: Guard) -> str:
    for seed in range(guard.first_seed, guard.first_seed + SEEDS):
        try:
            run(
                seed, trusting=guard.trusting, equal_ids=guard.equal_ids, faults=guard.faults, rejecting=guard.rejecting
            )
        except Violation as violation:
            return str(violation)
    return "nothing was found"


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name.replace(" ", "-"))
def test_the_simulation_sees_that_a_guard_is_missing(guard: Guard) -> None:
    with nullcontext() if guard.trusting else distrust(), guard.removed():
        assert re.match(guard.breaks, first_violation(guard))
