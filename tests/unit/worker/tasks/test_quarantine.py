"""The task that quarantines rejected rows, and the record of it: in which order, and what stops it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Self

import pytest
from msgspec import structs

from shared import clock
from shared.config import environment
from shared.config.settings import Settings
from shared.errors import (
    Bug,
    CountsUnsettled,
    DoesNotExist,
    EvsupError,
    NotPermitted,
    ProtocolError,
    RowsRejected,
    SnowflakeUnavailable,
    Unsupported,
)
from shared.ipc.messages import ChannelStatus, Quarantined, Ready, TaskResult
from shared.log import logger
from shared.model import Checkpoint, PartitionFacts
from shared.resume import SETTLED_AFTER_S
from shared.snowflake.quarantine_table import Coverage, EventIdentity, RecentQuarantine, Rejected
from tests.unit.captured_log import capture_logs
from tests.unit.plain_settings import plain
from worker.sink.rejection import Rejection
from worker.tasks import quarantine
from worker.tasks.logged_rows import with_reasons

STATUS = ChannelStatus(9, 2, last_error="too long")
REJECTION = Rejection(STATUS, 0, range(5, 10), "CHANNEL_3", Checkpoint("3", 9, None, 7, 2, hub_created_at_s=1.0))

ENQUEUED = "2026-01-31T00:00:00+00:00"
READ_AGAIN = replace(REJECTION, checkpoint=replace(REJECTION.checkpoint, repeats_up_to=9))


class World:
    """Stands for both tables and the hub; remembers what was done in which order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.did: list[str] = []
        self.reasons: list[str | None] = []
        self.facts = PartitionFacts(0, 20, is_empty=False, hub_created_at_s=1.0)
        self.in_hub = [6, 8]
        self.lacks = [6, 8]
        self.row_of_another: list[int] = []
        self.logged_rows: list[Rejected] | EvsupError = []
        self.enqueued_time: str | None = ENQUEUED
        self.both = Coverage(5, None)
        monkeypatch.setattr(environment, "load_worker", plain)
        monkeypatch.setattr(logger, "configure", lambda *_, **__: None)
        monkeypatch.setattr(quarantine, "tables_of", self._tables)
        monkeypatch.setattr(quarantine, "EventHubClient", lambda _: self)
        monkeypatch.setattr(quarantine, "reread", self._reread)
        monkeypatch.setattr(quarantine, "identified", self.identified)

    def _tables(self, _: Settings, hub_created_at_s: float | None) -> Self:
        self.hub_created_at_s = hub_created_at_s
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def partition(self, _: str) -> PartitionFacts:
        return self.facts

    def recent(self, *_: object) -> RecentQuarantine:
        return RecentQuarantine(0, 0)

    name = "FLIGHTS_QUARANTINE"

    def missing(self, *_: object) -> list[int]:
        return self.lacks

    def without_row(self, _: str, events: Sequence[EventIdentity]) -> list[int]:
        lacking = {*self.lacks, *self.row_of_another}
        return [event.sequence_number for event in events if event.sequence_number in lacking]

    def logged(self, _: str, numbers: range, channel: str) -> dict[int, Rejected]:
        assert channel == REJECTION.channel
        if isinstance(self.logged_rows, EvsupError):
            raise self.logged_rows
        return {row.sequence_number: row for row in self.logged_rows if row.sequence_number in numbers}

    def insert(self, _: str, events: Sequence[Rejected], *, reason: str, channel: str, epoch: int) -> None:
        self.reasons += [event.reason for event in events]
        self.did.append(f"write {[event.sequence_number for event in events]}: {reason[:8]}, {channel}, {epoch}")

    def coverage(self, *_: object) -> Coverage:
        self.did.append("count")
        return self.both

    def _reread(self, *_: object) -> list[list[Rejected]]:
        fields: dict[str, Any] = {"offset": None, "enqueued_time": ENQUEUED, "body": None, "row_json": ""}
        return [[Rejected(sequence_number=number, **fields)] for number in self.in_hub]

    def identified(self, *_: object) -> list[list[EventIdentity]]:
        self.did.append("read enqueued times")
        return [[EventIdentity(sequence_number=number, enqueued_time=self.enqueued_time)] for number in range(5, 10)]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def carry_out(rejection: Rejection = REJECTION) -> Quarantined:
    return quarantine.carry_out(rejection)


