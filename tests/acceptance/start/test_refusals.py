"""What cannot work is refused within a minute: the right exit code, and one last line that says what, why and the fix.

All cases run side by side, four at a time, each with a control store of its own. A test looks at one of them.
"""

import re
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import certifi
import pytest

from scripts.localcloud.cloud import key_pair
from scripts.localcloud.signing.certificate import write_private
from shared.config.settings import ControlSettings
from shared.control import schema
from shared.control.open import open_database
from tests.harness.pipeline import Pipeline, pipeline_of
from tests.harness.services.ports import free_port

AT_ONCE = 4
LIMIT_S = 60.0


@dataclass(frozen=True)
class Refusal:
    """A start that must not succeed."""

    environment: Mapping[str, str]
    code: int
    says: tuple[str, ...]
    """Patterns, all in the last line."""
    arguments: tuple[str, ...] = ("start",)


@dataclass(frozen=True)
class Ended:
    """How it ended."""

    code: int
    stdout: str
    stderr: str
    took_s: float


@dataclass(frozen=True)
class Site:
    """Services that work, a tree that runs, and two ports where evsup gets no answer."""

    pipeline: Pipeline
    silent: int
    """Accepts connections, and never sends a byte."""
    dead: int
    """Nobody listens."""

    @property
    def directory(self) -> Path:
        """Where the services keep their files."""
        return self.pipeline.cloud.directory

    @property
    def hub(self) -> str:
        """The connection string that works."""
        return self.pipeline.cloud.connection_string

    def hub_at(self, port: int) -> str:
        """The same, with another port."""
        return self.hub.replace(f":{self.pipeline.cloud.hub_service.ready['port']}", f":{port}")


NOTHING_SET = dict.fromkeys(
    (
        "EVENTHUB_CONNECTION_STRING",
        "EVENTHUB_NAME",
        "SNOWFLAKE_ACCOUNT",
        "SNOWFLAKE_USER",
        "SNOWFLAKE_DATABASE",
        "SNOWFLAKE_SCHEMA",
        "SNOWFLAKE_TABLE",
        "SNOWFLAKE_PRIVATE_KEY_FILE",
    ),
    "",
)
STREAMING = {"SNOWFLAKE_CHECK_COLUMNS": "false"}  # else the check of the table, by SQL, would refuse first
CASES: Mapping[str, Callable[[Site], Refusal]] = {
    "nothing is set": lambda _: Refusal(NOTHING_SET, 78, ("faults", "SNOWFLAKE_USER", "is required")),
    "a silent Event Hubs": lambda site: Refusal(
        {"EVENTHUB_CONNECTION_STRING": site.hub_at(site.silent)},
        69,
        ("cannot be read", "no answer for", "can be reached"),
    ),
    "a wrong Event Hubs key": lambda site: Refusal(
        {"EVENTHUB_CONNECTION_STRING": re.sub("(SharedAccessKey)=[^;]+", r"\1=bm90IHRoZSBrZXk=", site.hub)},
        77,
        ("cannot be read", "EVENTHUB_CONNECTION_STRING"),
    ),
    "an unknown event hub": lambda site: Refusal(
        {"EVENTHUB_CONNECTION_STRING": site.hub.replace("flights", "nowhere"), "EVENTHUB_NAME": "nowhere"},
        78,
        ("nowhere", "404", "EVENTHUB_NAME=nowhere"),
    ),
    "an unknown consumer group": lambda _: Refusal(
        {"EVENTHUB_CONSUMER_GROUP": "nobody"},
        78,
        ("partition 0", "could not be found", "EVENTHUB_CONSUMER_GROUP=nobody"),
    ),
    "no Event Hubs there": lambda site: Refusal(
        {"EVENTHUB_CONNECTION_STRING": site.hub_at(site.dead)},
        69,
        ("cannot be read", "refused", "can be reached"),
    ),
    "no Snowflake there": lambda site: Refusal(
        {"SNOWFLAKE_URL": f"https://127.0.0.1:{site.dead}", **STREAMING},
        69,
        ("Partition 0", "Snowflake does not answer", "refused", "SNOWFLAKE_URL"),
    ),
    "a silent Snowflake": lambda site: Refusal(
        {"SNOWFLAKE_URL": f"https://127.0.0.1:{site.silent}", **STREAMING},
        69,
        ("Partition 0", "Snowflake does not answer", "timed out", "SNOWFLAKE_URL"),
    ),
    "a Snowflake with another certificate": lambda _: Refusal(
        {"SNOWFLAKE_CA_FILE": certifi.where(), **STREAMING}, 78, ("Partition 0", "not trusted", "SNOWFLAKE_CA_FILE")
    ),
    "a wrong Snowflake key": lambda site: Refusal(
        {"SNOWFLAKE_PRIVATE_KEY_FILE": str(strange_key(site.directory)), **STREAMING},
        77,
        ("Partition 0", "key's fingerprint", "RSA_PUBLIC_KEY"),
    ),
    "no such table": lambda _: Refusal(
        {"SNOWFLAKE_TABLE": "NOWHERE", **STREAMING}, 78, ("Partition 0", "NOWHERE", "evsup init")
    ),
    "no control tables": lambda site: Refusal(
        {"CONTROL_SQLITE_PATH": str(site.directory / "empty.db")}, 78, ("empty.db", "evsup init")
    ),
    "no Postgres there": lambda site: Refusal(
        {"CONTROL_STORE": "postgres", "CONTROL_POSTGRES_DSN": f"postgresql://u:p@127.0.0.1:{site.dead}/d"},
        69,
        ("control store", "refused", "Check that PostgreSQL is up"),
    ),
    "a state directory in use": lambda site: Refusal(
        {"EVSUP_STATE_DIR": site.pipeline.environment["EVSUP_STATE_DIR"]},
        75,
        (f"pid {site.pipeline.started[0].pid}", "has locked", "EVSUP_STATE_DIR"),
    ),
    "an unknown flag": lambda _: Refusal({}, 64, ("--max-partition",), ("start", "--max-partition", "4")),
}


