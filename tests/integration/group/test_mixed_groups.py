"""Members of one group with different settings: they spell its names differently, and their leases last differently."""

from typing import Any

from scripts.harness.waiting import eventually
from tests.harness.pipeline import BRISK, UNCHECKED, pipeline_of

RARELY: dict[str, Any] = {"EVENTHUB_LOAD_BALANCING_INTERVAL": "9.5", "EVENTHUB_OWNERSHIP_EXPIRATION": "30"}
OFTEN: dict[str, Any] = {**BRISK}
LONGER_S = 25.0  # than several short leases, and two rounds of the member with the long one


def test_leases_of_different_length_live_beside_each_other_under_two_spellings_of_the_group() -> None:
    """One renews so rarely that its lease looks expired by the settings of the other."""
    with pipeline_of(partitions=2, **RARELY, **UNCHECKED) as pipeline:
        hub = pipeline.settings.eventhub.name
        assert hub
        spelled: dict[str, Any] = {"EVENTHUB_NAME": hub.upper(), "EVENTHUB_CONSUMER_GROUP": "$default"}
        slow = pipeline.start()
        slow.await_running(2)
        pipeline.publish(200)
        hasty = pipeline.start(EVSUP_STATE_DIR=str(pipeline.cloud.directory / "hasty"), **OFTEN, **spelled)
        hasty.await_running(1)
        [kept] = slow.await_running(1)
        pipeline.publish(200)
        eventually(lambda: (tree := hasty.status()) and tree.uptime_s > LONGER_S, "many leases have passed")
        with pipeline.store() as store:
            assert {row.partition_id: row.epoch for row in store.ownerships()}[kept] == 1
        refused = ("checkpoints", "reset", "--partition", kept, "--to", "-1", "--yes")
        assert "has a live owner" in pipeline.output(*refused, code=75, **OFTEN, **spelled)
        pipeline.await_all()
        assert (hasty.stop(), slow.stop()) == (0, 0)
        pipeline.prove()
