"""The log of a partition after a failover to a replica."""

from scripts.localcloud.hub.entity import event
from scripts.localcloud.hub.entity.partition import FIRST_OFFSET
from tests.unit.scripts.localcloud.hub.logs import partition


def test_a_replica_that_lacks_events_gives_their_numbers_again_at_other_offsets() -> None:
    log, before = partition(100, 200, 300), partition(100, 200, 300)
    log.fail_over(2)
    assert (log.last_sequence_number, log.last_offset) == (0, str(FIRST_OFFSET))
    assert log.append(event.data(b"{}"), 400) == 1
    assert int(log.last_offset) > int(before.last_offset)
