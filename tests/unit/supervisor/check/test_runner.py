"""Checks are asked in order, within bounds; one that fails takes those that need it along, and nobody else."""

import threading
from types import SimpleNamespace
from typing import Any, cast

import pytest

from shared.errors import ConfigurationError, DoesNotExist, NotPermitted, ResumeRefused, RowsRejected
from shared.ipc.messages import ChannelStatus
from shared.model import Checkpoint, Ownership, PartitionFacts, SupervisorRow
from supervisor.check.checks import Preflight
from supervisor.check.partitions import held
from supervisor.check.positions import reconciled
from supervisor.check.runner import Answer, Check, Result, exit_code, results
from supervisor.check.snowflake import Account
from tests.unit.plain_settings import snowflake


def fine() -> Answer:
    return Answer("fine")


def refused() -> Answer:
    raise NotPermitted("No entry", "the key is wrong", "Take another.")


def broken() -> Answer:
    raise ConfigurationError("Broken")


def crashed() -> Answer:
    raise ZeroDivisionError("SharedAccessKey=abc;")


def asked(*checks: Check) -> list[Result]:
    return list(results(checks))


def test_what_needs_a_failed_answer_is_left_out_and_says_why() -> None:
    found = asked(
        Check("a", fine), Check("b", refused, ["a"]), Check("c", fine, ["b"]), Check("d", fine, ["c"]), Check("e", fine)
    )
    assert [one.verdict for one in found] == ["ok", "fail", "skipped", "skipped", "ok"]
    assert (found[1].detail, found[1].fix) == ("No entry: the key is wrong", "Take another.")
    assert found[2].detail == "not asked, because b gave no answer"


def test_the_exit_code_is_that_of_the_first_failure() -> None:
    assert exit_code(asked(Check("a", fine), Check("b", broken), Check("c", refused))) == 78
    assert exit_code(asked(Check("a", fine), Check("b", lambda: Answer("hm", "warn")))) == 0


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
        ([ownership("0", "me"), ownership("1", "gone", 61.0)], {}, RUNNING,
         ("2 in the hub, 1 held by nobody (1), 2 never read (0, 1)", "warn")),
        ([ownership("0", "me")], {"0": READ["0"], "1": Checkpoint("1", None, None, 0)}, [],
         ("2 in the hub, 1 held by nobody (1), 1 never read (1)", "ok")),
    ],
)  # fmt: skip
def test_partitions_that_nobody_holds_or_has_read_are_counted(
    ownerships: list[Ownership],
    checkpoints: dict[str, Checkpoint],
    supervisors: list[SupervisorRow],
    expected: tuple[str, str],
) -> None:
    found = held(("0", "1"), ownerships, checkpoints, supervisors)
    assert (found.detail, found.verdict) == expected
    assert bool(found.fix) == (found.verdict == "warn")


def test_a_service_that_is_silent_is_unavailable_in_time() -> None:
    never = threading.Event()

    def silent() -> Answer:
        never.wait()
        return Answer("late")

    (found,) = asked(Check("a", silent, limit_s=0.05))
    never.set()
    assert (found.verdict, found.exit_code) == ("fail", 69)
    assert "no answer for" in found.detail


def test_a_check_that_is_broken_hides_no_other_and_no_secret_is_shown() -> None:
    first, second = asked(Check("a", crashed), Check("b", fine))
    assert (first.verdict, first.exit_code, second.verdict) == ("fail", 70, "ok")
    assert "abc" not in first.detail


class OnlyInsert:
    """A session of a role that may insert and not describe."""

    def __init__(self, *tables: str) -> None:
        self._tables = tables

    def query(self, statement: str) -> list[dict[str, str]]:
        if statement.startswith("DESCRIBE"):
            raise DoesNotExist("Snowflake failed", "does not exist or not authorized")
        return [{"name": name, "error_logging": "N"} for name in self._tables]


