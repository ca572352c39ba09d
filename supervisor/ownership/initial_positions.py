"""The initial positions of a consumer group: a checkpoint row for every partition that the hub has at its first start.

The rows are written before the first claim. EVENTHUB_STARTING_POSITION is for the partitions that have one. A partition
without a row was added to the hub later, and is read from its oldest event.

`@latest` becomes a sequence number in these rows, also for partitions that no member has capacity for yet. So events
that arrive from now on are not skipped, whenever the partition is claimed (docs/decisions/starting-position.md).
"""

from collections.abc import Collection

from shared.config.settings import EventHubSettings
from shared.control.store import ControlStore
from shared.errors import OwnershipLost, StoreUnavailable
from shared.eventhubs.client import EventHubClient
from shared.log.logger import get_logger
from shared.model import LATEST, OLDEST, Checkpoint, HubFacts, PartitionFacts, by_number

log = get_logger()


def record_initial_positions(store: ControlStore, settings: EventHubSettings, hub: HubFacts) -> None:
    """Write the initial positions of a group that has none.

    Blocks and raises as the store and `EventHubClient.partitions`.
    """
    position = settings.starting_position
    if position == OLDEST:
        return
    rows = store.checkpoints()
    # Ownerships, too: SDK clients may have read the group before, and have no checkpoint yet.
    if rows or store.ownerships():
        _warn_of_later_partitions(position, set(hub.partition_ids) - {row.partition_id for row in rows})
        return
    try:
        is_first = store.enrol(_first_rows(settings, hub))
    except (OwnershipLost, StoreUnavailable):  # another first start was faster, or the reply was lost
        if not store.checkpoints():
            raise
        is_first = False
    if is_first:
        log.info("group_began", partitions_total=len(hub.partition_ids), starting_position=position)


def _warn_of_later_partitions(position: str, partition_ids: Collection[str]) -> None:
    if partition_ids:
        log.warning(
            "starting_position_not_used",
            setting=f"EVENTHUB_STARTING_POSITION={position}",
            partitions=sorted(partition_ids, key=by_number),
            consequence="these partitions begin with their oldest event: they have no row, and the group has begun",
        )


def _first_rows(settings: EventHubSettings, hub: HubFacts) -> list[Checkpoint]:
    if settings.starting_position != LATEST:
        return [Checkpoint(each, None, None, 0, hub_created_at_s=hub.created_at_s) for each in hub.partition_ids]
    with EventHubClient(settings) as client:
        return [_at_end(each, facts) for each, facts in client.partitions(hub.partition_ids, hub).items()]


def _at_end(partition_id: str, facts: PartitionFacts) -> Checkpoint:
    """A row that skips what the partition has now. One that never had an event is read from its oldest."""
    if facts.last < 0:
        return Checkpoint(partition_id, None, OLDEST, 0, hub_created_at_s=facts.hub_created_at_s)
    return Checkpoint(partition_id, None, None, 0, hub_created_at_s=facts.hub_created_at_s, begins_after=facts.last)
