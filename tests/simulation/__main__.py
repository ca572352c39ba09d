"""Run seeds by hand: `python -m tests.simulation --seeds 10000`. One that fails prints its number and its history."""

import sys
import time
from contextlib import nullcontext

from scripts.command_line import Parser, whole
from tests.simulation.guards import distrust
from tests.simulation.processes.fiber import on_one_core
from tests.simulation.simulation import run
from tests.simulation.world import Violation


def main() -> int:
    """Exit 1 with the first seed that breaks an invariant."""
    parser = Parser("tests.simulation", __doc__)
    parser.add_argument("--seeds", type=whole(1), default=1000, metavar="N", help="how many")
    parser.add_argument("--from", type=whole(), default=0, metavar="S", dest="first", help="the first of them")
    parser.add_argument("--untrusting", action="store_true", help="leases are ignored: the fences alone have to hold")
    parser.add_argument("--rejecting", action="store_true", help="Snowflake rejects rows, and counts them late")
    chosen = parser.parse_args()
    steps, virtual_s, began_s = 0, 0.0, time.process_time()
    for seed in range(chosen.first, chosen.first + chosen.seeds):
        try:
            with distrust() if chosen.untrusting else nullcontext():
                world = run(seed, trusting=not chosen.untrusting, rejecting=chosen.rejecting)
        except Violation as violation:
            print(f"seed {seed}: {violation}")
            return 1
        steps, virtual_s = steps + world.steps, virtual_s + world.now_s
    used_s = time.process_time() - began_s
    print(
        f"{chosen.seeds} seeds from {chosen.first}: every invariant holds after each of {steps:,} steps;"
        f" {virtual_s:,.0f} s of virtual time in {used_s:.1f} s of one core:"
        f" {chosen.seeds / used_s * 60:,.0f} seeds a minute"
    )
    return 0


if __name__ == "__main__":
    with on_one_core():
        sys.exit(main())
