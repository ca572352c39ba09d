"""The faults that a simulation injects: each strikes one place, and most of them end by themselves."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from tests.simulation.processes.process import Process

if TYPE_CHECKING:
    from tests.simulation.processes.site import Site
    from tests.simulation.processes.supervisor import Supervisor
    from tests.simulation.processes.worker import WorkerProcess
    from tests.simulation.simulation import Simulation

LASTS_S = 20.0
SLOW_S = 8.0
GROWTH = 4
MOVES = 12  # things that a worker begins in about a second


def freeze_tree(at: "Simulation") -> None:
    """SIGSTOP to a whole process group, SIGCONT after a while."""
    if supervisor := _supervisor(at):
        _freeze(at, supervisor, *supervisor.workers)


def freeze_tree_in_the_middle(at: "Simulation") -> None:
    """SIGSTOP to a whole process group in the middle of a worker's turn, for longer than a lease."""
    if worker := _worker(at):
        owner = next(each for each in at.supervisors.values() if worker in each.workers)
        lasts_s = at.world.rng.uniform(LASTS_S / 2, 1.5 * LASTS_S)
        worker.ambush(at.world.rng.randrange(MOVES), lambda: _freeze(at, owner, *owner.workers, lasts_s=lasts_s))


def freeze_supervisor(at: "Simulation") -> None:
    """SIGSTOP to a supervisor alone."""
    if supervisor := _supervisor(at):
        _freeze(at, supervisor)


def freeze_worker(at: "Simulation") -> None:
    """SIGSTOP to one worker."""
    if worker := _worker(at):
        _freeze(at, worker)


def stick_worker(at: "Simulation") -> None:
    """A worker's loop is in a call that does not return; its other threads run."""
    if worker := _worker(at):
        at.world.note("stuck", worker=worker.name)
        worker.stuck_until_s = at.world.now_s + _lasts_s(at)


def kill_worker(at: "Simulation") -> None:
    """SIGKILL to one worker."""
    if worker := _worker(at):
        worker.kill()


def kill_supervisor(at: "Simulation") -> None:
    """SIGKILL to a supervisor."""
    if supervisor := _supervisor(at):
        supervisor.kill()


def terminate_supervisor(at: "Simulation") -> None:
    """SIGTERM to a supervisor, which is started again."""
    if supervisor := _supervisor(at):
        at.world.note("terminated", supervisor=supervisor.name)
        supervisor.terminate()


def lose_requests(at: "Simulation") -> None:
    """The control store cannot be reached from one host."""
    site, lasts_s = _site(at), _lasts_s(at)
    at.world.note("store_away", lasts_s=lasts_s)
    site.network.leave(lasts_s)


def lose_answers(at: "Simulation") -> None:
    """The control store executes the requests of one host, and its replies are lost after COMMIT."""
    site, until_s = _site(at), at.world.now_s + _lasts_s(at)
    at.world.note("store_forgetful", until_s=until_s)
    site.network.forgetful_until_s = until_s


def slow_down(at: "Simulation") -> None:
    """The control store is slow for one host."""
    site, until_s = _site(at), at.world.now_s + _lasts_s(at)
    at.world.note("store_slow", until_s=until_s)
    site.network.slow_until_s, site.network.slow_s = until_s, at.world.rng.uniform(0.1, SLOW_S)


def fade_away(at: "Simulation") -> None:
    """The control store becomes slow for one host, and then cannot be reached."""
    site, slow_until_s = _site(at), at.world.now_s + _lasts_s(at) / 2
    at.world.note("store_fading", slow_until_s=slow_until_s)
    site.network.slow_until_s, site.network.slow_s = slow_until_s, SLOW_S
    at.world.after(slow_until_s - at.world.now_s, lambda: site.network.leave(LASTS_S))


def answer_late_and_leave(at: "Simulation") -> None:
    """The control store replies to one host once more, late, and then cannot be reached."""
    site = _site(at)
    at.world.note("store_parting")
    site.network.parting_s = at.world.rng.uniform(1.0, SLOW_S)


def stall_commits(at: "Simulation") -> None:
    """Snowflake commits nothing of one partition for a while."""
    channel = at.world.rng.choice(list(at.invariants.channels.values()))
    channel.stalled_until_s = at.world.now_s + _lasts_s(at)


def break_link(at: "Simulation") -> None:
    """The connection of one receiver ends, and it receives some events again."""
    at.world.rng.choice(list(at.partitions.values())).break_link()


def grow(at: "Simulation") -> None:
    """Partitions are added to the hub."""
    at.grow(at.world.rng.randint(1, GROWTH))


def lose_hub(at: "Simulation") -> None:
    """One host cannot query the hub for its partitions; receivers go on."""
    site, until_s = _site(at), at.world.now_s + LASTS_S + _lasts_s(at)
    at.world.note("hub_away", until_s=until_s)
    site.network.hub_away_until_s = until_s


def jump(at: "Simulation") -> None:
    """The database's clock is set forward by an hour: every lease looks expired. Not one of `FAULTS`."""
    at.world.note("clock_jumped")
    at.sites[0].database.clock.ahead_s += 3600.0


Fault: TypeAlias = Callable[["Simulation"], None]
FAULTS: tuple[Fault, ...] = (
    freeze_tree,
    freeze_tree_in_the_middle,
    freeze_tree_in_the_middle,
    freeze_supervisor,
    freeze_worker,
    stick_worker,
    kill_worker,
    kill_supervisor,
    terminate_supervisor,
    lose_requests,
    lose_answers,
    slow_down,
    fade_away,
    answer_late_and_leave,
    stall_commits,
    break_link,
    grow,
    lose_hub,
)


def _freeze(at: "Simulation", *processes: Process, lasts_s: float | None = None) -> None:
    lasts_s = lasts_s or _lasts_s(at)
    at.world.note("frozen", processes=[process.name for process in processes], lasts_s=round(lasts_s, 3))
    for process in processes:
        process.freeze()
    at.world.after(lasts_s, lambda: _thaw(at, processes))


def _thaw(at: "Simulation", processes: tuple[Process, ...]) -> None:
    at.world.note("continued", processes=[process.name for process in processes])
    for process in processes:
        process.thaw()


def _lasts_s(at: "Simulation") -> float:
    return at.world.rng.uniform(0.5, LASTS_S)


def _site(at: "Simulation") -> "Site":
    return at.world.rng.choice(at.sites)


def _supervisor(at: "Simulation") -> "Supervisor | None":
    living = [supervisor for supervisor in at.supervisors.values() if supervisor.lives]
    return at.world.rng.choice(living) if living else None


def _worker(at: "Simulation") -> "WorkerProcess | None":
    return at.world.rng.choice(at.invariants.workers) if at.invariants.workers else None
