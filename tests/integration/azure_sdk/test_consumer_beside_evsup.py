"""The Azure SDK's own consumer and evsup in one consumer group: real processes over one control store."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from scripts.harness.waiting import eventually
from scripts.localcloud.cloud import CloudSettings, Store
from tests.harness.azure_sdk.client import SdkClient
from tests.harness.pipeline import UNCHECKED, Pipeline, pipeline_of

NAMES = ("0", "1")


@contextmanager
def services(store: Store) -> Iterator[tuple[Pipeline, Callable[[], SdkClient]]]:
    """Services of two partitions, and what starts an SDK client beside evsup."""
    clients: list[SdkClient] = []
    with pipeline_of(cloud=CloudSettings(partitions=2, store=store, commit_delay_s=0.3), **UNCHECKED) as pipeline:

        def start() -> SdkClient:
            clients.append(SdkClient(pipeline.environment, pipeline.cloud.directory))
            return clients[-1]

        try:
            yield pipeline, start
        finally:
            for client in clients:
                client.kill()


def owners(pipeline: Pipeline) -> dict[str, tuple[str, int]]:
    """Who holds each partition, and in which epoch."""
    with pipeline.store() as store:
        return {row.partition_id: (row.owner_id, row.epoch) for row in store.ownerships()}


def table(pipeline: Pipeline, partition: str) -> list[int]:
    """Sequence numbers in Snowflake."""
    rows = pipeline.snow.query(
        f"SELECT SEQUENCE_NUMBER FROM EVSUP.PUBLIC.EVENTS WHERE PARTITION_ID = '{partition}' ORDER BY 1"  # noqa: S608
    )
    return [number for (number,) in rows]


@pytest.mark.parametrize("store", ["sqlite", "postgres"])
def test_a_client_that_joins_gets_its_share_after_the_checkpoint_and_gives_it_back_when_it_closes(store: Store) -> None:
    with services(store) as (pipeline, start):
        evsup = pipeline.start()
        evsup.await_running(2)
        pipeline.publish(200)
        pipeline.await_all()
        client = start()
        eventually(lambda: len(evsup.workers()) == 1, "evsup has handed one over")
        [kept] = evsup.workers()
        [given] = set(NAMES) - {kept}
        pipeline.publish(100)
        eventually(lambda: client.events(given)[-1:] == [299], f"the client reads on: {client.stderr}")
        eventually(lambda: table(pipeline, kept)[-1:] == [299], "evsup reads on")
        assert client.events(given) == list(range(200, 300))
        assert client.events(kept) == []
        held = owners(pipeline)
        assert held[kept][0] != held[given][0]
        assert held[kept][1] == 1
        assert client.close() == 0
        evsup.await_running(2)
        pipeline.publish(100)
        eventually(lambda: all(table(pipeline, name)[-1:] == [399] for name in NAMES), "evsup reads both again")
        assert table(pipeline, given) == [*range(200), *range(300, 400)]
        assert table(pipeline, kept) == list(range(400))
        assert evsup.stop() == 0


def test_a_live_lease_of_either_side_is_never_taken_and_an_expired_one_is() -> None:
    with services("sqlite") as (pipeline, start):
        pipeline.publish(100)
        client = start()
        eventually(lambda: all(len(client.events(name)) == 100 for name in NAMES), "the client reads everything")
        before = owners(pipeline)
        evsup = pipeline.start()
        eventually(lambda: (tree := evsup.status()) and len(tree.elsewhere) == 2, "evsup sees the client's leases")
        assert len(set(before.values())) == 1
        pipeline.publish(50)
        eventually(lambda: all(len(client.events(name)) == 150 for name in NAMES), "the client goes on")
        assert owners(pipeline) == before
        eventually(lambda: all(pipeline.position(name) == 149 for name in NAMES), "its checkpoints follow")
        client.kill()
        evsup.await_running(2)
        pipeline.publish(50)
        eventually(lambda: pipeline.rows() == 100, "evsup takes what expired, after the checkpoints")
        assert [table(pipeline, name) for name in NAMES] == [list(range(150, 200))] * 2
        assert evsup.stop() == 0


def test_a_client_takes_what_a_killed_supervisor_left_and_begins_after_its_checkpoints() -> None:
    with services("sqlite") as (pipeline, start):
        evsup = pipeline.start("--max-partitions", "2")
        evsup.await_running(2)
        pipeline.publish(200)
        pipeline.await_all()
        eventually(lambda: all(row.checkpointed == 199 for row in evsup.workers().values()), "the checkpoints follow")
        evsup.kill()
        before = owners(pipeline)
        client = start()
        pipeline.publish(10)
        eventually(lambda: all(client.events(name)[-1:] == [209] for name in NAMES), f"it takes over: {client.stderr}")
        assert [client.events(name) for name in NAMES] == [list(range(200, 210))] * 2
        after = owners(pipeline)
        assert all(after[name][1] > before[name][1] for name in NAMES)
        assert client.close() == 0
