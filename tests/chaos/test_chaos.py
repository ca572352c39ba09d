"""A short storm over two real trees. The schedule of faults and the judges of a run are tried alone as well."""

import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
import pytest

from scripts.chaos.acts.storm import MISSED_S, Storm
from scripts.chaos.faults import schedule
from scripts.chaos.faults.catalogue import FAULTS
from scripts.chaos.judging.audit import Audit
from scripts.chaos.judging.broken import InvariantBroken
from scripts.chaos.judging.cause import require_same_cause
from scripts.chaos.judging.proof import require_each_once
from scripts.chaos.judging.reports import Owners, require_checkpoints_behind, require_marks_in_order
from scripts.chaos.run import START_S, Run
from scripts.chaos.scene.limits import BRISK
from scripts.chaos.scene.scene import PARTITIONS, UNITS, staged
from scripts.harness.table import PartitionCount
from scripts.localcloud.postgres import Postgres
from shared.config.settings import ControlSettings
from shared.control.open import open_store
from shared.log.secret import Secret
from shared.model import Checkpoint, ConsumerGroup, Term
from supervisor.status.model import PartitionStatus
from tests.unit.supervisor.status.statuses import a_partition

SECONDS, SEED = 16.0, 3099
TAIL_S = 2 * START_S + MISSED_S + BRISK.recovery_s + BRISK.stop_s  # no storm takes longer than its seconds and this
NAMES = [fault.name for fault in FAULTS]
PLACES = [str(number) for number in range(PARTITIONS)]
FAILED = '{"event": "tree_failed", "reason": "The lease is over", "exit_code": 75}\n'


def report(**changes: Any) -> PartitionStatus:
    """A worker's report in which all is well."""
    marks = {"received": 9, "appended": 8, "durable": 7, "checkpointed": 6}
    return a_partition(**{"epoch": 1, **marks, **changes})


@pytest.mark.timeout(SECONDS + TAIL_S)
def test_a_short_storm_breaks_no_promise() -> None:
    # A socket's path has room for little more than 100 bytes: pytest's own directories are too deep.
    with TemporaryDirectory(prefix="evsup-chaos-") as directory, staged(Path(directory)) as scene:
        storm = Storm(scene, schedule.plan(SEED, SECONDS, NAMES, PLACES, UNITS), SECONDS, FAULTS, print)
        run = Run(scene, [storm], print)
        assert run.run()
        assert run.changes["checkpoint"] > 0
        assert all(blow.fired for blow in storm.blows)


def test_a_seed_gives_the_same_schedule_again_and_deals_every_fault_before_any_twice() -> None:
    strikes = schedule.plan(SEED, 120.0, NAMES, PLACES, UNITS)
    assert strikes == schedule.plan(SEED, 120.0, NAMES, PLACES, UNITS)
    assert strikes != schedule.plan(SEED + 1, 120.0, NAMES, PLACES, UNITS)
    assert {strike.fault for strike in strikes[: len(NAMES)]} == set(NAMES)
    assert max(Counter(strike.fault for strike in strikes).values()) == 2
    assert [strike.at_s for strike in strikes] == sorted(strike.at_s for strike in strikes)


@pytest.mark.parametrize("marks", [{"checkpointed": 8}, {"durable": 9}, {"appended": 10}, {"received": None}])
def test_a_mark_beyond_the_one_before_it_is_detected(marks: dict[str, int | None]) -> None:
    require_marks_in_order(report())
    with pytest.raises(InvariantBroken, match="I3"):
        require_marks_in_order(report(**marks))


def test_a_checkpoint_beyond_the_token_is_detected() -> None:
    require_checkpoints_behind({"0": 4, "1": None}, {"0": "4", "1": None})
    for token in ("3", None):
        with pytest.raises(InvariantBroken, match="I3"):
            require_checkpoints_behind({"0": 4}, {"0": token})


