"""The smoke test as an operator runs it, and against a table that lacks a row or has one twice."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from scripts.harness.failure import NotAsPromised
from scripts.localcloud.cloud import LocalCloud
from scripts.smoke.markers import Found, Query
from scripts.smoke.place import BRISK, LOCAL, Place, here, in_cloud, is_configured
from scripts.smoke.steps import Smoke

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture
def directory() -> Iterator[Path]:
    """Empty, and with a short name: a Unix socket's path has room for little more than 100 bytes."""
    with TemporaryDirectory(prefix="evsup-test-") as name:
        yield Path(name)


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with here() as made:
        yield made


def test_every_step_passes_on_local_services_and_the_cloud_is_left_out_when_told() -> None:
    environment = os.environ | {"EVENTHUB_NAMESPACE": "ns.servicebus.windows.net", "SNOWFLAKE_ACCOUNT": "myorg-acc"}
    done = subprocess.run(
        [sys.executable, "-m", "scripts.smoke", "--local"],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    lines = [line for line in done.stdout.splitlines() if line.startswith("  ok  ")]
    assert [line.split("  ok  ")[1].split(" mark")[0].split() for line in lines] == [
        ["round", "trip", "100", "of", "100"],
        ["two", "consumers", "80", "of", "80"],
        ["resume", "phase", "A:", "40", "of", "40"],
        ["resume", "phase", "B:", "80", "of", "80"],
    ]


def test_what_the_settings_name_is_read_from_its_end_on(monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
    monkeypatch.chdir(directory)
    with LocalCloud(LOCAL) as cloud:
        for name, text in (cloud.environment | BRISK).items():
            monkeypatch.setenv(name, text)
        cloud.hub.seed("0", 500)
        with in_cloud(None) as place:
            assert Smoke(place, directory).round_trip() == "100 of 100 markers in the table"
        assert cloud.snow.query("SELECT count(*) FROM EVSUP.PUBLIC.EVENTS") == [(100,)]


def test_a_marker_that_is_missing_fails_the_step_with_evsups_log(place: Place, directory: Path) -> None:
    lying = replace(place, query=one_row_off(place.query, -1))
    with pytest.raises(NotAsPromised, match="Not within 2 s: 100 markers") as caught:
        Smoke(lying, directory, arrival_s=2.0).round_trip()
    assert "partition_opened" in caught.value.evidence


def test_a_marker_that_is_there_twice_fails_the_step_at_once(place: Place, directory: Path) -> None:
    lying = replace(place, query=one_row_off(place.query, +1))
    with pytest.raises(NotAsPromised, match="1 too many"):
        Smoke(lying, directory).round_trip()


def one_row_off(query: Query, rows: int) -> Query:
    """A table with one row too many or too few."""

    def answer(sql: str, marker: str) -> list[dict[str, int]]:
        [row] = query(sql, marker)
        return [{"found": row["found"] + rows, "distinct_ids": row["distinct_ids"] + min(rows, 0)}]

    return answer


@pytest.mark.parametrize(
    ("found", "holds"),
    [(Found(3, 3, 3), True), (Found(3, 2, 2), False), (Found(3, 4, 3), False), (Found(3, 3, 2), False)],
)
def test_only_each_marker_once_passes(found: Found, holds: bool) -> None:
    assert found.holds is holds


def test_the_cloud_is_tried_only_with_credentials_of_both_services(
    monkeypatch: pytest.MonkeyPatch, directory: Path
) -> None:
    monkeypatch.chdir(directory)
    for name in ("EVENTHUB_CONNECTION_STRING", "EVENTHUB_NAMESPACE", "SNOWFLAKE_ACCOUNT"):
        monkeypatch.delenv(name, raising=False)
    assert not is_configured(None)
    monkeypatch.setenv("SNOWFLAKE_ACCOUNT", "myorg-acc")
    assert not is_configured(None)
    monkeypatch.setenv("EVENTHUB_NAMESPACE", "ns.servicebus.windows.net")
    assert is_configured(None)
