"""`evsup verify` proves that each event is in the table once, or names the partition and the event."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from scripts.harness.table import EVENTS
from scripts.harness.waiting import eventually
from tests.harness.pipeline import UNCHECKED, Pipeline, pipeline_of


@pytest.fixture(scope="module")
def shared() -> Iterator[Pipeline]:
    """One partition for the tests to which its content does not matter."""
    with pipeline_of(1, **UNCHECKED) as made:
        yield made


@pytest.fixture(scope="module")
def rejected(shared: Pipeline) -> dict[str, Any]:
    """What `verify` finds when Snowflake has rejected three rows of the partition."""
    shared.publish(100)
    evsup = shared.start()
    shared.await_all()
    eventually(lambda: str(shared.position("0")) == shared.token("0"), "the checkpoint follows")
    shared.snow.reject_rows(3)
    shared.publish(100)
    assert evsup.wait() == 65
    [finding] = verified(shared, code=65)["0"]["findings"]
    return dict(finding)


def loaded(pipeline: Pipeline, events: int = 300) -> None:
    """Services whose table has so many events of each partition, and no tree any more."""
    pipeline.publish(events)
    evsup = pipeline.start(**UNCHECKED)
    pipeline.await_all()
    assert evsup.stop() == 0


def change(pipeline: Pipeline, statement: str) -> None:
    """Change the table behind evsup's back; {table} is its name."""
    assert pipeline.change(statement.format(table=EVENTS)) > 0


def verified(pipeline: Pipeline, *arguments: str, code: int, **environment: str) -> dict[str, Any]:
    """What `verify --json` prints, by partition; fails unless it ended with `code`."""
    done = pipeline.run("verify", "--json", *arguments, **environment)
    assert done.returncode == code, done.stderr
    document = json.loads(done.stdout)
    assert document["proven"] is (code == 0)
    return {one["partition"]: one for one in document["partitions"]}


def test_what_was_loaded_is_proven_and_what_is_missing_or_there_twice_is_named(pipeline2: Pipeline) -> None:
    loaded(pipeline2)
    proofs = verified(pipeline2, code=0)
    assert {(one["verdict"], one["rows"], one["first"], one["last"], one["token"]) for one in proofs.values()} == {
        ("proven", 300, 0, 299, 299)
    }
    between = datetime.now(UTC).isoformat()
    change(pipeline2, "DELETE FROM {table} WHERE PARTITION_ID = '1' AND SEQUENCE_NUMBER IN (0, 7, 8, 299)")
    change(pipeline2, "INSERT INTO {table} SELECT * FROM {table} WHERE PARTITION_ID = '0' AND SEQUENCE_NUMBER = 12")
    done = pipeline2.run("verify")
    assert done.returncode == 65
    for told in (
        "2 of 2 partitions refuted",
        "partition 0: 1 row too many, the first of event 12",
        "partition 1: event 0 is not in the table",
        "partition 1: 2 events, 7 to 8, are not in the table",
        "partition 1: event 299 is not in the table",
    ):
        assert told in done.stdout
    assert done.stderr.startswith("evsup: 2 of 2 partitions are not proven: partition 0: 1 row too many")
    proofs = verified(pipeline2, "--partition", "1", code=65)
    assert proofs.keys() == {"1"}
    assert [(one["first"], one["last"]) for one in proofs["1"]["findings"]] == [(0, 0), (7, 8), (299, 299)]
    assert (proofs["1"]["missing"], proofs["1"]["repeated"]) == (4, 0)

    pipeline2.publish(50)
    evsup = pipeline2.start(**UNCHECKED)
    eventually(lambda: all(held.last == 349 for held in pipeline2.in_table().values()), "the next rows are there")
    assert evsup.stop() == 0
    since = verified(pipeline2, "--since", between, code=0)
    assert {(one["rows"], one["first"]) for one in since.values()} == {(50, 300)}


def test_verify_proves_beside_a_running_tree_and_takes_nothing_from_it(shared: Pipeline) -> None:
    evsup = shared.start()
    evsup.await_running(1)
    assert verified(shared, code=0)["0"]["verdict"] == "nothing"
    shared.publish(6000)
    verified(shared, code=0)
    eventually(lambda: shared.rows() == 6000, "all rows are there")
    assert verified(shared, code=0)["0"]["rows"] == 6000
    assert evsup.is_running, "the channel was not taken over"
    assert evsup.stop() == 0


def test_what_cannot_be_asked_is_no_proof(shared: Pipeline) -> None:
    unknown = shared.run("verify", "--partition", "9")
    assert (unknown.returncode, "The hub has no partition 9" in unknown.stderr) == (64, True)
    assert shared.run("verify", "--since", "yesterday").returncode == 64
    assert shared.run("verify", SNOWFLAKE_WAREHOUSE="").returncode == 78
    readable = ("SELECT", tuple(EVENTS.split(".")), "EVSUP_LOADER")
    shared.snow.revoke(*readable)
    refused = shared.run("verify")
    shared.snow.grant(*readable)
    assert refused.returncode == 77
    assert "Insufficient privileges" in refused.stderr


def test_rows_that_snowflake_rejected_are_missing_and_explained(rejected: dict[str, Any]) -> None:
    assert (rejected["kind"], rejected["count"]) == ("missing", 3)
    assert "Snowflake rejected 3 rows of this channel" in rejected["text"]


@pytest.mark.usefixtures("rejected")
def test_a_token_that_contradicts_the_checkpoint_refutes(shared: Pipeline) -> None:
    shared.snow.delete_channel(shared.channel("0"))
    finding = verified(shared, code=65)["0"]["findings"][0]
    assert finding["kind"] == "contradiction"
    assert "the channel has no token" in finding["text"]


def test_rows_begin_where_latest_was_or_where_a_person_moved_the_checkpoint(pipeline: Pipeline) -> None:
    pipeline.publish(100)
    evsup = pipeline.start(EVENTHUB_STARTING_POSITION="@latest", **UNCHECKED)
    evsup.await_running(1)
    pipeline.publish(100)
    eventually(lambda: pipeline.rows() == 100, "what came after the start is there")
    assert evsup.stop() == 0
    proof = verified(pipeline, code=0)["0"]
    assert (proof["first"], proof["begins"]) == (100, "after event 99, as the checkpoint says")
    change(pipeline, "DELETE FROM {table} WHERE SEQUENCE_NUMBER = 100")
    verified(pipeline, code=65)
    change(pipeline, "DELETE FROM {table}")
    pipeline.run("checkpoints", "set", "--partition", "0", "--sequence-number", "149", "--yes")
    assert verified(pipeline, code=0)["0"]["verdict"] == "nothing"
    evsup = pipeline.start(**UNCHECKED)
    eventually(lambda: pipeline.rows() == 50, "the rows after the new checkpoint are there")
    assert evsup.stop() == 0
    assert verified(pipeline, code=0)["0"]["first"] == 150
