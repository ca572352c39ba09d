"""A supervisor process: the real `Tree`, `Child` and `LeaseKeeper`, with the keeper's thread on a fiber."""

import queue
import signal
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.config.settings import Settings
from shared.control.store import ControlStore
from shared.errors import EvsupError, ExitCode, ServiceUnavailable, SourceUnavailable
from shared.ipc.messages import Lease
from shared.model import HubFacts, SupervisorRow, Term
from supervisor.ownership.initial_positions import record_initial_positions
from supervisor.ownership.lease_keeper import Job, Jobs, LeaseKeeper
from supervisor.ownership.leases import Leases
from supervisor.ownership.partition_discovery import PartitionDiscovery
from supervisor.process.child import Child
from supervisor.process.signals import SignalInbox
from supervisor.process.stderr_relay import StderrRelay
from supervisor.process.tree import RELEASE_S, Tree
from supervisor.process.worker_process import WorkerProcess as StartedWorker
from supervisor.status.model import TreeStatus
from tests.harness.versions.older_supervisor import OlderLeases
from tests.simulation.processes.pipe import pipe
from tests.simulation.processes.process import Process, Sleep
from tests.simulation.processes.site import Site
from tests.simulation.processes.worker import WorkerProcess
from tests.simulation.services.hub import CREATED_S, HubClient
from tests.unit.shared.control.stores import GROUP

if TYPE_CHECKING:
    from collections.abc import Callable

DRAIN_S = 8.0
HAND_OVER_S = 20.0
TURN_S = 1.0
ORPHANED_S = 0.1
PASSING = (ExitCode.OK, ExitCode.UNAVAILABLE, ExitCode.TEMPORARY)


class Signals(SignalInbox):
    """Signals that a simulation sends."""

    def __init__(self) -> None:
        self.sent: deque[int] = deque()

    def fileno(self) -> int:
        return 0

    def receive(self) -> list[int]:
        return [self.sent.popleft() for _ in range(len(self.sent))]


class FiberJobs(Jobs):
    """The keeper's queue: `get` waits on the keeper's fiber."""

    def __init__(self, process: Process) -> None:
        self._process, self._jobs = process, deque[Job | None]()
        self._sleep: Sleep | None = None

    def put(self, job: Job | None) -> None:
        self._jobs.append(job)
        if self._sleep:
            self._sleep.wake()

    def get(self, block: bool = True, timeout: float | None = None) -> Job | None:
        if not self._jobs:
            self._sleep = Sleep(self._process, timeout or 0.0)
            self._sleep.enter()
            self._sleep = None
        if not self._jobs:
            raise queue.Empty
        return self._jobs.popleft()


