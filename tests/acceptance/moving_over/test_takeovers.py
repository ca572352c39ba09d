"""Programs that evsup takes over from: what they have loaded is skipped, and everything after it comes once."""

import json
from collections.abc import Iterator, Mapping

import pytest

from scripts.harness.table import PartitionCount
from scripts.harness.waiting import eventually
from scripts.localcloud.blob import SAS, local_blobs
from scripts.localcloud.cloud import CloudSettings
from shared.eventhubs.client import consumer_group
from tests.harness.evsnow import InPostgres, InSnowflake, metadata_of
from tests.harness.pipeline import UNCHECKED, Pipeline, pipeline_of

LOADED, PUBLISHED = 100, 150
SDK, BARE, EVSNOW, EVSNOW_POSTGRES = PARTITIONS = ("0", "1", "2", "3")
CLOUD = CloudSettings(partitions=len(PARTITIONS), store="postgres", commit_delay_s=0.3)

LAYOUTS = {
    SDK: "Azure SDK blob checkpoints",
    BARE: "legacy: bare sequence numbers",
    EVSNOW: "EvSnow checkpoints in Snowflake of INGESTION.PUBLIC.EVENTS",
    EVSNOW_POSTGRES: "EvSnow checkpoints in PostgreSQL of INGESTION.PUBLIC.EVENTS",
}


@pytest.fixture(scope="module")
def pipeline() -> Iterator[Pipeline]:
    with pipeline_of(cloud=CLOUD, **UNCHECKED) as made:
        made.publish(PUBLISHED)
        yield made


@pytest.fixture(scope="module")
def printed(pipeline: Pipeline) -> Mapping[str, str]:
    """What each import printed, by partition. The other program had loaded events 0 to 99 of each."""
    return {
        SDK: of_the_azure_sdk(pipeline),
        BARE: of_bare_integers(pipeline),
        EVSNOW: of_evsnow_in_snowflake(pipeline),
        EVSNOW_POSTGRES: of_evsnow_in_postgres(pipeline),
    }


def of_the_azure_sdk(pipeline: Pipeline) -> str:
    group = consumer_group(pipeline.settings.eventhub)
    name = f"{group.fully_qualified_namespace}/{group.eventhub_name}/{group.consumer_group}/checkpoint/{SDK}".lower()
    with local_blobs() as blobs:
        blobs.metadata[name] = {"offset": "theirs", "sequencenumber": f"{LOADED - 1}"}
        return imported(pipeline, "--from", f"blob:{blobs.url}?{SAS}")


def of_bare_integers(pipeline: Pipeline) -> str:
    path = pipeline.cloud.directory / "legacy.json"
    path.write_text(json.dumps({BARE: LOADED - 1}))
    return imported(pipeline, str(path))


def of_evsnow_in_snowflake(pipeline: Pipeline) -> str:
    return of_evsnow(pipeline, InSnowflake(pipeline.change, "EVSUP.PUBLIC.INGESTION_STATUS"), EVSNOW)


def of_evsnow_in_postgres(pipeline: Pipeline) -> str:
    assert pipeline.cloud.postgres
    table = InPostgres(pipeline.cloud.postgres.dsn)
    return of_evsnow(pipeline, table, EVSNOW_POSTGRES, pipeline.cloud.postgres.password)


def of_evsnow(pipeline: Pipeline, table: InSnowflake | InPostgres, partition: str, password: str = "") -> str:
    """The import is refused until the row has a sequence number."""
    group = consumer_group(pipeline.settings.eventhub)
    hub = (group.fully_qualified_namespace, group.eventhub_name)
    source = ("--from", f"evsnow:{table.address}")
    table.put(*hub, partition, None, age_s=60)
    refusal = pipeline.output("checkpoints", "import", *source, "--yes", code=65, PGPASSWORD=password)
    assert f"EvSnow's checkpoint of partition {partition} has no sequence number" in refusal
    table.put(*hub, partition, metadata_of(LOADED - 1, "4711"))
    return imported(pipeline, *source, password=password)


def imported(pipeline: Pipeline, *source: str, password: str = "") -> str:
    return pipeline.output("checkpoints", "import", *source, "--yes", PGPASSWORD=password)


@pytest.fixture(scope="module")
def after(pipeline: Pipeline, printed: Mapping[str, str]) -> list[dict[str, PartitionCount]]:
    """What the table has after a first start, and after a second."""
    assert printed.keys() == set(PARTITIONS)
    return [drained(pipeline), drained(pipeline)]


def drained(pipeline: Pipeline) -> dict[str, PartitionCount]:
    evsup = pipeline.start()
    evsup.await_running(len(PARTITIONS))
    expected = len(PARTITIONS) * (PUBLISHED - LOADED)
    eventually(lambda: pipeline.rows() >= expected or not evsup.is_running, f"{expected} rows are in the table")
    assert evsup.stop() == 0, evsup.last_line
    return pipeline.in_table()


@pytest.mark.parametrize("partition", PARTITIONS)
def test_an_import_names_the_layout_that_it_read_and_what_it_skips(printed: Mapping[str, str], partition: str) -> None:
    assert f"Read 1 checkpoint ({LAYOUTS[partition]})" in printed[partition]
    assert f"Partition {partition}: the hub has events 0 to 149" in printed[partition]
    assert "100 events, 0 to 99: are never read" in printed[partition]
    assert "Done." in printed[partition]


@pytest.mark.parametrize("partition", PARTITIONS)
def test_the_table_gets_exactly_the_events_after_the_import(
    after: list[dict[str, PartitionCount]], partition: str
) -> None:
    first, second = after
    assert first[partition] == PartitionCount(50, 50, LOADED, PUBLISHED - 1)
    assert second[partition] == first[partition], "a further start repeats nothing"
