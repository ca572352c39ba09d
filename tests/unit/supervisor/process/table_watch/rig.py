"""A worker that has loaded so many events, and the error of a table that rows do not fit."""

from shared.errors import RowsDoNotFit
from shared.ipc.messages import Counters, Drained, Opened, Status, TableColumns
from shared.model import Term
from supervisor.process.child import Child

GONE = RowsDoNotFit("T does not take evsup's rows", "there is no column PAYLOAD", "ALTER TABLE …;")
TERM = Term("0", "owner", 1)
NEXT_TERM = Term("0", "owner", 1)  # epochs begin again when a partition was forgotten between both


class Worker(Child):
    """How far a worker is, as the supervisor knows it."""

    def __init__(
        self,
        durable: int | None,
        appended: int,
        after: int | None = 9,
        rows: int = 0,
        term: Term = TERM,
        drained: int | None = None,
        checked: int | None = None,
    ) -> None:
        self.term = term
        self.status = Status(state="running", counters=Counters(durable=durable, appended=appended, rows_total=rows))
        self.opened = Opened(channel="C", resumed_after=after, reason="", checked_up_to=checked)
        self.drained = None if drained is None else Drained(checkpointed=drained)
        self.reported: list[object] = []

    def learn(self, columns: TableColumns) -> None:
        self.reported.append(columns.names)

    def note_checked(self, up_to: int) -> None:
        self.reported.append(up_to)
