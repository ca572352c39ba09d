"""Limits of descriptors: what a host or a container allows, and what a start needs."""

import resource
import signal
from itertools import count, islice
from pathlib import Path

from scripts.harness.evsup import EVSUP, Evsup
from scripts.harness.waiting import eventually
from tests.harness.pipeline import Pipeline


def test_more_partitions_than_descriptors_are_refused_before_anything_is_claimed(pipeline2: Pipeline) -> None:
    evsup = pipeline2.start(command=("sh", "-c", 'ulimit -n 33; exec "$0" "$@"', EVSUP))
    assert evsup.wait() == 78
    assert "2 partitions need 34 file descriptors: the hard limit of this process is 33" in evsup.last_line
    assert "tree_failed" not in evsup.stderr


def test_a_tree_with_just_enough_descriptors_runs(pipeline2: Pipeline) -> None:
    evsup = pipeline2.start(command=("sh", "-c", 'ulimit -n 34; exec "$0" "$@"', EVSUP))
    evsup.await_running(2)
    assert evsup.stop() == 0


def test_a_soft_limit_of_descriptors_is_raised(pipeline2: Pipeline) -> None:
    evsup = pipeline2.start(command=("sh", "-c", 'ulimit -Sn 33; exec "$0" "$@"', EVSUP))
    workers = evsup.await_running(2).values()
    for pid in (evsup.pid, *(worker.pid for worker in workers)):
        assert resource.prlimit(pid, resource.RLIMIT_NOFILE)[0] > 33
    assert evsup.stop() == 0


def test_a_worker_that_gets_no_descriptors_ends_the_tree_with_78_after_a_drain(pipeline2: Pipeline) -> None:
    pipeline2.publish(100)
    short, other = pipeline2.beside(), pipeline2.beside()
    eventually(lambda: len(short.running().keys()) == len(other.running().keys()) == 1, "each has one")
    pipeline2.await_all()
    leave(short, 3)
    other.send(signal.SIGKILL)
    assert short.wait() == 78
    assert "No worker can be started for partition" in short.last_line
    assert "LimitNOFILE" in short.last_line
    assert "worker_drained" in short.stderr


def leave(evsup: Evsup, descriptors: int) -> None:
    """Leave a process just so many descriptors: numbers below the highest one may be free, too."""
    used = {int(path.name) for path in Path(f"/proc/{evsup.pid}/fd").iterdir()}
    free = (number for number in count() if number not in used)
    limit = next(islice(free, descriptors, None))
    resource.prlimit(evsup.pid, resource.RLIMIT_NOFILE, (limit, limit))
