"""A worker process: the real `Worker`, turned when something happens or a second has passed, and its guard."""

import traceback
from collections.abc import Callable
from typing import Any, cast

from shared.config.settings import Settings
from shared.control.store import ControlStore
from shared.errors import EvsupError, ExitCode, WorkerCrashed
from shared.ipc.exit_code import LEASE_OVER
from shared.ipc.messages import Failed, Lease
from shared.model import Term
from tests.simulation.processes.background import Background, Exchange
from tests.simulation.processes.pipe import End
from tests.simulation.processes.process import WOKEN_S, Process
from tests.simulation.processes.site import Site
from tests.simulation.services.hub import HubClient, SimulatedReceiver
from tests.simulation.services.network import skewed
from tests.simulation.services.rejections import Tables
from tests.simulation.services.snowpipe import LOOK_S, Handle
from tests.unit.shared.control.stores import GROUP
from worker import guard
from worker.loop import REPORT_S, Worker
from worker.partition import OwnedPartition
from worker.source.link import Position

BOOT_S = 3.0
LAST_WORD_S = 2.0
WAKING_S = 0.02


class WorkerProcess(Process):
    """From its first line to its exit code; to the supervisor it looks like a `multiprocessing` process."""

    def __init__(self, site: Site, owner: str, term: Term, lease: Lease, pipe: End, settings: Settings) -> None:
        super().__init__(site.world, f"{owner}/{term.partition_id} e{term.epoch}")
        self.site, self.term, self.exitcode = site, term, cast("int | None", None)
        self.pid, self.sentinel = self.world.new_pid(), 0
        self.stuck_until_s = 0.0
        self.worker: Worker | None = None
        self._lease, self._pipe, self.settings = lease, pipe, settings
        self._turn_number, self._is_leaving = 0, False
        site.invariants.workers.append(self)
        self.after(0.2 + skewed(self.world.rng, BOOT_S), self._boot)

    # --- as the supervisor sees it ------------------------------------------------------------------------------------

    def is_alive(self) -> bool:
        return self.lives

    def kill(self) -> None:
        if self.lives:
            self._end(-9)

    def join(self) -> None:
        """It has ended."""

    # --- as the observer sees it --------------------------------------------------------------------------------------

    @property
    def trusts_until_s(self) -> float:
        """On the world's clock."""
        return self.site.clock.in_world_s(self._trusted_until_s)

    @property
    def _trusted_until_s(self) -> float:
        return self.worker.trusted_until_s if self.worker else self._lease.trusted_until_s

    @property
    def is_on_its_way_out(self) -> bool:
        """Whether it could not end itself so far, because it was stopped."""
        return self.is_frozen or self.world.now_s - self.continued_s < WOKEN_S + guard.CHECK_S

    @property
    def is_running(self) -> bool:
        """Whether it moves events."""
        return self.lives and self.worker is not None and self.worker.state.name == "running"

    # --- what it runs -------------------------------------------------------------------------------------------------

    def background(self, name: str) -> Background[Any]:
        """In place of a `worker.pipeline.background.Background`."""
        match name:
            case "status":
                return Exchange(self, self.wake, lambda: LOOK_S * self.world.rng.random())
            case "checkpoint":
                return Exchange(self, self.wake, self.site.network.delay_s)
            case _:
                return Background(self, self.wake)

    def source(self, partition_id: str, level: int, position: Position) -> SimulatedReceiver:
        """In place of a `worker.source.receiver.Receiver`."""
        return SimulatedReceiver(self.site.partition(partition_id), self, self.term.epoch, level, position)

    def hub(self) -> HubClient:
        """In place of a `shared.eventhubs.client.EventHubClient`."""
        return HubClient(self, self.site.partition)

    def tables(self) -> Tables:
        """In place of both tables in Snowflake."""
        rejections = self.site.channel(self.term.partition_id).rejections
        assert rejections
        return Tables(self, rejections)

    def wake(self) -> None:
        """Something can be taken: turn soon."""
        self._turn_in(self.world.rng.random() * WAKING_S)

    def _boot(self) -> None:
        self.worker = Worker(SimulatedPartition(self), self._lease, self._pipe, self.site.clock)
        self._watch()
        self._turn_in(0)

    def _run(self, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception as error:  # noqa: BLE001 (the failure message of this process)
            self._fail(error)

    def _turn_in(self, delay_s: float) -> None:
        """One turn is due at a time: a new one takes the place of the last."""
        self._turn_number += 1
        number = self._turn_number
        self.after(delay_s, lambda: self._turn(number))

    def _turn(self, number: int) -> None:
        if number != self._turn_number or self._is_leaving:
            return
        if self.world.now_s < self.stuck_until_s:
            self._turn_in(self.stuck_until_s - self.world.now_s)
        else:
            self._run(self._step)

    def _step(self) -> None:
        assert self.worker
        is_drained = self.worker.step()
        pipeline = self.worker.state.pipeline
        self.site.invariants.turned(self, pipeline.counters if pipeline else None)
        if is_drained:
            self.worker.leave()
            self._leave(0.1, ExitCode.OK)
        else:
            self._turn_in(REPORT_S * self.world.rng.uniform(0.9, 1.0))

    def _fail(self, error: Exception) -> None:
        """As `worker.main` does: send the failure message, and exit within the time for it."""
        if not isinstance(error, EvsupError):
            self.world.violated("".join(traceback.format_exception(error)))
        known = error if isinstance(error, EvsupError) else WorkerCrashed(str(error))
        self.world.note("worker_failed", error=type(known).__name__, reason=str(known))
        self._pipe.send(Failed(error=type(known).__name__, what=known.what, why=known.why, fix=known.fix))
        self._leave(skewed(self.world.rng, LAST_WORD_S), known.exit_code)

    def _watch(self) -> None:
        """The guard's thread, at the times at which it could find something."""
        if guard.is_overdue(self.site.clock(), self._trusted_until_s):
            self._guarded()
        else:
            overdue_s = self.trusts_until_s + guard.LEASE_GRACE_S - self.world.now_s
            self.after(overdue_s + guard.CHECK_S * self.world.rng.random() + 1e-3, self._watch)

    def _guarded(self) -> None:
        self._end(LEASE_OVER)

    def _leave(self, delay_s: float, code: int) -> None:
        self._is_leaving = True
        self.after(delay_s, lambda: self._end(code))

    def _end(self, code: int) -> None:
        self.exitcode = int(code)
        self.world.note("worker_exited", worker=self.name, code=self.exitcode)
        self._pipe.close()
        self.die()
        self.site.invariants.workers.remove(self)


class SimulatedPartition(OwnedPartition):
    """Its receiver, channel and store are the world's."""

    def __init__(self, process: WorkerProcess) -> None:
        self._process = process
        channel: Any = Handle(process, process.site.channel(process.term.partition_id), process.term.epoch)
        store = ControlStore(process.site.wire(process), GROUP, process.settings.eventhub.ownership_expiration)
        super().__init__(process.settings, process.term, channel, store)

    def source(self, position: Position) -> SimulatedReceiver:
        """A receiver in the world."""
        return self._process.source(self.term.partition_id, self.term.epoch, position)
