"""What `evsup checkpoints list` and `evsup verify` print for people."""

from collections.abc import Sequence

from rich.console import Group
from rich.table import Table
from rich.text import Text

from shared.log.printable import printable
from supervisor.checkpoints.documents import ListedCheckpoint
from supervisor.checkpoints.verification import Proof
from supervisor.status.screens.table import table
from supervisor.status.words.columns import Column, age, count, fitting, number, span


def checkpoint_table(rows: Sequence[ListedCheckpoint], width: int | None = None) -> Table:
    """A line for each partition: its checkpoint, and who holds it."""
    return table(fitting(CHECKPOINTS, rows, width), rows)


def proof_screen(source: str, target: str, pipe: str, proofs: Sequence[Proof], width: int | None = None) -> Group:
    """A line for each partition: hub, checkpoint, token and table side by side; then what refutes the proof."""
    counts = {verdict: sum(one.verdict == verdict for one in proofs) for verdict in ("refuted", "unknown")}
    doubts = [f"{many} of {len(proofs)} partitions {verdict}" for verdict, many in counts.items() if many]
    head = Text.assemble(
        ("● ", "yellow" if doubts else "green"),
        (f"{source} in {target}: ", "bold"),
        f"{', '.join(doubts) or 'every event is there once'}\n",
        printable(f"  through {pipe}\n"),
    )
    found = [f"  partition {one.partition}: {each.text}" for one in proofs for each in one.findings]
    lines = [Text(printable(line), "red") for line in found]
    return Group(head, table(fitting(PROOFS, proofs, width), proofs), *([Text(), *lines] if lines else []))


CHECKPOINTS: tuple[Column[ListedCheckpoint], ...] = (
    Column("PART", "left", lambda row: row.partition),
    Column("CHECKPT", "right", lambda row: number(row.sequence_number)),
    Column("OFFSET", "right", lambda row: row.offset or "-", 3),
    Column("EPOCH", "right", lambda row: str(row.epoch), 4),
    Column("GENERATION", "right", lambda row: str(row.generation), 5),
    Column("LAG", "right", lambda row: count(row.lag)),
    Column("WRITTEN", "right", lambda row: "-" if row.age_s is None else f"{age(row.age_s)} ago", 1),
    Column("OWNER", "left", lambda row: row.owner_id or "-", 2),
)
PROOFS: tuple[Column[Proof], ...] = (
    Column("PART", "left", lambda row: row.partition),
    Column("IN HUB", "right", lambda row: span(row.hub_first, row.hub_last), 5),
    Column("CHECKPT", "right", lambda row: number(row.checkpoint), 7),
    Column("TOKEN", "right", lambda row: number(row.token), 6),
    Column("IN TABLE", "right", lambda row: span(row.first, row.last), 4),
    Column("ROWS", "right", lambda row: count(row.rows)),
    Column("MISSING", "right", lambda row: count(row.missing)),
    Column("REPEATED", "right", lambda row: count(row.repeated)),
    Column("REJECTED", "right", lambda row: count(row.rejected), 2),
    Column("QUARANTINED", "right", lambda row: count(row.quarantined), 1),
    Column("LAG", "right", lambda row: count(row.lag), 3),
    Column("", "left", lambda row: "nothing to prove" if row.verdict == "nothing" else row.verdict),
)
