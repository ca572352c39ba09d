"""What a command on checkpoints works with: settings, store and hub, and the term under which it changes rows."""

import getpass
import os
import secrets
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from shared.clock import monotonic
from shared.config import environment
from shared.config.settings import Settings
from shared.control.open import store_of
from shared.control.store import ControlStore
from shared.counted import ranges
from shared.errors import DataRefused, EvsupError, PartitionHeld, UsageError
from shared.eventhubs.client import EventHubClient
from shared.log.logger import get_logger
from shared.model import Checkpoint, HubFacts, PartitionFacts, Term
from shared.snowflake.quarantine_table import Quarantine
from supervisor.checkpoints.move import Move

RENEWALS_IN_A_LEASE = 3

Step = TypeVar("Step")
log = get_logger()


@dataclass(frozen=True, slots=True)
class AdminSession:
    """The settings, the control store and the hub, open while a command runs."""

    settings: Settings
    store: ControlStore
    hub: EventHubClient

    def partitions(self, wanted: Sequence[str] = ()) -> dict[str, PartitionFacts]:
        """Facts of the partitions wanted, or of all. Raises `UsageError` for one that the hub does not have."""
        hub = self.hub.hub()
        return self.hub.partitions(_known(hub, wanted), hub)

    def hub_facts(self, wanted: Sequence[str] = ()) -> HubFacts:
        """Hub facts with the partitions wanted, or all. Raises `UsageError` for one that the hub does not have."""
        hub = self.hub.hub()
        return replace(hub, partition_ids=tuple(_known(hub, wanted)))

    @contextmanager
    def tables(self, hub_created_at_s: float) -> Iterator[Quarantine]:
        """The tables that hold the hub's events: the target table and, if it exists, the quarantine."""
        with closing(Quarantine(self.settings.snowflake, self.store.group, hub_created_at_s)) as tables:
            tables.leave_out_if_missing()
            yield tables

    def checkpoints(self, partition_ids: Iterable[str]) -> dict[str, Checkpoint]:
        """The stored checkpoints, by one statement for all; empty ones where there are none."""
        rows = {row.partition_id: row for row in self.store.checkpoints()}
        return {each: rows.get(each) or Checkpoint.empty(each) for each in partition_ids}

    def checkpoint(self, partition_id: str) -> Checkpoint:
        """The stored one; an empty one when there is none."""
        return self.store.load_checkpoint(partition_id) or Checkpoint.empty(partition_id)

    def owners(self) -> dict[str, str]:
        """By partition, the owner with a live lease."""
        return {row.partition_id: row.owner_id for row in self.store.ownerships() if row.is_live}


def _known(hub: HubFacts, wanted: Sequence[str]) -> Sequence[str]:
    for partition_id in wanted:
        if partition_id not in hub.partition_ids:
            why = f"its partitions are {ranges(hub.partition_ids)}"
            raise UsageError(f"The hub has no partition {partition_id}", why)
    return wanted or hub.partition_ids


@contextmanager
def open_session(env_file: Path | None, **overrides: str | None) -> Iterator[AdminSession]:
    """Open settings, store and hub. `overrides` are settings by variable. Raises what opening them raises."""
    loaded = environment.load(env_file, overrides=overrides)
    # A process that the command starts reads its settings from the environment, as a worker does.
    os.environ.update(environment.environment_for_worker(loaded))
    settings = loaded.settings
    with (
        closing(store_of(settings)) as store,
        EventHubClient(settings.eventhub) as hub,
    ):
        store.check()
        yield AdminSession(settings, store, hub)


def default_actor() -> str:
    """`user@host`, for the audit rows."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # the user of a container may have no name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


@contextmanager
def claimed(store: ControlStore, partition_ids: Sequence[str], actor: str) -> Iterator[dict[str, Term]]:
    """Claim partitions, all or none, and release them at the end. Raises `PartitionHeld` when one has a live owner.

    The claims raise the epochs, so the store refuses whatever an earlier owner still writes.
    """
    owner_id = f"{actor}-{secrets.token_hex(4)}"
    terms: dict[str, Term] = {}
    try:
        for partition_id in _kept(store, terms, partition_ids):
            term = store.claim(partition_id, owner_id, store.ownership_expiration_s)
            if term is None:
                raise _has_owner(store, partition_id)
            # Noted one by one: a claim that fails half-way gives the ones before it back.
            terms[partition_id] = term
        yield terms
    finally:
        try:
            store.release_all(tuple(terms.values()))
        except EvsupError as error:  # must not hide the command's own result; the leases end by themselves
            log.warning("release_failed", partitions=list(terms), reason=str(error))


def _kept(store: ControlStore, terms: Mapping[str, Term], steps: Iterable[Step]) -> Iterator[Step]:
    """Each step, with the terms renewed in between: in Snowflake a claim takes a part of a second, so that the lease of
    the first of some hundred partitions would end before the last is moved. Raises `PartitionHeld` when one is lost.
    """
    renewed_s = monotonic()
    for step in steps:
        if monotonic() - renewed_s > store.ownership_expiration_s / RENEWALS_IN_A_LEASE:
            kept = store.renew(tuple(terms.values()))
            if lost := [term for term in terms.values() if term not in kept]:
                raise _has_owner(store, lost[0].partition_id)
            renewed_s = monotonic()
        yield step


def carry_out(store: ControlStore, moves: Sequence[Move], actor: str, action: str) -> None:
    """Write each move with its audit row. Raises `DataRefused` when a checkpoint has changed since the plan."""
    with claimed(store, [move.before.partition_id for move in moves], actor) as terms:
        # Under the claim: until then a supervisor may have gone on. And all before any is written: a plan is carried
        # out whole or not at all.
        for move in _kept(store, terms, moves):
            _refuse_changed(move.before, store.load_checkpoint(move.before.partition_id))
        for move in _kept(store, terms, moves):
            epoch = terms[move.before.partition_id].epoch
            store.move_checkpoint(move.checkpoint(epoch), actor, action)


def _refuse_changed(planned: Checkpoint, stored: Checkpoint | None) -> None:
    now = stored or Checkpoint.empty(planned.partition_id)
    if (planned.sequence_number, planned.channel_generation) != (now.sequence_number, now.channel_generation):
        raise DataRefused(
            f"The checkpoint of partition {planned.partition_id} has changed since the plan was made",
            f"it was at {planned.sequence_number} and is at {now.sequence_number}",
            "Look at the new plan: run the command again without --yes.",
        )


def _has_owner(store: ControlStore, partition_id: str) -> PartitionHeld:
    owner = next((row for row in store.ownerships() if row.partition_id == partition_id), None)
    return PartitionHeld(
        f"Partition {partition_id} has a live owner",
        f"{owner.owner_id} renewed its lease {owner.age_s:.0f} s ago" if owner else "somebody claimed it just now",
        "Stop the supervisors of the group with SIGTERM (`evsup status --all` shows them), then run this again.",
    )
