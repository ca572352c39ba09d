"""The HTTP endpoint of a real tree: its numbers move, and its health follows what happens to the tree."""

import json
import signal
import socket
from contextlib import closing
from http.client import HTTPConnection

from prometheus_client.parser import text_string_to_metric_families

from scripts.harness.evsup import Evsup
from scripts.harness.waiting import PATIENCE_S, eventually
from tests.harness.pipeline import Pipeline
from tests.harness.services.ports import free_port


class Endpoint:
    """The HTTP side of one run."""

    def __init__(self) -> None:
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"

    def get(self, page: str, **headers: str) -> tuple[int, str]:
        """Status and page."""
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)) as connection:
            connection.request("GET", page, headers=headers)
            response = connection.getresponse()
            return response.status, response.read().decode()

    def metric(self, name: str) -> float:
        """The sum of a metric over its partitions."""
        families = text_string_to_metric_families(self.get("/metrics")[1])
        return sum(sample.value for family in families for sample in family.samples if sample.name == name)

    def await_checkpoints(self, total: int) -> None:
        """Wait until the partitions' checkpoints add up to it."""
        eventually(lambda: self.metric("evsup_checkpointed_sequence_number") == total, "checkpoints follow")


def running(pipeline: Pipeline, partitions: int, *arguments: str) -> tuple[Evsup, Endpoint]:
    """A tree with an endpoint, and its workers at work."""
    endpoint = Endpoint()
    evsup = pipeline.start(*arguments, EVSUP_HTTP_ADDRESS=endpoint.address)
    evsup.await_running(partitions)
    return evsup, endpoint


def test_metrics_move_and_the_status_is_the_one_of_the_command(pipeline2: Pipeline) -> None:
    evsup, endpoint = running(pipeline2, 2)
    for last in (99, 199):
        pipeline2.publish(100)
        endpoint.await_checkpoints(2 * last)
        assert endpoint.metric("evsup_appended_rows_total") == 2 * (last + 1)
    assert endpoint.metric("evsup_lag_events") == 0
    assert endpoint.metric("evsup_partitions_owned") == endpoint.metric("evsup_partitions") == 2
    assert endpoint.metric("evsup_lease_remaining_seconds") > 0
    assert (endpoint.get("/healthz"), endpoint.get("/readyz")) == ((200, "ok\n"), (200, "ok\n"))
    shown, told = (json.loads(text) for text in (endpoint.get("/status")[1], pipeline2.run("status", "--json").stdout))
    assert shown.keys() == told.keys()
    assert (shown["owner_id"], shown["healthy"]) == (told["owner_id"], True)
    assert [row["checkpointed"] for row in shown["partitions"]] == [199, 199]
    assert evsup.stop() == 0


def test_a_partition_that_nobody_holds_makes_the_tree_unready_and_no_less_alive(pipeline2: Pipeline) -> None:
    evsup, endpoint = running(pipeline2, 1, "--max-partitions", "1")
    eventually(lambda: endpoint.metric("evsup_partitions_unowned") == 1, "a partition has no owner")
    code, reason = endpoint.get("/readyz")
    assert (code, "nobody holds partitions 1" in reason) == (503, True)
    assert endpoint.get("/healthz") == (200, "ok\n")
    assert endpoint.metric("evsup_healthy") == 0
    assert evsup.stop() == 0


def test_a_tree_that_drains_is_unready(pipeline: Pipeline) -> None:
    pipeline.environment |= {"EVENTHUB_RETENTION_HOURS": "24", "EVSUP_HTTP_HOSTS": "ops.example"}
    evsup, endpoint = running(pipeline, 1)
    pipeline.snow.stall_commits()
    pipeline.publish(10)
    eventually(lambda: endpoint.metric("evsup_inflight_rows") == 10, "rows wait for their commit")
    assert 86000 < endpoint.metric("evsup_time_to_loss_seconds") < 86400
    evsup.send(signal.SIGTERM)
    eventually(lambda: endpoint.get("/readyz") == (503, "draining\n"), "it says so")
    shown = json.loads(endpoint.get("/overview")[1])
    assert (shown["verdict"], shown["headline"]) == ("changing", "draining, as it was asked to")
    assert "10 rows in flight" in {fact["label"]: fact["text"] for fact in shown["facts"]}["total"]
    logged = {line["event"]: line["text"] for line in shown["log"]}
    assert "signal=SIGTERM" in logged["drain_started"]
    assert "partition=0" in logged["partition_opened"], "what its workers log is there, too"
    assert endpoint.get("/healthz") == endpoint.get("/healthz", Host="ops.example") == (200, "ok\n")
    assert endpoint.get("/overview", Host="rebound.example")[0] == 421
    pipeline.snow.release_commits()
    assert evsup.wait() == 0
    pipeline.prove()


def test_clients_that_connect_and_send_nothing_delay_neither_the_tree_nor_each_other(pipeline: Pipeline) -> None:
    evsup, endpoint = running(pipeline, 1)
    silent = [socket.create_connection(("127.0.0.1", endpoint.port)) for _ in range(100)]
    try:
        pipeline.publish(100)
        pipeline.await_all()
        assert endpoint.get("/healthz") == (200, "ok\n")
        assert pipeline.run("status").returncode == 0
        assert evsup.stop() == 0
    finally:
        for client in silent:
            client.close()


def test_a_port_in_use_is_refused_before_anything_is_claimed(pipeline: Pipeline) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = pipeline.run("start", EVSUP_HTTP_ADDRESS=address)
    assert done.returncode == 78
    assert f"EVSUP_HTTP_ADDRESS={address} cannot be listened on" in done.stderr.splitlines()[-1]
    with pipeline.store() as store:
        assert not list(store.ownerships())
