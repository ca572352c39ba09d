"""A group of supervisors on hosts of their own, run through faults, quiet and proof."""

from collections.abc import Collection, Sequence
from functools import partial

from msgspec.structs import replace

from shared.config.settings import Settings
from shared.control import schema
from shared.model import SupervisorRow
from supervisor.ownership.balance import shares
from tests.simulation.faults import FAULTS, Fault
from tests.simulation.invariants import Invariants
from tests.simulation.processes.process import Clock
from tests.simulation.processes.site import Site
from tests.simulation.processes.supervisor import Supervisor
from tests.simulation.services.database import Memory
from tests.simulation.services.hub import Partition
from tests.simulation.services.network import Network
from tests.simulation.services.rejections import Rejections
from tests.simulation.services.snowpipe import Channel
from tests.simulation.stage import staged
from tests.simulation.world import World
from tests.unit.plain_settings import eventhub, plain, snowflake

EXPIRATIONS_S, INTERVAL_S, COMMIT_TIMEOUT_S = (12.0, 12.0, 20.0, 40.0), 3.5, 20.0  # of each host its own
DRIFT = 0.005  # of a quartz; real ones are a hundred times better
PUBLISH_S, PUBLISHED = 1.0, 5
RESTART_S = 3.0  # what systemd waits before it starts a service again
FAULTY_S, FAULTS_AT_MOST = 25.0, 8
RECOVERY_S = 240.0  # for everything to be owned, fairly, with nothing left behind
LOOK_S = 1.0
STARVING_S = 15.0
EQUAL_IDS = 0.1  # of the seeds have two supervisors with one owner id


class Simulation:
    """`hosts` supervisors and `partitions`, from an empty control store on."""

    def __init__(
        self,
        world: World,
        hosts: int,
        partitions: int,
        settings: Settings,
        *,
        equal_ids: bool = False,
        trusting: bool = True,
        older: Collection[int] = (),
        rejecting: bool = False,
    ) -> None:
        """`older` are the hosts whose first supervisor is of a version that never asks the hub again."""
        self.world, self._settings = world, settings
        world.note("group", hosts=hosts, partitions=partitions, start=settings.eventhub.starting_position)
        self.invariants = Invariants(world, trusting=trusting)
        self._has_equal_ids, self._older, self._is_rejecting = equal_ids, set(older), rejecting
        self._is_publishing = True
        database = Memory(world, self.invariants)
        schema.create(database)
        database.audit()
        self.partitions: dict[str, Partition] = {}
        self._add(partitions)
        self.sites = [self._site(database) for _ in range(hosts)]
        self.expirations_s = [world.rng.choice(EXPIRATIONS_S) for _ in range(hosts)]
        world.note("expirations", seconds=self.expirations_s)
        self.supervisors: dict[int, Supervisor] = {}
        self._runs = 0
        for number in range(hosts):
            world.after(world.rng.uniform(0, RESTART_S), partial(self._start, number))
        world.after(PUBLISH_S, self._publish)

    # --- what happens by itself ---------------------------------------------------------------------------------------

    def _site(self, database: Memory) -> Site:
        rng = self.world.rng
        clock = Clock(self.world, rng.uniform(100, 1e6), rng.uniform(1 - DRIFT, 1 + DRIFT))
        channels = self.invariants.channels
        return Site(self.world, self.invariants, clock, Network(self.world), database, self.partitions, channels)

    def _start(self, number: int) -> None:
        self._runs += 1
        name = f"{'abcd'[number]}{self._runs}"
        owner_id = "same" if self._has_equal_ids and number < 2 else name
        me = SupervisorRow(owner_id, "host", self._runs, None, "0")
        is_older = number in self._older
        self._older.discard(number)
        supervisor = Supervisor(self.sites[number], name, me, self._settings_of(number), is_older=is_older)
        supervisor.ended = lambda: self._start_again(number)
        self.supervisors[number] = supervisor

    def _settings_of(self, number: int) -> Settings:
        source = replace(self._settings.eventhub, ownership_expiration=self.expirations_s[number])
        return replace(self._settings, eventhub=source)

    def _start_again(self, number: int) -> None:
        self.world.after(RESTART_S * self.world.rng.uniform(0.3, 1.0), lambda: self._start(number))

    def grow(self, count: int) -> None:
        """The hub has so many partitions more."""
        before = set(self.partitions)
        self._add(count)
        self.invariants.added |= self.partitions.keys() - before
        self.world.note("grown", partitions=len(self.partitions))

    def _add(self, count: int) -> None:
        for number in range(len(self.partitions), len(self.partitions) + count):
            self.partitions[str(number)] = Partition(self.world, self.invariants, str(number))
            rejections = Rejections(self.world) if self._is_rejecting else None
            self.invariants.channels[str(number)] = Channel(self.world, self.invariants, str(number), rejections)

    def _publish(self) -> None:
        for partition in self.partitions.values():
            partition.last += self.world.rng.randrange(PUBLISHED)
        if self._is_publishing:
            self.world.after(PUBLISH_S, self._publish)

    # --- faults, quiet, proof -----------------------------------------------------------------------------------------

    def suffer(self, faults: Sequence[Fault] = FAULTS) -> None:
        """Random faults, a few at a time."""
        rng = self.world.rng
        for _ in range(rng.randint(2, FAULTS_AT_MOST)):
            fault = rng.choice(faults)
            self.world.after(rng.uniform(3.0, FAULTY_S), partial(self.strike, fault))
        self.world.run(FAULTY_S + LOOK_S)

    def strike(self, fault: Fault) -> None:
        """One fault, now."""
        self.world.note("fault", name=fault.__name__)
        fault(self)

    def heal(self) -> None:
        """The last fault is over, and the last event published."""
        self._is_publishing = False
        for site in self.sites:
            site.network.heal()
        for channel in self.invariants.channels.values():
            channel.stalled_until_s = 0.0
        for process in [*self.supervisors.values(), *self.invariants.workers]:
            if process.is_frozen:
                process.thaw()
        for worker in self.invariants.workers:
            worker.stuck_until_s = 0.0

    def recover(self) -> None:
        """Until everything is as it should be; a violation when that takes too long."""
        self.heal()
        deadline_s = self.world.now_s + RECOVERY_S
        if self._has_equal_ids:  # they take each other for themselves and starve; only nothing may come twice
            self.world.run(STARVING_S)
            return
        while trouble := self._trouble():
            if self.world.now_s > deadline_s:
                self.world.violated(f"I10: {RECOVERY_S:.0f} s after the last fault {trouble}")
            self.world.run(LOOK_S)

    def _trouble(self) -> str | None:
        living = [supervisor for supervisor in self.supervisors.values() if supervisor.lives]
        holding = {one.name: sum(worker.is_running for worker in one.workers) for one in living}
        total = len(self.partitions)
        if shares(dict.fromkeys(holding, total), holding, total) != holding:
            return f"the partitions are held unevenly: {holding}"
        return next(filter(None, (self._lag(each) or self._hidden(each) for each in self.partitions)), None)

    def _hidden(self, partition: str) -> str | None:
        """I13: every rejected row is in the quarantine, once, and nothing else is."""
        rejections = self.invariants.channels[partition].rejections
        if rejections is None:
            return None
        if sorted(rejections.quarantine) != sorted(rejections.rejected & set(rejections.quarantine)):
            self.world.violated(f"I13: partition {partition} has {rejections.quarantine} in its quarantine")
        unknown = sorted(rejections.unknown)
        return f"rejected rows {unknown} of partition {partition} are nowhere" if unknown else None

    def _lag(self, partition: str) -> str | None:
        last, token = self.partitions[partition].last, self.invariants.channels[partition].token
        at = self.invariants.positions.get(partition)
        if last >= 0 and not (last == at and token in (None, last)):
            return f"partition {partition} ends at {last}, its token is {token}, its checkpoint {at}"
        return None