class Supervisor(Process):
    """One run of `evsup start`, from its first claim to its exit code."""

    def __init__(self, site: Site, name: str, me: SupervisorRow, settings: Settings, *, is_older: bool = False) -> None:
        super().__init__(site.world, name)
        self.site, self.me, self.settings = site, me, settings
        self.signals = Signals()
        self.exit_code: int | None = None
        self.ended: Callable[[], None] = lambda: None
        self.started: list[WorkerProcess] = []
        self.store = store = ControlStore(site.wire(self), GROUP, settings.eventhub.ownership_expiration)
        partition_ids = tuple(site.partitions)
        self._known = HubFacts(partition_ids, CREATED_S)
        leases = (OlderLeases if is_older else Leases)(store, me, partition_ids, settings.eventhub, site.clock)
        self._jobs = FiberJobs(self)
        self.keeper = LeaseKeeper(leases, site.clock, self._jobs)
        self.hub = PartitionDiscovery(
            self._ask,
            self._known,
            settings.eventhub.load_balancing_interval,
            self.keeper.learn,
            lambda: leases.group_size,
            site.clock,
        )
        identity = _identity(me, partition_ids)
        self.tree = Tree(
            identity,
            self.signals,
            self.keeper,
            self.hub,
            Path(),
            DRAIN_S,
            HAND_OVER_S,
            site.clock,
            make_child=self._make_child,
        )
        self.start(self._keep)
        if not is_older:
            self.after(settings.eventhub.load_balancing_interval, self._watch)
        self.after(0, self._turn)

    @property
    def workers(self) -> list[WorkerProcess]:
        """Those that live."""
        self.started = [worker for worker in self.started if worker.lives]
        return self.started

    def terminate(self) -> None:
        """SIGTERM."""
        self.signals.sent.append(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL: the kernel sends it to the workers, too."""
        self.exit_code = -9
        self.die()

    def die(self) -> None:
        super().die()
        self.world.note("supervisor_ended", supervisor=self.name, code=self.exit_code)
        for worker in self.workers:
            self.world.after(self.world.rng.random() * ORPHANED_S, worker.kill)
        self.ended()

    def _make_child(self, term: Term, trusted_until_s: float, now_s: float, *_: object) -> Child:
        return Child(term, trusted_until_s, now_s, start=self._start_worker)

    def _start_worker(self, term: Term, trusted_until_s: float, _: object) -> StartedWorker:
        ours, theirs = pipe()
        lease = Lease(trusted_until_s=trusted_until_s)
        worker = WorkerProcess(self.site, self.name, term, lease, theirs, self.settings)
        self.started.append(worker)
        process: Any = worker
        return SimulatedWorker(process, ours, Silent())

    def client(self) -> HubClient:
        """In place of a `shared.eventhubs.client.EventHubClient`."""
        return HubClient(self, self.site.partition)

    def _keep(self) -> None:
        try:
            record_initial_positions(self.store, self.settings.eventhub, self._known)
        except ServiceUnavailable as error:
            self._end(error.exit_code)
            return
        self.keeper.run()
        self._exit()

    def _watch(self) -> None:
        """The watch's thread; how long the hub takes to answer makes no difference to anybody else."""
        self.after(self.hub.step(), self._watch)

    def _ask(self) -> HubFacts:
        if not self.site.network.reaches_hub:
            raise SourceUnavailable("The event hub cannot be read", "no answer")
        return HubFacts(tuple(self.site.partitions), CREATED_S)

    def _turn(self) -> None:
        if self.tree.step():
            self._require_all_children()
            self.after(TURN_S * self.world.rng.uniform(0.8, 1.0), self._turn)
            return
        self._jobs.put(None)
        self.after(RELEASE_S, self._exit)

    def _require_all_children(self) -> None:
        followed = {row.pid for row in self.tree.status.partitions}
        for worker in self.workers:
            if worker.pid not in followed:
                self.world.violated(f"{worker.name} lives and its supervisor does not know it")

    def _exit(self) -> None:
        cause = self.tree.cause
        self._end(cause.exit_code if cause else ExitCode.OK, cause)

    def _end(self, code: int, cause: EvsupError | None = None) -> None:
        if not self.lives:
            return
        self.exit_code = int(code)
        if self.exit_code not in PASSING:
            self.world.violated(f"{self.name} wants a person although nothing is wrong: {cause}")
        self.die()


class SimulatedWorker(StartedWorker):
    """A worker whose process is simulated, and writes no stacks."""

    def show_stacks(self) -> None: ...


class Silent(StderrRelay):
    """A stderr to which nothing is written."""

    def __init__(self) -> None:
        self.lines, self.stacks = deque(), deque()

    @property
    def closed(self) -> bool:
        return True

    def read(self, *, are_stacks: bool) -> None: ...

    def close(self) -> None: ...


def _identity(me: SupervisorRow, partition_ids: tuple[str, ...]) -> TreeStatus:
    return TreeStatus(
        host=me.host,
        pid=me.pid,
        owner_id=me.owner_id,
        evsup=me.version,
        source="ns/flights",
        consumer_group="$Default",
        target="table",
        store="memory",
        partitions_total=len(partition_ids),
    )
