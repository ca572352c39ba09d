# ruff: noqa: D102 (each method is described where it is declared)
"""The control store on a database with enforced primary keys and transactions: the semantics, written once."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import NoReturn

from shared.control import schema, spelling
from shared.control.database import Database, Mode, Row, Run
from shared.control.rows import read_row
from shared.control.store import ControlStore, new_etag
from shared.errors import Bug, CheckpointMovedBack, NotPermitted, OwnershipLost, StoreUnavailable, Unsupported
from shared.model import Checkpoint, ConsumerGroup, Ownership, Sessions, SupervisorRow, Term

_GRANT_AUDIT = (
    "As the owner of the control tables, run `GRANT INSERT ON TABLE evsup_audit TO …` (in Snowflake `TO ROLE …`) with"
    " the role of evsup."
)


class RelationalStore(ControlStore):
    """Ownership and checkpoints in the tables of `sql/`.

    Each method is one transaction. Locks are taken in one order, ownership before checkpoint, so that a claim and a
    checkpoint cannot deadlock.
    """

    def __init__(self, database: Database, group: ConsumerGroup, ownership_expiration_s: float) -> None:
        super().__init__(group, ownership_expiration_s)
        self._database, self._key = database, asdict(group.key)
        self._unanswered: dict[tuple[str, str], str] = {}
        """Etags of claims that got no answer, by partition and owner: the next try carries the same one."""

    def initialise(self) -> None:
        schema.create(self._database)

    def check(self) -> None:
        schema.check(self._database)
        spelling.check(self._database, self.group)

    def close(self) -> None:
        self._database.close()

    def ownerships(self) -> list[Ownership]:
        rows = self._run("ownerships", "read", expiration_s=self.ownership_expiration_s)
        return [read_row(Ownership, row) for row in rows]

    def claim(self, partition_id: str, owner_id: str, expiration_s: float) -> Term | None:
        if not owner_id:
            raise Bug(f"Nobody claims partition {partition_id}", "the owner id is empty, which means released")
        etag = self._unanswered.pop((partition_id, owner_id), None) or new_etag()
        try:
            row = self._take("claim", partition_id, owner_id, etag=etag, expiration_s=expiration_s)
        except StoreUnavailable:
            self._unanswered[partition_id, owner_id] = etag
            raise
        return Term(partition_id, owner_id, row["epoch"]) if row else None

    def compare_and_set(self, partition_id: str, owner_id: str, seen_etag: str | None) -> Ownership | None:
        row = self._take(
            "compare_and_set",
            partition_id,
            owner_id,
            etag=new_etag(),
            seen_etag=seen_etag,
            expiration_s=self.ownership_expiration_s,
        )
        return read_row(Ownership, row) if row else None

    def renew(self, terms: Sequence[Term]) -> list[Term]:
        if not terms:
            return []
        renewed = {Term(**row) for row in self._run("renew", etag=new_etag(), terms=_as_keys(terms))}
        return [term for term in terms if term in renewed]

    def release_all(self, terms: Sequence[Term]) -> int:
        return len(self._run("release", etag=new_etag(), terms=_as_keys(terms))) if terms else 0

    def checkpoints(self) -> list[Checkpoint]:
        return [read_row(Checkpoint, row) for row in self._run("checkpoints", "read", partition_id=None)]

    def load_checkpoint(self, partition_id: str) -> Checkpoint | None:
        rows = self._run("checkpoints", "read", partition_id=partition_id)
        return read_row(Checkpoint, rows[0]) if rows else None

    def save_checkpoint(self, checkpoint: Checkpoint) -> None:
        with self._database.transaction() as transaction:
            self._write(self._in_group(transaction), "save_checkpoint", checkpoint)

    def enrol(self, checkpoints: Sequence[Checkpoint]) -> bool:
        with self._database.transaction("act") as transaction:
            run = self._in_group(transaction)
            if run("checkpoints", partition_id=None):
                return False
            for checkpoint in checkpoints:
                self._write(run, "save_checkpoint", checkpoint)
            return True

    def move_checkpoint(self, checkpoint: Checkpoint, actor: str, action: str) -> None:
        self._act("move_checkpoint", checkpoint, actor, action)

    def begin_next_channel(self, checkpoint: Checkpoint) -> None:
        with self._database.transaction() as transaction:
            self._write(self._in_group(transaction), "move_checkpoint", checkpoint)

    def accept_rejected(self, checkpoint: Checkpoint, actor: str, action: str) -> None:
        self._act("accept_rejected", checkpoint, actor, action)

    def record_quarantine(self, checkpoint: Checkpoint, actor: str, action: str) -> None:
        self._act("save_checkpoint", checkpoint, actor, action)

    def check_audit(self) -> None:
        try:
            self._run("explain_audit", "read")
        except NotPermitted as error:
            raise NotPermitted("No audit row can be written", error.why, _GRANT_AUDIT) from error
        except Unsupported:  # an account without EXPLAIN: the first act will tell
            return

    def heartbeat(self, supervisor: SupervisorRow) -> None:
        values = asdict(supervisor) | {"expiration_s": self.ownership_expiration_s}
        del values["age_s"]
        self._run("heartbeat", **values)

    def supervisors(self) -> list[SupervisorRow]:
        rows = self._run("supervisors", "read", expiration_s=self.ownership_expiration_s)
        return [read_row(SupervisorRow, row) for row in rows]

    def retire(self, owner_id: str) -> None:
        self._run("retire", owner_id=owner_id)

    def sessions(self) -> Sessions | None:
        if self._database.dialect != "postgres":
            return None
        [row] = self._run("sessions", "read")
        return Sessions(**row)

    def _take(self, query: str, partition_id: str, owner_id: str, **values: object) -> Row | None:
        """Change the owner and fence older writers, in one transaction; None when a newer owner has fenced already."""
        with self._database.transaction() as transaction:
            run = self._in_group(transaction)
            rows = run(query, partition_id=partition_id, owner_id=owner_id, **values)
            if not rows:
                return None
            term = read_row(Term, {"partition_id": partition_id, "owner_id": owner_id, "epoch": rows[0]["epoch"]})
            if run("fence", partition_id=partition_id, epoch=term.epoch):
                return rows[0]
            for row in run("checkpoints", partition_id=partition_id):
                read_row(Checkpoint, row)  # an epoch that is no number is never below: nobody would own it, and why?
            return None

    def _act(self, query: str, checkpoint: Checkpoint, actor: str, action: str) -> None:
        """What is to be remembered of a checkpoint, and the audit row of it, in one transaction."""
        with self._database.transaction("act") as transaction:
            run = partial(self._in_group(transaction), partition_id=checkpoint.partition_id)
            before = _as_json(run("checkpoints"))
            self._write(self._in_group(transaction), query, checkpoint)
            after = _as_json(run("checkpoints"))
            run("record_audit", audit_id=new_etag(), actor=actor, action=action, before=before, after=after)

    def _write(self, run: Run, query: str, checkpoint: Checkpoint) -> None:
        values = asdict(checkpoint)
        del values["updated_at_s"]
        if not run(query, **values):
            _refuse(checkpoint, run("checkpoints", partition_id=checkpoint.partition_id))

    def _run(self, query: str, mode: Mode = "write", **values: object) -> list[Row]:
        with self._database.transaction(mode) as transaction:
            return self._in_group(transaction)(query, **values)

    def _in_group(self, run: Run) -> Run:
        return partial(run, **self._key)


def _refuse(checkpoint: Checkpoint, rows: list[Row]) -> NoReturn:
    """Say why a checkpoint was not written."""
    what = f"The checkpoint of partition {checkpoint.partition_id} was not written"
    if not rows:
        raise Bug(what, "the partition was never claimed")
    stored = read_row(Checkpoint, rows[0])
    if stored.epoch > checkpoint.epoch:
        why = f"epoch {stored.epoch} owns the partition now, this writer has epoch {checkpoint.epoch}"
        raise OwnershipLost(what, why)
    if stored.channel_generation != checkpoint.channel_generation:
        why = f"channel {stored.channel_generation} is in use, this writer has channel {checkpoint.channel_generation}"
        raise OwnershipLost(what, why)
    if stored.sequence_number is None:
        raise Bug(what, f"the database refused it without a reason: {checkpoint} over {stored}")
    why = f"sequence number {checkpoint.sequence_number} is behind the stored {stored.sequence_number}"
    raise CheckpointMovedBack(what, why)


def _as_keys(terms: Sequence[Term]) -> str:
    return json.dumps({f"{term.partition_id} {term.epoch} {term.owner_id}": True for term in terms})


def _as_json(rows: list[Row]) -> str:
    return json.dumps(rows[0] if rows else None)
