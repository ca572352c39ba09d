"""A real Prometheus reads a real tree, and every query of the dashboard finds what it asks for."""

import json
import shutil
import subprocess
from contextlib import closing
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from scripts.docs.generated import ROOT
from scripts.harness.waiting import PATIENCE_S, eventually
from scripts.localcloud import debian
from scripts.localcloud.service import ServiceError
from tests.harness.pipeline import Pipeline
from tests.harness.services.ports import free_port

DASHBOARD = json.loads((ROOT / "scripts" / "deploy" / "grafana.json").read_text())
QUERIES = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
JOB = """
global: {scrape_interval: 1s}
scrape_configs:
  - job_name: evsup
    static_configs: [{targets: ["127.0.0.1:%d"]}]
"""


class Prometheus:
    """A server that reads one tree every second."""

    def __init__(self, program: str, directory: Path, target: int) -> None:
        self.port = free_port()
        (directory / "prometheus.yml").write_text(JOB % target)
        arguments = ["--config.file=prometheus.yml", f"--web.listen-address=127.0.0.1:{self.port}"]
        with (directory / "log").open("wb") as log:
            self._process = subprocess.Popen([program, *arguments], cwd=directory, stdout=log, stderr=log)

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait()

    def is_ready(self) -> bool:
        """Whether it can be asked. It listens earlier, and answers 503 until then."""
        try:
            with closing(HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)) as connection:
                connection.request("GET", "/-/ready")
                return connection.getresponse().status == HTTPStatus.OK
        except ConnectionError:
            return False

    def ask(self, query: str) -> list[dict[str, Any]]:
        """The series that a query gives now."""
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)) as connection:
            connection.request("GET", f"/api/v1/query?{urlencode({'query': query})}")
            answer = json.loads(connection.getresponse().read())
        assert answer["status"] == "success", answer
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found


@pytest.fixture(scope="module")
def program() -> str:
    if installed := shutil.which("prometheus"):
        return installed
    try:
        return str(debian.unpack("prometheus", ["prometheus"]) / "usr" / "bin" / "prometheus")
    except ServiceError as error:
        pytest.skip(f"no prometheus on PATH, and none from Debian: {error}")


def test_every_panel_shows_numbers_of_a_tree_that_runs(program: str, pipeline: Pipeline, tmp_path: Path) -> None:
    port = free_port()
    pipeline.environment["SNOWFLAKE_CHECK_COLUMNS"] = "true"  # a panel may show what the check finds
    evsup = pipeline.start(EVSUP_HTTP_ADDRESS=f"127.0.0.1:{port}", EVENTHUB_RETENTION_HOURS="24")
    evsup.await_running(1)
    with closing(Prometheus(program, tmp_path, port)) as prometheus:
        eventually(prometheus.is_ready, "Prometheus is ready")
        info = eventually(lambda: prometheus.ask("evsup_info"), "the tree is read")[0]["metric"]
        pipeline.publish(100)
        pipeline.await_all()
        pipeline.snow.stall_commits()
        pipeline.publish(10)

        def empty() -> list[str]:
            return [query for query in QUERIES if not shows(prometheus.ask(filled(query, info)))]

        # Nothing has been drained yet.
        eventually(lambda: all("evsup_last_drain_seconds" in query for query in empty()), "every panel shows something")
        pipeline.snow.release_commits()
    assert evsup.stop() == 0


def filled(query: str, labels: dict[str, str]) -> str:
    """With the values of the dashboard's variables."""
    for name in ("job", "source", "consumer_group"):
        query = query.replace(f"${name}", labels[name])
    return query


def shows(found: list[dict[str, Any]]) -> bool:
    """Whether there is a number in it."""
    return any(series["value"][1] != "NaN" for series in found)