def run(
    seed: int,
    *,
    trusting: bool = True,
    equal_ids: bool | None = None,
    faults: Sequence[Fault] = FAULTS,
    rejecting: bool = False,
) -> World:
    """One seed, from its first claim to its proof. Raises `Violation`.

    `rejecting`: Snowflake rejects rows, and counts them late.
    """
    world = World(seed)
    with staged(world):
        try:
            simulation = drawn(world, trusting=trusting, equal_ids=equal_ids, rejecting=rejecting)
            simulation.suffer(faults)
            simulation.recover()
        finally:
            world.end()
    return world


def drawn(world: World, *, trusting: bool = True, equal_ids: bool | None = None, rejecting: bool = False) -> Simulation:
    """A group as the seed draws it: mostly small ones, for those meet their troubles sooner."""
    rng = world.rng
    hosts, partitions = rng.choice((2, 2, 2, 3, 3, 4)), rng.choice((4, 4, 4, 4, 4, 6, 8, 16))
    strategy, position = rng.choice(("greedy", "greedy", "balanced")), rng.choice(("-1", "@latest"))
    settings = chosen(strategy, position, rng.choice((12, 40, 100)), "quarantine" if rejecting else "fail")
    if equal_ids is None:
        equal_ids = rng.random() < EQUAL_IDS
    return Simulation(world, hosts, partitions, settings, equal_ids=equal_ids, trusting=trusting, rejecting=rejecting)


def chosen(strategy: str, starting_position: str, max_inflight_rows: int, on_reject: str = "fail") -> Settings:
    """The settings of every process, with short leases."""
    source = eventhub(
        ownership_expiration=EXPIRATIONS_S[0],
        load_balancing_interval=INTERVAL_S,
        load_balancing_strategy=strategy,
        starting_position=starting_position,
    )
    return plain(
        snowflake(commit_timeout=COMMIT_TIMEOUT_S, max_inflight_rows=max_inflight_rows, on_reject=on_reject), source
    )
