"""The product's modules on the stage of a simulation: what would block or be another vendor's is replaced there."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from shared import clock
from supervisor.ownership import initial_positions, lease_keeper, leases, partition_discovery
from supervisor.process import tree
from tests.simulation.processes.supervisor import Supervisor
from tests.simulation.processes.worker import WorkerProcess
from tests.simulation.services.rejections import carried_out, identified, reread
from tests.simulation.world import World
from worker import loop, opening, states
from worker.pipeline import checkpointer, pipeline, status_poll
from worker.tasks import quarantine


class Log:
    """Stands for the log of every module: the history has the product's own events."""

    def __init__(self, world: World) -> None:
        self.debug = self.info = self.warning = self.error = world.note
        self.configure = lambda *_, **__: None


@contextmanager
def staged(world: World) -> Iterator[None]:
    """As long as this lasts, the product runs in the world."""

    def worker() -> WorkerProcess:
        assert isinstance(world.running, WorkerProcess)
        return world.running

    def supervisor() -> Supervisor:
        assert isinstance(world.running, Supervisor)
        return world.running

    def background(name: str) -> Any:
        return worker().background(name)

    jumps = Random(0)  # noqa: S311 (a wall clock that is never right)
    nothing_to_wait_for = SimpleNamespace(wait=lambda *_: [])
    log = Log(world)
    replaced: dict[Any, dict[str, Any]] = {
        clock: {"random": world.rng},
        time: {"time": lambda: jumps.uniform(0, 1e9)},
        loop: {"setproctitle": _ignore, "rss_bytes": _nothing, "connection": nothing_to_wait_for},
        states: {"Background": background},
        pipeline: {},
        checkpointer: {"Background": background},
        status_poll: {"Background": background},
        opening: {"EventHubClient": lambda _: worker().hub()},
        initial_positions: {"EventHubClient": lambda _: supervisor().client()},
        quarantine: {
            "send": lambda _, order, *__: carried_out(worker(), order),
            "environment": SimpleNamespace(load_worker=lambda: worker().settings),
            "tables_of": lambda *_: worker().tables(),
            "EventHubClient": lambda _: worker().hub(),
            "reread": reread,
            "identified": identified,
        },
        tree: {
            "setproctitle": _ignore,
            "rss_bytes": _nothing,
            "connection": nothing_to_wait_for,
            "crash_report": SimpleNamespace(write=_ignore),
        },
        lease_keeper: {},
        leases: {},
        partition_discovery: {},
    }
    with pytest.MonkeyPatch.context() as patch:
        for module, names in replaced.items():
            logs = {"log": log} if hasattr(module, "log") else {}
            for name, value in (names | logs).items():
                patch.setattr(module, name, value)
        yield


def _ignore(*_: object) -> None:
    return None


def _nothing() -> int:
    return 0