def test_both_tables_are_counted_when_all_is_written(world: World) -> None:
    assert carry_out() == Quarantined(rows=2)
    assert world.hub_created_at_s == 1.0, "rows of an earlier hub are not counted"
    assert world.did == ["write [6]: too long, CHANNEL_3, 7", "write [8]: too long, CHANNEL_3, 7", "count"]


def test_an_event_with_a_row_from_before_is_not_quarantined(world: World) -> None:
    world.lacks = world.in_hub = [8]
    assert carry_out(READ_AGAIN) == Quarantined(rows=1)
    assert world.did == ["read enqueued times", "write [8]: too long, CHANNEL_3, 7", "count"]
    world.lacks, world.did = [], []
    assert carry_out(READ_AGAIN) == Quarantined(rows=0)
    assert world.did == ["read enqueued times", "count"], "nothing is written"


def test_fewer_events_than_were_counted_are_refused_where_nothing_was_read_before(world: World) -> None:
    for world.lacks in ([8], []):
        world.did = []
        with pytest.raises(RowsRejected, match=f"lacks {len(world.lacks)} of the events, and Snowflake counted 2"):
            carry_out()
        assert world.did == ["read enqueued times"], "nothing is written"


def test_the_row_of_another_event_with_its_number_does_not_count(world: World) -> None:
    world.lacks, world.row_of_another = [8], [6]
    assert carry_out() == Quarantined(rows=2)
    world.row_of_another = [5, 6]
    with pytest.raises(RowsRejected, match="the table lacks 3 of the events, and Snowflake counted 2"):
        carry_out()


def test_an_event_without_an_enqueued_time_is_not_taken_for_the_one_of_a_row(world: World) -> None:
    world.lacks, world.enqueued_time = [8], None
    with pytest.raises(RowsRejected, match="event 5 has no enqueued time"):
        carry_out()


