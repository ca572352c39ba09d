"""The product's modules on the stage of a simulation: what would block or be another vendor's is replaced there."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from random import Random
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from supervisor.ownership import initial_positions, lease_keeper, leases, partition_discovery
from supervisor.process import tree
from tests.simulation.rejections import carried_out, identified, reread
from tests.simulation.supervisor import Supervisor
from tests.simulation.worker import WorkerProcess
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
        loop: {"setproctitle": _ignore, "rss_bytes": _nothing},
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
        tree: {"setproctitle": _ignore, "rss_bytes": _nothing},
    }
    with ExitStack() as stack:
        for module, names in replaced.items():
            logs: dict[str, Any] = {"log": log} if hasattr(module, "log") else {}
            stack.enter_context(patch.multiple(module, **names, **logs))
        stack.enter_context(patch.multiple(loop, connection=nothing_to_wait_for))
        stack.enter_context(
            patch.multiple(tree, connection=nothing_to_wait_for, crash_report=SimpleNamespace(write=_ignore))
        )
        for module in (lease_keeper, leases, partition_discovery):
            stack.enter_context(patch.multiple(module, log=log))
        stack.enter_context(patch("shared.clock.random", world.rng))
        stack.enter_context(patch("time.time", lambda: jumps.uniform(0, 1e9)))
        yield


def _ignore(*_: object) -> None:
    return None


def _nothing() -> int:
    return 0
