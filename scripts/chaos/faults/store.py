"""Faults of the control store."""

import psycopg

from scripts.chaos.faults.fault import Fault
from scripts.chaos.faults.schedule import Strike
from scripts.chaos.scene.scene import Scene

AWAY_S = (0.5, 5.0)
LOCKED_S = (1.0, 7.0)  # on both sides of the store's lock_timeout
SESSIONS = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'evsup'"
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'evsup' AND wait_event_type = 'Lock'"
LOCK = "SELECT 1 FROM evsup_checkpoint WHERE partition_id = %s FOR UPDATE"


def _restart(scene: Scene, _strike: Strike) -> bool:
    if scene.postgres.pid is None:
        return False
    scene.postgres.restart()
    scene.struck["store restarted"] += 1
    return True


def _crash(scene: Scene, _strike: Strike) -> bool:
    if scene.postgres.pid is None:
        return False
    scene.postgres.stop_immediately()
    scene.struck["store away"] += 1
    return True


def _start(scene: Scene, _strike: Strike) -> None:
    if scene.postgres.pid is None:
        scene.postgres.start()


def _terminate(scene: Scene, _strike: Strike) -> bool:
    ended: int = scene.ask(SESSIONS)[0][0] if scene.postgres.pid else 0
    scene.struck["store sessions terminated"] += ended
    return bool(ended)


def _lock(scene: Scene, strike: Strike) -> bool:
    if scene.postgres.pid is None or strike.partition in scene.locks:
        return False
    session = psycopg.connect(scene.postgres.dsn)
    session.execute(LOCK, [strike.partition])
    scene.locks[strike.partition] = session
    return True


def _waiting(scene: Scene) -> int:
    """Sessions seen to wait for a lock; one that is waiting is counted at every look."""
    scene.struck["checkpoint row locked"] += scene.ask(WAITING)[0][0] if scene.postgres.pid and scene.locks else 0
    return scene.struck["checkpoint row locked"]


def _unlock(scene: Scene, strike: Strike) -> None:
    scene.locks.pop(strike.partition).close()


STORE_FAULTS = (
    Fault("store restarted", _restart, lambda scene: scene.struck["store restarted"]),
    Fault("store away", _crash, lambda scene: scene.struck["store away"], _start, AWAY_S),
    Fault("store sessions terminated", _terminate, lambda scene: scene.struck["store sessions terminated"]),
    Fault("checkpoint row locked", _lock, _waiting, _unlock, LOCKED_S),
)
