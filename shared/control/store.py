"""The control store of one consumer group: who owns each partition, how far each one is, and which supervisors live.

The rules are written once, in the queries of `sql/`; a `Database` runs them. Azure's `CheckpointStore` is an adapter
around it (`shared.control.azure_sdk`).
"""

import json
import uuid
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import NoReturn

from shared.control import group_keys, schema
from shared.control.database import Database, Mode, Row, Run
from shared.control.rows import read_row
from shared.errors import Bug, CheckpointMovedBack, NotPermitted, OwnershipLost, StoreUnavailable, Unsupported
from shared.model import Checkpoint, ConsumerGroup, Ownership, Sessions, SupervisorRow, Term

_GRANT_AUDIT = (
    "As the owner of the control tables, run `GRANT INSERT ON TABLE evsup_audit TO …` (in Snowflake `TO ROLE …`) with"
    " the role of evsup."
)

_NOT_AUDITED = ("age_s", "target_columns")


class ControlStore:
    """Ownership, checkpoints and heartbeats of one consumer group.

    Each method is one transaction and may be called from any thread. It blocks for `database.CALL_S` at most and raises
    `StoreUnavailable` when the database does not answer, `NotPermitted` when it refuses, and `DataRefused` for a row
    that cannot be read. Time is the database's clock. `ownership_expiration_s` is how long leases and heartbeats last
    without a renewal.
    """

    def __init__(self, database: Database, group: ConsumerGroup, ownership_expiration_s: float) -> None:
        self.group = group
        self.ownership_expiration_s = ownership_expiration_s
        self._database, self._key = database, asdict(group.key)
        self._unanswered: dict[tuple[str, str], str] = {}
        """Etags of claims that got no answer, by partition and owner: the next try carries the same one."""

    def initialise(self) -> None:
        """Create the control tables where they are missing, and move older ones forward."""
        schema.create(self._database, self.group)

    def check(self) -> None:
        """Raise `ConfigurationError`, with `evsup init` as the fix, when a table is missing or of another version, or
        when there are rows of the group under another spelling of its names.
        """
        schema.check(self._database)
        group_keys.check(self._database, self.group)

    def check_writes(self) -> None:
        """Raise when the database is only read: `StoreUnavailable` of a standby, `NotPermitted` of a file."""
        self._database.check_writes()

    def close(self) -> None:
        """Close all connections. Further calls raise `StoreUnavailable`."""
        self._database.close()

    # --- ownership ----------------------------------------------------------------------------------------------------

    def ownerships(self) -> list[Ownership]:
        """Every partition that was ever claimed in the group."""
        rows = self._run("ownerships", "read", expiration_s=self.ownership_expiration_s)
        return [read_row(Ownership, row) for row in rows]

    def claim(self, partition_id: str, owner_id: str, expiration_s: float) -> Term | None:
        """Take a partition that nobody holds: never claimed, released, or not renewed for as long as its owner was
        promised. The new owner is promised `expiration_s` seconds.

        The same transaction raises the epoch of the ownership row and of the checkpoint row, which fences every older
        writer. None: somebody else holds it, or came first. Also for the owner's own live row, because a second process
        with the same owner id must not share a term. After `StoreUnavailable` the claim may have been committed all the
        same: calling again on the same store object then gives the term that was won.
        """
        if not owner_id:
            raise Bug(f"Nobody claims partition {partition_id}", "the owner id is empty, which means released")
        # Again the etag of a claim that got no answer: if that was committed, this one finds its row, with its epoch.
        etag = self._unanswered.pop((partition_id, owner_id), None) or _new_etag()
        try:
            row = self._take("claim", partition_id, owner_id, etag=etag, expiration_s=expiration_s)
        except StoreUnavailable:
            self._unanswered[partition_id, owner_id] = etag
            raise
        return Term(partition_id, owner_id, row["epoch"]) if row else None

    def compare_and_set(self, partition_id: str, owner_id: str, seen_etag: str | None) -> Ownership | None:
        """Claim or renew a partition whose row still carries `seen_etag`, or has no row yet.

        None when the row has another etag, or somebody else holds it and has not expired. A changed owner raises the
        epochs as `claim` does.
        """
        row = self._take(
            "compare_and_set",
            partition_id,
            owner_id,
            etag=_new_etag(),
            seen_etag=seen_etag,
            expiration_s=self.ownership_expiration_s,
        )
        return read_row(Ownership, row) if row else None

    def renew(self, terms: Sequence[Term]) -> list[Term]:
        """Renew all terms in one statement; returns those that still hold. The missing ones are lost."""
        if not terms:
            return []
        renewed = {Term(**row) for row in self._run("renew", etag=_new_etag(), terms=_as_keys(terms))}
        return [term for term in terms if term in renewed]

    def release_all(self, terms: Sequence[Term]) -> int:
        """Release partitions in one statement; returns how many. A term that had ended already changes nothing."""
        return len(self._run("release", etag=_new_etag(), terms=_as_keys(terms))) if terms else 0

    def release(self, term: Term) -> bool:
        """Release a partition; False when the term had ended already."""
        return self.release_all([term]) == 1

    # --- checkpoints --------------------------------------------------------------------------------------------------

    def checkpoints(self) -> list[Checkpoint]:
        """The checkpoint rows of the group."""
        return [read_row(Checkpoint, row) for row in self._run("checkpoints", "read", partition_id=None)]

    def loads_of_other_groups(self) -> list[tuple[str, str]]:
        """The names of the other groups of this hub that have loaded events, with `target_columns` of their rows."""
        return group_keys.other_loads(self._database, self.group)

    def load_checkpoint(self, partition_id: str) -> Checkpoint | None:
        """The checkpoint row of a partition; None when there is none."""
        rows = self._run("checkpoints", "read", partition_id=partition_id)
        return read_row(Checkpoint, rows[0]) if rows else None

    def save_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint under its epoch. The position may stay the same, for the counts beside it may change.

        Raises `OwnershipLost` when the row carries a newer epoch or another channel generation (which a save never
        changes), and `CheckpointMovedBack` when the position would shrink.
        """
        with self._database.transaction() as transaction:
            self._write(self._in_group(transaction), "save_checkpoint", checkpoint)

    def enrol(self, checkpoints: Sequence[Checkpoint]) -> bool:
        """Write the first rows of a group, all or none; False when the group has rows already."""
        with self._database.transaction("atomic") as transaction:
            run = self._in_group(transaction)
            if run("checkpoints", partition_id=None):
                return False
            for checkpoint in checkpoints:
                self._write(run, "save_checkpoint", checkpoint)
            return True

    def move_checkpoint(self, checkpoint: Checkpoint, actor: str, action: str) -> None:
        """Write any position, also an earlier one or (None) none, for an operator who knows why.

        It begins the next channel of the partition, with no rejected rows: `rows_error_count` of `checkpoint` is not
        used. The operator first claims the partition and writes under the epoch of that term, so that no worker runs
        beside it. The same transaction writes an audit row. Raises `OwnershipLost` when the row carries a newer epoch.
        """
        self._write_audited("move_checkpoint", checkpoint, actor, action)

    def begin_next_channel(self, checkpoint: Checkpoint) -> None:
        """Begin the next channel after this position, as `move_checkpoint` does, for a worker whose channel is lost.

        No audit row is written: nobody decided anything. Raises `OwnershipLost` when the row carries a newer epoch.
        """
        with self._database.transaction() as transaction:
            self._write(self._in_group(transaction), "move_checkpoint", checkpoint)

    def accept_rejected(self, checkpoint: Checkpoint, actor: str, action: str) -> None:
        """Take the rejected rows in `rows_error_count` of `checkpoint` for known; position and channel stay.

        Otherwise as `move_checkpoint`.
        """
        self._write_audited("accept_rejected", checkpoint, actor, action)

    def record_quarantine(self, checkpoint: Checkpoint, actor: str, action: str) -> None:
        """Save a checkpoint after quarantined rows, with their count; the same transaction writes an audit row."""
        self._write_audited("save_checkpoint", checkpoint, actor, action)

    def record_columns(self, checkpoint: Checkpoint, actor: str, lost: str | None = None) -> None:
        """Write `target_columns` and `checked_up_to` of a checkpoint, and nothing else of it.

        `lost` says what had been lost before; it is kept in an audit row. Raises `OwnershipLost` when the row carries a
        newer epoch, and `NotPermitted` when the audit row cannot be written.
        """
        if lost:
            self._write_audited("record_columns", checkpoint, actor, lost)
            return
        with self._database.transaction() as transaction:
            self._write(self._in_group(transaction), "record_columns", checkpoint)

    def settle_columns(self, terms: Sequence[Term]) -> int:
        """The target table had its columns after the last row of these terms, which have drained; how many of them are
        the newest of their partition still.
        """
        keys = json.dumps({f"{term.partition_id} {term.epoch}": True for term in terms})
        return len(self._run("settle_columns", terms=keys)) if terms else 0

    def check_audit(self) -> None:
        """Raise `NotPermitted`, with the grant, when an audit row could not be written; nothing is written."""
        try:
            self._run("explain_audit", "read")
        except NotPermitted as error:
            raise NotPermitted("No audit row can be written", error.why, _GRANT_AUDIT) from error
        except Unsupported:  # an account without EXPLAIN: the first audited write will show it
            return

    # --- supervisors --------------------------------------------------------------------------------------------------

    def heartbeat(self, supervisor: SupervisorRow) -> None:
        """Record that a supervisor is alive."""
        values = asdict(supervisor) | {"expiration_s": self.ownership_expiration_s}
        del values["age_s"], values["last_seen_s"]
        self._run("heartbeat", **values)

    def supervisors(self) -> list[SupervisorRow]:
        """All supervisors of the group, also those whose heartbeat is old."""
        rows = self._run("supervisors", "read", expiration_s=self.ownership_expiration_s)
        return [read_row(SupervisorRow, row) for row in rows]

    def retire(self, owner_id: str) -> None:
        """Remove the heartbeat row of a supervisor that stopped in order."""
        self._run("retire", owner_id=owner_id)

    def sessions(self) -> Sessions | None:
        """How many clients the database takes; None where evsup's do not count against a limit."""
        if self._database.dialect != "postgres":
            return None
        [row] = self._run("sessions", "read")
        return Sessions(**row)

    # ------------------------------------------------------------------------------------------------------------------

    def _take(self, query: str, partition_id: str, owner_id: str, **values: object) -> Row | None:
        """Change the owner and fence older writers, in one transaction; None when a newer owner has fenced already."""
        with self._database.transaction() as transaction:
            run = self._in_group(transaction)
            # The ownership row first: of two that claim at the same time, only the winner goes on to the fence. Nobody
            # locks the two rows in the other order, so that no two can wait for each other.
            rows = run(query, partition_id=partition_id, owner_id=owner_id, **values)
            if not rows:
                return None
            term = read_row(Term, {"partition_id": partition_id, "owner_id": owner_id, "epoch": rows[0]["epoch"]})
            if run("fence", partition_id=partition_id, epoch=term.epoch):
                return rows[0]
            # A stored epoch that is no number is never below ours, so nobody could own the partition: say why.
            for row in run("checkpoints", partition_id=partition_id):
                read_row(Checkpoint, row)
            return None

    def _write_audited(self, query: str, checkpoint: Checkpoint, actor: str, action: str) -> None:
        """Change a checkpoint and write the audit row of the change, in one transaction."""
        with self._database.transaction("atomic") as transaction:
            run = partial(self._in_group(transaction), partition_id=checkpoint.partition_id)
            before = _as_json(run("checkpoints"))
            self._write(self._in_group(transaction), query, checkpoint)
            after = _as_json(run("checkpoints"))
            run("record_audit", audit_id=_new_etag(), actor=actor, action=action, before=before, after=after)

    def _write(self, run: Run, query: str, checkpoint: Checkpoint) -> None:
        values = asdict(checkpoint) | {"lag_events": checkpoint.lag_events}
        # The database sets the one by its own clock, and computes the other when the row is read.
        del values["updated_at_s"], values["age_s"]
        if not run(query, **values):
            _refuse(checkpoint, run("checkpoints", partition_id=checkpoint.partition_id))

    def _run(self, query: str, mode: Mode = "write", **values: object) -> list[Row]:
        with self._database.transaction(mode) as transaction:
            return self._in_group(transaction)(query, **values)

    def _in_group(self, run: Run) -> Run:
        return partial(run, **self._key)


def _refuse(checkpoint: Checkpoint, rows: list[Row]) -> NoReturn:
    """Raise the reason why a checkpoint was not written; `rows` is what is stored."""
    what = f"The checkpoint of partition {checkpoint.partition_id} was not written"
    if not rows:
        raise Bug(what, "the partition was never claimed")
    stored = read_row(Checkpoint, rows[0])
    # The newer owner first: it may have moved the position and the channel as well, and is the reason for both.
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


def _new_etag() -> str:
    """A text that was never an etag before."""
    return uuid.uuid4().hex


def _as_keys(terms: Sequence[Term]) -> str:
    return json.dumps({f"{term.partition_id} {term.epoch} {term.owner_id}": True for term in terms})


def _as_json(rows: list[Row]) -> str:
    """A checkpoint row as it stands in the table, without its age and the long list of columns."""
    return json.dumps({name: value for name, value in rows[0].items() if name not in _NOT_AUDITED} if rows else None)