def strange_key(directory: Path) -> Path:
    """A key pair that nobody registered."""
    path = directory / "strange.p8"
    write_private(path, key_pair()[0])
    return path


def ended(pipeline: Pipeline, name: str, case: Refusal) -> Ended:
    """Run a case to its end."""
    place = pipeline.cloud.directory / re.sub(r"\W", "-", name)
    own = {"CONTROL_SQLITE_PATH": str(place / "control.db"), "EVSUP_STATE_DIR": str(place / "state")}
    with closing(open_database(ControlSettings(sqlite_path=own["CONTROL_SQLITE_PATH"]))) as database:
        schema.create(database)
    started_s = time.monotonic()
    done = pipeline.run(*case.arguments, **{**own, **case.environment})
    return Ended(done.returncode, done.stdout, done.stderr, time.monotonic() - started_s)


@pytest.fixture(scope="module")
def ends() -> Iterator[Mapping[str, tuple[Refusal, "Future[Ended]"]]]:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pipeline_of() as pipeline,
        ThreadPoolExecutor(AT_ONCE) as threads,
    ):
        pipeline.start().await_running(1)
        site = Site(pipeline, silent.getsockname()[1], free_port())
        cases = {name: case(site) for name, case in CASES.items()}
        yield {name: (case, threads.submit(ended, pipeline, name, case)) for name, case in cases.items()}


@pytest.mark.timeout(LIMIT_S * len(CASES) / AT_ONCE)
@pytest.mark.parametrize("name", CASES)
def test_a_start_that_cannot_work_is_refused_in_time_with_a_reason(
    name: str, ends: Mapping[str, tuple[Refusal, "Future[Ended]"]]
) -> None:
    case, future = ends[name]
    end = future.result()
    reason = end.stderr.rpartition("evsup: ")[2] if case.code != 64 else end.stderr
    assert end.code == case.code, end.stderr
    assert all(re.search(pattern, reason) for pattern in case.says), reason
    assert name == "nothing is set" or case.code == 64 or reason.count("\n") == 1
    assert "Traceback" not in end.stderr
    assert end.stdout == ""
    assert end.took_s < LIMIT_S


def test_every_missing_setting_is_named_at_once(ends: Mapping[str, tuple[Refusal, "Future[Ended]"]]) -> None:
    reason = ends["nothing is set"][1].result().stderr
    missing = ("SNOWFLAKE_ACCOUNT", "SNOWFLAKE_USER", "SNOWFLAKE_DATABASE", "SNOWFLAKE_SCHEMA", "SNOWFLAKE_TABLE")
    assert all(name in reason for name in (*missing, "EVENTHUB_NAMESPACE", "EVENTHUB_NAME", "SNOWFLAKE_PRIVATE_KEY"))