def test_two_owners_at_once_are_detected() -> None:
    owners = Owners()
    owners.see([report(reported_at_s=1.0), report(pid=2, epoch=2, reported_at_s=3.0)])
    owners.see([report(reported_at_s=2.0), report(pid=2, epoch=2, reported_at_s=4.0)])
    with pytest.raises(InvariantBroken, match="I5"):
        owners.see([report(reported_at_s=3.5)])
    with pytest.raises(InvariantBroken, match="I5"):
        owners.see([report(pid=3, epoch=2, reported_at_s=5.0)])


def test_a_tree_that_names_two_causes_is_detected() -> None:
    require_same_cause(75, f"{FAILED}evsup: The lease is over\n", [], "The lease is over")
    require_same_cause(0, "anything\n", [], None)
    require_same_cause(-signal.SIGKILL, FAILED, [], None)
    require_same_cause(-signal.SIGTERM, "", [], None)
    require_same_cause(-signal.SIGINT, "Traceback (most recent call last):\nKeyboardInterrupt\n", [], None)
    for code, log, cause in (
        (69, f"{FAILED}evsup: The lease is over\n", None),
        (75, f"{FAILED}evsup: Something else\n", None),
        (75, f"{FAILED}{FAILED}evsup: The lease is over\n", None),
        (75, "evsup: The lease is over\n", "The disk is full"),
    ):
        with pytest.raises(InvariantBroken, match="I12"):
            require_same_cause(code, log, [], cause)
    for code in (65, 70, 77, 78, 1, -signal.SIGTERM):
        with pytest.raises(InvariantBroken, match="I9"):
            require_same_cause(code, "evsup: Whatever\n", [], None)


@pytest.mark.parametrize(
    ("held", "broken"),
    [
        (PartitionCount(2, 2, 0, 1), "I1"),
        (PartitionCount(2, 2, 1, 2), "I1"),
        (PartitionCount(), "I1"),
        (PartitionCount(4, 3, 0, 2), "I2"),
    ],
)
def test_a_table_with_a_gap_or_a_duplicate_is_refused(held: PartitionCount, broken: str) -> None:
    require_each_once("0", 3, PartitionCount(3, 3, 0, 2))
    with pytest.raises(InvariantBroken, match=broken):
        require_each_once("0", 3, held)


@pytest.fixture(scope="module")
def audited() -> Iterator[tuple[str, Audit]]:
    """A claimed and checkpointed partition in a real Postgres, with the triggers on it."""
    with TemporaryDirectory(prefix="evsup-audit-") as parent, Postgres(opened(parent) / "server") as server:
        settings = ControlSettings(store="postgres", postgres_dsn=Secret(server.dsn))
        with closing(open_store(settings, ConsumerGroup("ns", "hub", "group"), 60.0)) as store:
            store.initialise()
            audit = Audit(server.dsn)
            term = store.claim("0", "me", 60.0)
            assert term
            store.save_checkpoint(Checkpoint("0", 5, None, term.epoch))
            store.save_checkpoint(Checkpoint("0", 9, None, term.epoch))
            store.release(term)
            assert store.claim("0", "you", 60.0) == Term("0", "you", term.epoch + 1)
        assert audit.check() == {"checkpoint": 4, "ownership": 3}
        yield server.dsn, audit


def opened(parent: str) -> Path:
    """Postgres runs as another user when the tests run as root."""
    Path(parent).chmod(0o755)
    return Path(parent)


@pytest.mark.parametrize(
    ("deed", "broken"),
    [
        ("UPDATE evsup_checkpoint SET sequence_number = sequence_number - 1", "I4"),
        ("UPDATE evsup_checkpoint SET epoch = epoch - 1", "I4"),
        ("UPDATE evsup_ownership SET owner_id = 'another'", "I5"),
        ("DELETE FROM evsup_checkpoint", "I4"),
    ],
)
def test_a_checkpoint_or_an_owner_that_goes_back_is_detected(
    audited: tuple[str, Audit], deed: str, broken: str
) -> None:
    dsn, audit = audited
    with psycopg.connect(dsn) as session:
        session.execute(deed.encode())
        session.commit()
        with pytest.raises(InvariantBroken, match=broken):
            audit.check()
        session.execute("TRUNCATE chaos_audit")
