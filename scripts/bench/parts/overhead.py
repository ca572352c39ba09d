"""What a tree costs before and between events: its start, its memory, and a worker that waits."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median_low

from scripts.bench.lab.budget import Budget
from scripts.bench.lab.lab import Events, Lab, Turn
from scripts.bench.lab.moving import cpu_s, family, running
from scripts.bench.parts.throughput import Say
from scripts.bench.results import Idle, Memory, Start, Threads
from scripts.harness.evsup import Evsup
from shared.clock import monotonic
from worker.fork_server import TITLE

SDK_THREADS = "sf"  # what the streaming SDK calls its own
SETTLE_S, IDLE_S = 8.0, 20.0
LOOK_S = 0.02
FEW, MANY = 1, 32
FIRST_EVENTS = 100  # in each partition


@dataclass(frozen=True, slots=True)
class Thread:
    """Of one thread: its name, the nanoseconds that it ran, and how often it began to wait."""

    name: str
    ran_ns: int
    waits: int


def idle(lab: Lab, budget: Budget, say: Say) -> Idle:
    """One worker that has moved a few events and waits for more."""
    del budget  # its time is fixed
    lab.cloud.snow.set_commit_delay(0)
    lab.fill(Events(FIRST_EVENTS))
    turn = lab.turn()
    with running(turn.environment, turn.directory, 1) as evsup:
        pid = evsup.await_running(1)["0"].pid
        time.sleep(SETTLE_S)
        before, began_s = threads(pid), monotonic()
        time.sleep(IDLE_S)
        after, seconds = threads(pid), monotonic() - began_s
    found = Idle(own=_spent(before, after, seconds, is_sdk=False), sdk=_spent(before, after, seconds, is_sdk=True))
    say(f"own threads {found.own.core:.2%} of a core, {found.own.wakeups_per_s:.1f} wake-ups/s")
    return found


def threads(pid: int) -> dict[str, Thread]:
    """The threads of a process by id.

    https://docs.kernel.org/scheduler/sched-stats.html (/proc/PID/schedstat: the first number is the time on a core) and
    https://man7.org/linux/man-pages/man5/proc_pid_status.5.html (voluntary_ctxt_switches)
    """
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        status = dict(line.split(":", 1) for line in (task / "status").read_text().splitlines())
        ran_ns = int((task / "schedstat").read_text().split()[0])
        found[task.name] = Thread(status["Name"].strip(), ran_ns, int(status["voluntary_ctxt_switches"]))
    return found


def _spent(before: dict[str, Thread], after: dict[str, Thread], seconds: float, *, is_sdk: bool) -> Threads:
    pairs = [
        (before.get(number, Thread(one.name, 0, 0)), one)
        for number, one in after.items()
        if (one.name == SDK_THREADS) is is_sdk
    ]
    return Threads(
        count=len(pairs),
        core=sum(late.ran_ns - early.ran_ns for early, late in pairs) / 1e9 / seconds,
        wakeups_per_s=sum(late.waits - early.waits for early, late in pairs) / seconds,
    )


def starts(lab: Lab, budget: Budget, say: Say) -> tuple[list[Start], Memory]:
    """From the command to the first rows, of one partition and of many; and the memory of the many."""
    lab.cloud.snow.set_commit_delay(0)
    memory: list[Memory] = []
    found = []
    for partitions, most in ((FEW, 3), (MANY, 2)):
        lab.fill(Events(FIRST_EVENTS), partitions)
        times = [_start(lab.turn(), partitions, memory) for _ in budget.part(0.5).rounds(most)]
        found.append(_medians(partitions, times))
        say(_figures(found[-1]))
    say(f"{memory[-1].workers} workers: {memory[-1].workers_bytes / 1e9:.2f} GB")
    return found, memory[-1]


def _medians(partitions: int, times: Sequence[Start]) -> Start:
    """Each figure by itself."""
    return Start(
        partitions=partitions,
        first_s=median_low([one.first_s for one in times]),
        all_s=median_low([one.all_s for one in times]),
        turns=len(times),
        tree_cpu_s=median_low([one.tree_cpu_s for one in times]),
        services_cpu_s=median_low([one.services_cpu_s for one in times]),
    )


def _figures(start: Start) -> str:
    return (
        f"{start.partitions} partitions: first row after {start.first_s:.1f} s, in all after {start.all_s:.1f} s;"
        f" processor: evsup {start.tree_cpu_s:.1f} s, services {start.services_cpu_s:.1f} s"
    )


def _start(turn: Turn, partitions: int, memory: list[Memory]) -> Start:
    services = [turn.cloud.hub_service.pid, turn.cloud.snow_service.pid]
    before_s = cpu_s(services)
    with running(turn.environment, turn.directory, partitions) as evsup:
        began_s = monotonic()  # the command has just been started
        evsup.until(turn.durable, "the first row is in the table", every_s=LOOK_S)
        first_s = monotonic() - began_s
        evsup.until(lambda: len(turn.durable()) == partitions, "each partition has a row", every_s=LOOK_S)
        all_s = monotonic() - began_s
        tree_s, services_s = cpu_s(family(evsup.pid)), cpu_s(services) - before_s
        memory.append(_memory(evsup))
    return Start(
        partitions=partitions, first_s=first_s, all_s=all_s, turns=1, tree_cpu_s=tree_s, services_cpu_s=services_s
    )


def _memory(evsup: Evsup) -> Memory:
    pids = [row.pid for row in evsup.workers().values()]
    return Memory(
        workers=len(pids),
        workers_bytes=sum(map(pss_bytes, pids)),
        supervisor_bytes=pss_bytes(evsup.pid),
        fork_server_bytes=sum(pss_bytes(pid) for pid in family(evsup.pid) if _title(pid) == TITLE),
    )


def _title(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0")


def pss_bytes(pid: int) -> int:
    """https://docs.kernel.org/filesystems/proc.html (smaps_rollup): a page of n processes counts 1/n in each."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:"))
