"""Faults of processes: killed, stopped and continued, asked to stop."""

import os
import signal
from collections.abc import Callable
from contextlib import suppress

from scripts.chaos.faults.fault import Fault, nothing
from scripts.chaos.faults.schedule import Strike
from scripts.chaos.scene.limits import BRISK
from scripts.chaos.scene.scene import Scene
from scripts.chaos.scene.unit import Unit
from scripts.harness.marker import process_state

STOPPED = "T"
PAST_LEASE_S = (BRISK.expiration_s + 1.0, BRISK.expiration_s + 3.0)
HANGS_S = (1.0, 14.0)  # on both sides of the three heartbeats after which a worker is taken for hung


def _of_unit(name: str, hit: Callable[[Unit], None]) -> Fault:
    """A fault that hits a supervisor while it runs."""

    def strike(scene: Scene, strike: Strike) -> bool:
        unit = scene.units[strike.unit]
        if unit.is_running:
            hit(unit)
            scene.struck[name] += 1
            return True
        return False

    return Fault(name, strike, lambda scene: scene.struck[name])


def _frozen(name: str, *, group: bool) -> Fault:
    """A supervisor, or its whole tree, that stands still until its leases have run out."""

    def mend(scene: Scene, strike: Strike) -> None:
        scene.units[strike.unit].thaw(group=group)

    struck = _of_unit(name, lambda unit: unit.freeze(group=group))
    return Fault(name, struck.strike, struck.fired, mend, PAST_LEASE_S)


def _of_worker(
    name: str,
    number: signal.Signals,
    mend: Callable[[Scene, Strike], None] = nothing,
    lasts_s: tuple[float, float] = (0.0, 0.0),
) -> Fault:
    """A signal to the worker of the strike's partition."""

    def strike(scene: Scene, strike: Strike) -> bool:
        if worker := scene.worker(strike.partition):
            with suppress(ProcessLookupError):
                os.kill(worker.pid, number)
                scene.struck[name] += 1
                return True
        return False

    return Fault(name, strike, lambda scene: scene.struck[name], mend, lasts_s)


def _continue_workers(scene: Scene, _strike: Strike) -> None:
    """Wake every stopped worker of a tree that is not to stand still as a whole."""
    for unit in scene.units:
        for row in unit.workers().values():
            if process_state(row.pid) == STOPPED:
                with suppress(ProcessLookupError):  # the supervisor may kill it at this moment
                    os.kill(row.pid, signal.SIGCONT)


def _twice(unit: Unit) -> None:
    unit.send(signal.SIGTERM)
    unit.send(signal.SIGINT)


HOST_KILLED = _of_unit("all processes killed", lambda unit: unit.send(signal.SIGKILL, group=True))
PROCESS_FAULTS = (
    _of_worker("worker killed", signal.SIGKILL),
    _of_worker("worker frozen", signal.SIGSTOP, _continue_workers, HANGS_S),
    _of_unit("supervisor killed", lambda unit: unit.send(signal.SIGKILL)),
    _frozen("supervisor frozen past its lease", group=False),
    _frozen("tree frozen past its lease", group=True),
    _of_unit("SIGTERM", lambda unit: unit.send(signal.SIGTERM)),
    _of_unit("SIGTERM and SIGINT", _twice),
    _of_unit("SIGINT to the group", lambda unit: unit.send(signal.SIGINT, group=True)),
)
