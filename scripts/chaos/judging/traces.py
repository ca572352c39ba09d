"""What a tree that has ended may have left: on the host, in its directories, in the store, at the hub (I11)."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import psycopg

from scripts.harness.marker import processes
from scripts.localcloud.cloud import LocalCloud

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 (only its names are read)
STAYING = {"stdout", "stderr", "supervisor.lock"}  # of a lock whose file is removed there could be two holders
# Of a database that only the trees use. The last one leaves out the session that asks.
ASKED = {
    "lease": "SELECT partition_id FROM evsup_ownership WHERE owner_id <> ''",
    "heartbeat": "SELECT owner_id FROM evsup_supervisor",
    "database session": "SELECT pid::TEXT FROM pg_stat_activity"
    " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
}


def shared_memory() -> set[str]:
    """Segments and semaphores, by their names."""
    return {path.name for path in SHARED_MEMORY.iterdir()}


def left(cloud: LocalCloud, groups: Sequence[int], directory: Path, before: set[str]) -> Iterator[str]:
    """Everything that is there and should not be, in words; `before` is the shared memory that was there at first.

    `groups` are the process groups of the trees, whose zombies count, too; `directory` is all that they may write to.
    """
    yield from (f"process {pid} ({state})" for pid, state, group in processes() if group in groups)
    yield from (f"shared memory {name}" for name in shared_memory() - before if not _is_in_use(name))
    yield from (f"file {path}" for path in directory.rglob("*") if not path.is_dir() and path.name not in STAYING)
    assert cloud.postgres
    with psycopg.connect(cloud.postgres.dsn, autocommit=True) as session:
        for what, statement in ASKED.items():
            yield from (f"{what} {name}" for (name,) in session.execute(statement.encode()))
    if connections := cloud.hub.facts().connections:
        yield f"{connections} connections to the hub"


def _is_in_use(name: str) -> bool:
    """Whether some process maps it: other programs have their own."""
    for maps in Path("/proc").glob("[0-9]*/maps"):
        with suppress(OSError):
            if str(SHARED_MEMORY / name) in maps.read_text():
                return True
    return False