@pytest.mark.parametrize("deleted", [5, 9])
def test_events_whose_enqueued_time_cannot_be_read_any_more_prove_nothing(
    world: World, deleted: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.lacks = [8]
    kept = [[event] for [event] in world.identified() if event.sequence_number != deleted]
    monkeypatch.setattr(quarantine, "identified", lambda *_: kept)
    with pytest.raises(RowsRejected, match="the hub has 4 of 5 events"):
        carry_out()


def test_events_that_have_left_the_hub_are_not_waited_for(world: World) -> None:
    world.lacks, world.facts = [8], PartitionFacts(6, 20, is_empty=False, hub_created_at_s=1.0)
    with pytest.raises(RowsRejected, match="the hub does not have events 5 any more"):
        carry_out()
    assert not world.did


@pytest.mark.parametrize(
    "facts",
    [PartitionFacts(7, 20, is_empty=False, hub_created_at_s=1.0), PartitionFacts(7, 6, True, 1.0)],
)
def test_nothing_is_written_when_one_of_them_has_left_the_hub(world: World, facts: PartitionFacts) -> None:
    world.facts = facts
    with pytest.raises(RowsRejected, match="the hub does not have events 6"):
        carry_out()
    assert not world.did


def logged(number: int, enqueued_time: str | None = ENQUEUED) -> Rejected:
    """A row of the error table; its time is written as rows have it."""
    return Rejected(
        sequence_number=number,
        offset="77",
        enqueued_time=enqueued_time,
        body=None,
        row_json="{}",
        reason=f"why {number}",
    )


def test_each_row_has_its_own_reason_where_the_error_table_has_one(world: World) -> None:
    world.logged_rows = [logged(6, "2026-01-31T00:00:00Z"), logged(7)]
    carry_out()
    assert world.reasons == ["why 6", None]


@pytest.mark.parametrize(("is_mapped", "row"), [(True, "{}"), (False, "")])
def test_the_row_of_a_mapper_is_the_one_that_was_rejected(is_mapped: bool, row: str) -> None:
    event = structs.replace(logged(6), row_json="", reason=None)
    [found] = with_reasons([event], {6: logged(6)}, is_mapped=is_mapped)
    assert (found.row_json, found.reason) == (row, "why 6")


@pytest.mark.parametrize("time", ["2026-01-30T00:00:00Z", "yesterday", None])
def test_the_reason_of_another_event_with_its_number_is_not_taken(world: World, time: str | None) -> None:
    world.logged_rows = [logged(6, time), logged(8)]
    carry_out()
    assert world.reasons == [None, "why 8"]


@pytest.mark.parametrize("error", [DoesNotExist("a"), NotPermitted("a", "not granted"), Unsupported("a"), Bug("a")])
def test_without_an_error_table_there_is_one_reason_for_all(world: World, error: EvsupError) -> None:
    world.logged_rows = error
    with capture_logs() as lines:
        assert carry_out() == Quarantined(rows=2)
    assert world.reasons == [None, None]
    assert [(line["event"], line["reason"]) for line in lines] == [("error_table_not_read", error.why)]


def test_rows_that_the_error_table_does_not_have_yet_are_in_the_log(world: World) -> None:
    world.logged_rows = [logged(8)]
    with capture_logs() as lines:
        carry_out()
    assert [(line["event"], line["rows"], line["found"]) for line in lines] == [("error_table_incomplete", 2, 1)]


def test_nothing_is_written_while_snowflake_does_not_answer(world: World) -> None:
    world.logged_rows = SnowflakeUnavailable("away")
    with pytest.raises(SnowflakeUnavailable):
        carry_out()
    assert not world.did


def test_an_event_that_has_left_the_hub_is_quarantined_as_the_error_table_has_it(world: World) -> None:
    world.facts = PartitionFacts(7, 20, is_empty=False, hub_created_at_s=1.0)
    world.logged_rows, world.in_hub = [logged(6)], [8]
    assert carry_out() == Quarantined(rows=2)
    assert world.did == ["write [6]: too long, CHANNEL_3, 7", "write [8]: too long, CHANNEL_3, 7", "count"]
    assert world.reasons == ["why 6", None]
    world.facts, world.did = PartitionFacts(9, 20, is_empty=False, hub_created_at_s=1.0), []
    with pytest.raises(RowsRejected, match="the hub does not have events 8 any more"):
        carry_out()
    world.logged_rows = [logged(6), logged(8)]
    assert carry_out() == Quarantined(rows=2)
    assert world.did == ["write [6, 8]: too long, CHANNEL_3, 7", "count"], "nothing is read again"


@pytest.mark.parametrize("time", ["yesterday", None])
def test_a_logged_row_without_a_time_is_not_taken_for_an_event_that_has_left_the_hub(
    world: World, time: str | None
) -> None:
    world.facts = PartitionFacts(7, 20, is_empty=False, hub_created_at_s=1.0)
    world.logged_rows, world.in_hub = [logged(6, time)], [8]
    with pytest.raises(RowsRejected, match="the hub does not have events 6 any more"):
        carry_out()
    assert not world.did


def test_a_range_that_would_not_be_read_within_the_time_is_not_begun(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.sink.rejection.MOST_READ_AGAIN", 4)
    carry_out()
    world.did = []
    for world.lacks in ([8], [5, 9]):
        with pytest.raises(RowsRejected, match="5 events would have to be read again, more than 4"):
            carry_out()
    assert not world.did


def test_an_event_that_the_hub_passes_over_is_named(world: World) -> None:
    world.in_hub = [6]
    with pytest.raises(RowsRejected, match="the hub does not have events 8 any more"):
        carry_out()


def test_tables_that_together_lack_an_event_are_refused(world: World) -> None:
    world.both = Coverage(4, None)
    with pytest.raises(RowsRejected, match="together have 4 of 5 events"):
        carry_out()


class Store:
    """Keeps what is recorded; `refusal` is why it cannot."""

    recorded: tuple[Any, ...] = ()
    refusal: Exception | None = None

    def check_audit(self) -> None:
        if self.refusal:
            raise self.refusal

    def record_quarantine(self, checkpoint: Checkpoint, actor: str, action: str) -> None:
        self.recorded = (checkpoint, actor, action)


class Channel:
    """Says one later status after another."""

    def __init__(self, *later: ChannelStatus) -> None:
        self.later = list(later)

    def await_status(self, is_expected: Callable[[ChannelStatus], bool], limit_s: float) -> ChannelStatus | None:
        assert limit_s <= SETTLED_AFTER_S
        return next((self.later.pop(0) for _ in self.later[:] if is_expected(self.later[0])), None)


def recorded(monkeypatch: pytest.MonkeyPatch, answer: TaskResult | Exception) -> tuple[Any, ...]:
    def send(*_: object) -> TaskResult:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(quarantine, "send", send)
    store = Store()
    try:
        assert quarantine.quarantine_rows(REJECTION, store, Channel()) == 2
    finally:
        if isinstance(answer, Exception) or not isinstance(answer, Quarantined):
            assert not store.recorded
    return store.recorded


def test_the_checkpoint_moves_when_the_task_says_that_it_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    record = recorded(monkeypatch, Quarantined(rows=2))
    assert record == (REJECTION.checkpoint, "worker of epoch 7", "quarantined 2 of 2 rejected rows, of events 5 to 9")


def test_the_checkpoint_stays_when_it_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RowsRejected):
        recorded(monkeypatch, REJECTION.error("no"))
    with pytest.raises(ProtocolError):
        recorded(monkeypatch, Ready())


def test_nothing_is_quarantined_that_could_not_be_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(quarantine, "send", lambda *order: asked.append(order))
    store = Store()
    store.refusal = NotPermitted("No audit row can be written")
    with pytest.raises(NotPermitted):
        quarantine.quarantine_rows(REJECTION, store, Channel())
    assert not asked


def test_a_count_that_is_behind_the_table_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of one append may be counted one by one: the table lacks all of them at once."""
    asked: list[int] = []

    def send(_: object, order: quarantine.Order, *__: object) -> TaskResult:
        asked.append(order.rejection.rows)
        if order.rejection.rows < 4:
            raise order.rejection.unsettled("the table lacks 4 of the events")
        return Quarantined(rows=4)

    monkeypatch.setattr(quarantine, "send", send)
    store, later = (
        Store(),
        Channel(structs.replace(STATUS, rows_error_count=3), structs.replace(STATUS, rows_error_count=4)),
    )
    assert quarantine.quarantine_rows(REJECTION, store, later) == 4
    assert asked == [2, 3, 4]
    assert store.recorded[0].rows_error_count == 4
    assert store.recorded[2] == "quarantined 4 of 4 rejected rows, of events 5 to 9"
    with pytest.raises(CountsUnsettled, match="lacks 4 of the events"):
        quarantine.quarantine_rows(REJECTION, Store(), Channel())


def test_the_wait_for_a_count_begins_when_the_first_task_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """A task reads a range again, and that may take minutes."""
    now_s, waits_s = [0.0], list[float]()

    def send(*_: object) -> TaskResult:
        now_s[0] += 5 * SETTLED_AFTER_S
        raise REJECTION.unsettled("the table lacks 4 of the events")

    class Patient(Channel):
        def await_status(self, is_expected: Callable[[ChannelStatus], bool], limit_s: float) -> ChannelStatus | None:
            waits_s.append(limit_s)
            return super().await_status(is_expected, limit_s)

    monkeypatch.setattr(clock, "monotonic", lambda: now_s[0])
    monkeypatch.setattr(quarantine, "send", send)
    with pytest.raises(CountsUnsettled):
        quarantine.quarantine_rows(REJECTION, Store(), Patient(structs.replace(STATUS, rows_error_count=3)))
    assert waits_s == [SETTLED_AFTER_S, 0.0]
