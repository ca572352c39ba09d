"""Every change of a checkpoint or an owner, recorded by triggers that only tests install."""

from pathlib import Path
from typing import Any

import psycopg

from scripts.chaos.judging.broken import InvariantBroken

TRIGGERS = Path(__file__).with_name("audit.sql")
CHANGES = "SELECT partition_id, before, after FROM chaos_audit WHERE control_table = %s ORDER BY id"
NOTHING = -1  # a position below every sequence number

Row = dict[str, Any]
Change = tuple[str, Row | None, Row | None]


class Audit:
    """Installed into a Postgres that has the control tables; `check` raises what broke I4 or I5."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        with psycopg.connect(dsn, autocommit=True) as session:
            session.execute(TRIGGERS.read_bytes())

    def check(self) -> dict[str, int]:
        """Check every change so far; how many there were, by table."""
        with psycopg.connect(self._dsn) as session:
            checkpoints: list[Change] = session.execute(CHANGES, ["evsup_checkpoint"]).fetchall()
            owners: list[Change] = session.execute(CHANGES, ["evsup_ownership"]).fetchall()
        for change in checkpoints:
            _require_checkpoint_forward(*change)
        for change in owners:
            _require_epoch_with_owner(*change)
        return {"checkpoint": len(checkpoints), "ownership": len(owners)}


def _require_checkpoint_forward(partition: str, before: Row | None, after: Row | None) -> None:
    """Neither the epoch nor the position of a checkpoint ever shrinks, and no row is deleted."""
    if before is None:
        return
    old, new = _place(before), _place(after) if after else (NOTHING, NOTHING)
    if new[0] < old[0] or new[1] < old[1]:
        raise InvariantBroken("I4", f"the checkpoint of partition {partition} went from {old} to {new}")


def _require_epoch_with_owner(partition: str, before: Row | None, after: Row | None) -> None:
    """Another owner has another, higher epoch; giving back and renewing keep it."""
    if before is None:
        return
    old, new = (before["owner_id"], before["epoch"]), (after["owner_id"], after["epoch"]) if after else ("", NOTHING)
    is_kept = new[0] in ("", old[0]) and new[1] == old[1]
    if not is_kept and new[1] <= old[1]:
        raise InvariantBroken("I5", f"the owner of partition {partition} changed from {old} to {new}")


def _place(row: Row) -> tuple[int, int]:
    position = row["sequence_number"]
    return row["epoch"], NOTHING if position is None else position
