"""A person at work on checkpoints: who it is, what he sees, and the term under which he changes anything."""

import getpass
import os
import secrets
import socket
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from shared.config import environment
from shared.config.settings import Settings
from shared.control.open import store_of
from shared.control.store import ControlStore
from shared.errors import DataRefused, EvsupError, PartitionHeld, UsageError
from shared.eventhubs.client import EventHubClient
from shared.log.logger import get_logger
from shared.model import Checkpoint, HubFacts, PartitionFacts, Term
from shared.snowflake.quarantine_table import Quarantine
from supervisor.checkpoints.plan import Move

log = get_logger()


@dataclass(frozen=True, slots=True)
class Site:
    """The settings, the control store and the hub, for the length of a command."""

    settings: Settings
    store: ControlStore
    hub: EventHubClient

    def partitions(self, wanted: Sequence[str] = ()) -> dict[str, PartitionFacts]:
        """What the hub says of the partitions wanted, or of all. Raises UsageError for one that it does not have."""
        hub = self.hub.hub()
        return self.hub.partitions(_known(hub, wanted), hub)

    def hub_facts(self, wanted: Sequence[str] = ()) -> HubFacts:
        """The hub with the partitions wanted, or all. Raises UsageError for one that it does not have."""
        hub = self.hub.hub()
        return replace(hub, partition_ids=tuple(_known(hub, wanted)))

    @contextmanager
    def tables(self, hub_created_at_s: float) -> Iterator[Quarantine]:
        """What holds the events of the hub: the target table and, where there is one, the quarantine."""
        with closing(Quarantine(self.settings.snowflake, self.store.group, hub_created_at_s)) as tables:
            tables.leave_out_if_missing()
            yield tables

    def checkpoint(self, partition_id: str) -> Checkpoint:
        """The stored one; one without a position when there is none."""
        return self.store.load_checkpoint(partition_id) or Checkpoint(partition_id, None, None, 0)

    def owners(self) -> dict[str, str]:
        """Who holds a partition by a live lease."""
        return {row.partition_id: row.owner_id for row in self.store.ownerships() if row.is_live}


def _known(hub: HubFacts, wanted: Sequence[str]) -> Sequence[str]:
    for partition_id in wanted:
        if partition_id not in hub.partition_ids:
            why = f"its partitions are {', '.join(hub.partition_ids)}"
            raise UsageError(f"The hub has no partition {partition_id}", why)
    return wanted or hub.partition_ids


@contextmanager
def site(env_file: Path | None, **overrides: str | None) -> Iterator[Site]:
    """Open what a command works on. `overrides` are settings by variable. Raises what they raise.

    The environment becomes the one of a worker, for a process that the command may start.
    """
    loaded = environment.load(env_file, overrides=overrides)
    os.environ.update(environment.environment_for_worker(loaded))
    settings = loaded.settings
    with (
        closing(store_of(settings)) as store,
        EventHubClient(settings.eventhub) as hub,
    ):
        store.check()
        yield Site(settings, store, hub)


def default_actor() -> str:
    """`user@host`, for the audit."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


@contextmanager
def holding(store: ControlStore, partition_ids: Sequence[str], actor: str) -> Iterator[dict[str, Term]]:
    """Claim partitions, all or none, and release them at the end. Raises PartitionHeld when one has a live owner.

    The claims raise the epochs, so nothing that an earlier owner still writes is taken.
    """
    owner_id = f"{actor}-{secrets.token_hex(4)}"
    terms: dict[str, Term] = {}
    try:
        for partition_id in partition_ids:
            term = store.claim(partition_id, owner_id, store.ownership_expiration_s)
            if term is None:
                raise _held(store, partition_id)
            terms[partition_id] = term
        yield terms
    finally:
        try:
            store.release_all(tuple(terms.values()))
        except EvsupError as error:  # what the command met, or has done, is told; the leases end by themselves
            log.warning("release_failed", partitions=list(terms), reason=str(error))


def carry_out(site: Site, moves: Sequence[Move], actor: str, action: str) -> None:
    """Write the positions of `moves`, each with its audit row. Raises when one of them has changed since the plan."""
    with holding(site.store, [move.before.partition_id for move in moves], actor) as terms:
        for move in moves:
            _refuse_changed(move.before, site.checkpoint(move.before.partition_id))
        for move in moves:
            epoch = terms[move.before.partition_id].epoch
            site.store.move_checkpoint(move.checkpoint(epoch), actor, action)


def _refuse_changed(planned: Checkpoint, now: Checkpoint) -> None:
    def told(row: Checkpoint) -> tuple[int | None, int]:
        return row.sequence_number, row.channel_generation

    if told(planned) != told(now):
        raise DataRefused(
            f"The checkpoint of partition {planned.partition_id} has changed since the plan was made",
            f"it was at {planned.sequence_number} and is at {now.sequence_number}",
            "Look at the new plan: run the command again without --yes.",
        )


def _held(store: ControlStore, partition_id: str) -> PartitionHeld:
    owner = next((row for row in store.ownerships() if row.partition_id == partition_id), None)
    return PartitionHeld(
        f"Partition {partition_id} has a live owner",
        f"{owner.owner_id} renewed its lease {owner.age_s:.0f} s ago" if owner else "somebody claimed it just now",
        "Stop the supervisors of the group with SIGTERM (`evsup status --all` shows them), then run this again.",
    )
