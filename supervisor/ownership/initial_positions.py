"""Where a consumer group begins: the partitions that the hub has at the group's first start.

They get their rows before the first claim, so that it can be told later which partitions were there at the beginning:
EVENTHUB_STARTING_POSITION is for those. One without a row was added since, and is read from its oldest event.

`@latest` becomes a number at this moment, also for partitions that nobody has room for yet. What comes from now on is
not skipped, whenever the partition is claimed.
"""

from collections.abc import Collection

from shared.config.settings import EventHubSettings
from shared.control.store import ControlStore
from shared.errors import OwnershipLost, StoreUnavailable
from shared.eventhubs.client import EventHubClient
from shared.log.logger import get_logger
from shared.model import LATEST, OLDEST, Checkpoint, HubFacts, PartitionFacts

log = get_logger()


def record_initial_positions(store: ControlStore, settings: EventHubSettings, hub: HubFacts) -> None:
    """Let the group begin, unless it has begun. Blocks and raises as the store and `EventHubClient.partitions` do."""
    position = settings.starting_position
    if position == OLDEST:
        return
    rows = store.checkpoints()
    if rows or store.ownerships():
        _warn_of_later_ones(position, set(hub.partition_ids) - {row.partition_id for row in rows})
        return
    try:
        is_ours = store.enrol(_first_rows(settings, hub))
    except (OwnershipLost, StoreUnavailable):  # another first start came in between, or the answer was lost
        if not store.checkpoints():
            raise
        is_ours = False
    if is_ours:
        log.info("group_began", partitions_total=len(hub.partition_ids), starting_position=position)


def _warn_of_later_ones(position: str, partition_ids: Collection[str]) -> None:
    if partition_ids:
        log.warning(
            "starting_position_not_used",
            setting=f"EVENTHUB_STARTING_POSITION={position}",
            partitions=sorted(partition_ids, key=lambda each: (len(each), each)),
            consequence="these partitions begin with their oldest event: they have no row, and the group has begun",
        )


def _first_rows(settings: EventHubSettings, hub: HubFacts) -> list[Checkpoint]:
    if settings.starting_position != LATEST:
        return [Checkpoint(each, None, None, 0, hub_created_at_s=hub.created_at_s) for each in hub.partition_ids]
    with EventHubClient(settings) as client:
        return [_at_end(each, facts) for each, facts in client.partitions(hub.partition_ids, hub).items()]


def _at_end(partition_id: str, facts: PartitionFacts) -> Checkpoint:
    """The end of a partition that never had an event is its beginning."""
    if facts.last < 0:
        return Checkpoint(partition_id, None, OLDEST, 0, hub_created_at_s=facts.hub_created_at_s)
    return Checkpoint(partition_id, None, None, 0, hub_created_at_s=facts.hub_created_at_s, begins_after=facts.last)