def account(monkeypatch: pytest.MonkeyPatch, *tables: str) -> Account:
    made = Account(snowflake())
    monkeypatch.setattr(made, "_session", OnlyInsert(*tables))
    return made


def test_a_role_that_may_only_insert_is_not_permitted_and_told_the_grant(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotPermitted) as refused:
        account(monkeypatch, "OTHER", "FLIGHTS").look()
    assert refused.value.fix == 'GRANT REFERENCES ON TABLE "EVENTS"."PUBLIC"."FLIGHTS" TO ROLE …;'
    with pytest.raises(ConfigurationError, match="init --target"):
        account(monkeypatch, "OTHER").look()


def test_rejected_rows_that_are_not_kept_are_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = account(monkeypatch, "FLIGHTS").error_logging()
    assert answer.fix == 'ALTER TABLE "EVENTS"."PUBLIC"."FLIGHTS" SET ERROR_LOGGING = TRUE;'


def test_the_quarantine_is_looked_at_where_rows_are_to_be_set_aside() -> None:
    preflight = Preflight(None)
    assert "quarantine" not in [check.name for check in preflight.checks()]
    preflight._sets_aside = True
    assert "quarantine" in [check.name for check in preflight.checks()]


def test_rows_are_not_to_be_set_aside_where_that_cannot_be_recorded() -> None:
    def check_audit() -> None:
        raise NotPermitted("No audit row can be written")

    preflight = Preflight(None)
    preflight._store = cast("Any", SimpleNamespace(check_audit=check_audit))
    with pytest.raises(NotPermitted):
        preflight._quarantine()


FACTS = PartitionFacts(0, 100, is_empty=False, hub_created_at_s=1.0)


def channel(token: int | None, rejected: int = 0) -> ChannelStatus:
    return ChannelStatus(token=token, rows_error_count=rejected, status_code="SUCCESS", last_error="too long")


def test_a_partition_says_where_a_start_would_go_on() -> None:
    assert reconciled(Checkpoint("3", 4, None, 1), channel(7), FACTS, "fail", "fail").detail.startswith(
        "goes on after 7: "
    )
    fresh = reconciled(Checkpoint("3", None, None, 1), channel(None), FACTS, "fail", "fail")
    assert "the starting position" in fresh.detail


def test_a_channel_that_is_gone_and_followed_by_the_next_is_no_fault() -> None:
    known = Checkpoint("3", 100, "o100", 1, rows_error_count=5, hub_created_at_s=1.0, unsettled_from=101)
    facts = PartitionFacts(0, 100, is_empty=False, hub_created_at_s=1.0, last_offset="o100")
    found = reconciled(known, channel(None), facts, "fail", "fail")
    assert (found.verdict, "the next one begins there" in found.detail) == ("ok", True)


def test_what_a_start_would_refuse_fails_and_what_it_would_go_on_without_is_a_warning() -> None:
    with pytest.raises(ResumeRefused):
        reconciled(Checkpoint("3", 9, None, 1), channel(7), FACTS, "fail", "fail")
    with pytest.raises(RowsRejected, match="--rejected-rows 5`"):
        reconciled(Checkpoint("3", 7, None, 1, rows_error_count=2), channel(7, rejected=5), FACTS, "fail", "fail")
    waiting = reconciled(Checkpoint("3", 7, None, 1, 2), channel(7, rejected=5), FACTS, "fail", "quarantine")
    assert (waiting.verdict, waiting.detail) == ("warn", "3 rows were rejected (too long): they are set aside")
    with pytest.raises(ResumeRefused, match=r"went back from 5 to 2.*--rejected-rows 2`"):
        reconciled(Checkpoint("3", 7, None, 1, rows_error_count=5), channel(7, rejected=2), FACTS, "fail", "fail")
    behind = PartitionFacts(50, 100, is_empty=False, hub_created_at_s=1.0)
    assert reconciled(Checkpoint("3", 7, None, 1), channel(7), behind, "warn", "fail").verdict == "warn"
