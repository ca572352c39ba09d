"""One partition for one term: how it is opened, how its rejected rows are quarantined, how its events are moved."""

from dataclasses import replace
from typing import Protocol

from msgspec import structs

from shared.config.settings import Settings
from shared.control.store import ControlStore
from shared.ipc.messages import Counters, TableColumns
from shared.model import Term
from worker.column_record import ColumnRecord
from worker.opening import StartingPoint, open_partition
from worker.pipeline.pipeline import Pipeline
from worker.pipeline.ports import EventSource, Ports
from worker.rows.formats import row_format
from worker.sink.channel import Channel
from worker.sink.rejection import Rejection
from worker.source.link import Position
from worker.source.receiver import Receiver
from worker.tasks import quarantine


class Partition(Protocol):
    """What the states of a worker need of their partition."""

    @property
    def settings(self) -> Settings:
        """The worker's."""

    @property
    def term(self) -> Term:
        """The ownership that the worker was started for."""

    @property
    def hub_name(self) -> str:
        """The event hub's name."""

    @property
    def asks_from_s(self) -> float:
        """When it may be opened for the first time, which asks the hub, on the host's monotonic clock."""

    @property
    def channel_name(self) -> str:
        """Name of the channel that was opened last."""

    @property
    def failed_request(self) -> str:
        """The request to Snowflake that failed last, as a part of a sentence; empty: none did."""

    def counted(self, counters: Counters) -> Counters:
        """The counters with what is counted where rows are made and sent, since the worker's start."""

    def learn(self, columns: TableColumns) -> str | None:
        """Make rows by these columns of the target table, once a checkpoint has kept the text that is returned."""

    def open(self, written: int | None) -> StartingPoint | Rejection:
        """Take the channel over and decide where to start, as `open_partition` says. Blocks."""

    def quarantine(self, rejection: Rejection) -> int:
        """Quarantine rejected rows; how many. Blocks. Raises why it cannot be done."""

    def pipeline(self, start: StartingPoint, totals: Counters) -> Pipeline:
        """What moves the events from `start` on, not started yet; `totals` as of `Pipeline`."""


class OwnedPartition:
    """A `Partition` between Event Hubs and Snowflake."""

    def __init__(
        self,
        settings: Settings,
        term: Term,
        channel: Channel,
        store: ControlStore,
        columns: TableColumns | None = None,
        asks_from_s: float = 0.0,
    ) -> None:
        self.settings, self.term, self.asks_from_s = settings, term, asks_from_s
        self._channel, self._store = channel, store
        self._rows = row_format(term.partition_id, settings, columns)
        self._columns = ColumnRecord(settings.snowflake, store, columns, self._rows.learn)

    @property
    def hub_name(self) -> str:
        """As `Partition`."""
        return self._store.group.eventhub_name

    @property
    def channel_name(self) -> str:
        """As `Partition`."""
        return self._channel.name

    @property
    def failed_request(self) -> str:
        """As `Partition`."""
        return self._channel.failed_request

    def counted(self, counters: Counters) -> Counters:
        """As `Partition`."""
        return structs.replace(self._rows.counted(counters), snowflake_throttled_total=self._channel.throttled)

    def learn(self, columns: TableColumns) -> str | None:
        """As `Partition`."""
        self._columns.columns = columns
        return self._columns.text

    def open(self, written: int | None) -> StartingPoint | Rejection:
        """As `Partition`."""
        found = open_partition(self.settings, self.term, self._channel, self._store, written)
        if isinstance(found, Rejection):
            return found
        durable = found.resume.after if found.status.token is None else found.status.token
        return replace(found, checkpoint=self._columns.begin(found.checkpoint, durable))

    def quarantine(self, rejection: Rejection) -> int:
        """As `Partition`."""
        return quarantine.quarantine_rows(rejection, self._store, self._channel, self._columns.columns)

    def pipeline(self, start: StartingPoint, totals: Counters) -> Pipeline:
        """As `Partition`."""
        source = self.source(start.position(self.settings.eventhub.starting_position))
        made = Pipeline(self.settings, start, Ports(source, self._channel, self._columns.save), totals)
        made.note_columns(self._columns.text)  # others may have been learned while it was opened
        return made

    def source(self, position: Position) -> EventSource:
        """The receiver, with the term's epoch as its owner level."""
        partition_id = self.term.partition_id
        return Receiver(self.settings.eventhub, partition_id, self.term.epoch, position, self._rows.event_of)
