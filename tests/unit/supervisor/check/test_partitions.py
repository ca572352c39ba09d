"""Partitions without an owner, never read, or not in the hub are counted; without an owner is a warning."""

import pytest

from shared.model import Checkpoint, Ownership, SupervisorRow
from supervisor.check.partitions import ownership_outcome


def ownership(partition_id: str, owner_id: str, age_s: float = 0.0) -> Ownership:
    return Ownership(partition_id, owner_id, "etag", 1, 0.0, age_s, 60.0)


READ = {each: Checkpoint(each, 9, None, 1) for each in ("0", "1", "7")}
RUNNING = [SupervisorRow("me", "host", 1, None, "0")]


@pytest.mark.parametrize(
    ("ownerships", "checkpoints", "supervisors", "expected"),
    [
        ([], {}, [], ("2 in the hub, 2 held by nobody (0, 1), 2 never read (0, 1)", "ok")),
        ([ownership("0", "me"), ownership("1", "me")], READ, RUNNING,
         ("2 in the hub, 1 that the hub does not have (7)", "ok")),
        ([ownership("0", "me"), ownership("1", "")], READ, RUNNING,
         ("2 in the hub, 1 held by nobody (1), 1 that the hub does not have (7)", "warn")),
        ([ownership("0", "me"), ownership("1", "dead", 61.0)], {}, RUNNING,
         ("2 in the hub, 1 held by nobody (1), 2 never read (0, 1)", "warn")),
        ([ownership("0", "me")], {"0": READ["0"], "1": Checkpoint("1", None, None, 0)}, [],
         ("2 in the hub, 1 held by nobody (1), 1 never read (1)", "ok")),
    ],
)  # fmt: skip
def test_a_partition_without_an_owner_is_a_warning_while_supervisors_run(
    ownerships: list[Ownership],
    checkpoints: dict[str, Checkpoint],
    supervisors: list[SupervisorRow],
    expected: tuple[str, str],
) -> None:
    found = ownership_outcome(("0", "1"), ownerships, checkpoints, supervisors)
    assert (found.detail, found.verdict) == expected
    assert bool(found.fix) == (found.verdict == "warn")
