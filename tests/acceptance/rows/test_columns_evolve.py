# ruff: noqa: S608 - names of this project's own
"""With SNOWFLAKE_ON_UNKNOWN_KEY=evolve Snowflake adds a column for each new key, and no value is lost meanwhile."""

from scripts.harness.table import EVENTS
from scripts.harness.waiting import eventually
from scripts.localcloud.cloud import CloudSettings
from tests.acceptance.commands.test_verify import verified
from tests.harness.pipeline import pipeline_of

BOTH = "coalesce(PARTITION, (_EVSUP->'unknown'->>'partition'))"


def test_partitions_that_meet_a_new_key_at_once_lose_no_value_although_its_first_fields_are_dropped() -> None:
    cloud = CloudSettings(partitions=2, commit_delay_s=0.3, columns=("N NUMBER(38,0)",))
    with pipeline_of(2, cloud, SNOWFLAKE_ON_UNKNOWN_KEY="evolve") as pipeline:
        refused = pipeline.run("start")
        assert refused.returncode == 78
        assert "SET ENABLE_SCHEMA_EVOLUTION = TRUE;" in refused.stderr
        pipeline.change(f"ALTER TABLE {EVENTS} SET ENABLE_SCHEMA_EVOLUTION = TRUE")
        pipeline.snow.delay_evolution(3.0)
        evsup = pipeline.start()
        evsup.await_running(2)

        def has_learned() -> bool:
            """Whether the last events of both partitions have nothing beside their columns."""
            pipeline.publish(20)
            pipeline.await_all()
            last = max(held.last for held in pipeline.in_hub().values())
            kept = f"(_EVSUP->'unknown') IS NOT NULL AND (_EVSUP->>'sequence_number')::BIGINT > {last - 5}"
            return pipeline.snow.query(f"SELECT count(*) FROM {EVENTS} WHERE {kept}") == [(0,)]

        eventually(has_learned, "the workers know the new columns", every_s=2.0)
        dropped = f"SELECT count(DISTINCT _EVSUP->>'partition_id') FROM {EVENTS} WHERE PARTITION IS NULL"
        assert pipeline.snow.query(dropped) == [(2,)], "the first fields of each partition are dropped"
        lost = f"SELECT count(*) FROM {EVENTS} WHERE {BOTH} IS DISTINCT FROM (_EVSUP->>'partition_id')"
        assert pipeline.snow.query(lost) == [(0,)]
        proofs = verified(pipeline, code=0)
        assert {proof["verdict"] for proof in proofs.values()} == {"proven"}
        assert evsup.stop() == 0
