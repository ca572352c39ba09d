"""What cannot work is refused within a minute: the right exit code, and one last line that says what, why and the fix.

All cases run side by side, some at a time, each with a control store of its own; a test only looks at its case.
"""

import re
import socket
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import certifi
import pytest

from scripts.localcloud.cloud import key_pair
from scripts.localcloud.snow.certificate import write_private
from shared.config.settings import ControlSettings
from shared.control import schema
from shared.control.open import open_database
from tests.harness.pipeline import Pipeline, pipeline_of

AT_ONCE = 4
LIMIT_S = 60.0


class Refusal(NamedTuple):
    """A start that must not succeed."""

    environment: Mapping[str, str]
    code: int
    says: tuple[str, ...]
    """Patterns, all in the last line."""
    arguments: tuple[str, ...] = ("start",)


class Ended(NamedTuple):
    """How it ended."""

    code: int
    stdout: str
    stderr: str
    took_s: float


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
CASES = (
    "nothing is set",
    "a silent Event Hubs",
    "a wrong Event Hubs key",
    "an unknown event hub",
    "an unknown consumer group",
    "no Event Hubs there",
    "no Snowflake there",
    "a silent Snowflake",
    "a Snowflake with another certificate",
    "a wrong Snowflake key",
    "no such table",
    "no control tables",
    "no Postgres there",
    "a state directory in use",
    "an unknown flag",
)


def refusals(pipeline: Pipeline, silent: int) -> dict[str, Refusal]:
    """By the name of the case."""
    cloud = pipeline.cloud
    text, port = cloud.connection_string, cloud.hub_service.ready["port"]
    dead = dead_port()
    streaming = {"SNOWFLAKE_CHECK_COLUMNS": "false"}  # else the look at the table, by SQL, would refuse first
    cases = (
        Refusal(NOTHING_SET, 78, ("faults", "SNOWFLAKE_USER", "is required")),
        Refusal(
            {"EVENTHUB_CONNECTION_STRING": text.replace(f":{port}", f":{silent}")},
            69,
            ("cannot be read", "no answer for", "can be reached"),
        ),
        Refusal(
            {"EVENTHUB_CONNECTION_STRING": re.sub("(SharedAccessKey)=[^;]+", r"\1=bm90IHRoZSBrZXk=", text)},
            77,
            ("cannot be read", "EVENTHUB_CONNECTION_STRING"),
        ),
        Refusal(
            {"EVENTHUB_CONNECTION_STRING": text.replace("flights", "nowhere"), "EVENTHUB_NAME": "nowhere"},
            78,
            ("nowhere", "404", "EVENTHUB_NAME=nowhere"),
        ),
        Refusal(
            {"EVENTHUB_CONSUMER_GROUP": "nobody"},
            78,
            ("partition 0", "could not be found", "EVENTHUB_CONSUMER_GROUP=nobody"),
        ),
        Refusal(
            {"EVENTHUB_CONNECTION_STRING": text.replace(f":{port}", f":{dead}")},
            69,
            ("cannot be read", "refused", "can be reached"),
        ),
        Refusal(
            {"SNOWFLAKE_URL": f"https://127.0.0.1:{dead}", **streaming},
            69,
            ("Partition 0", "Snowflake does not answer", "refused", "SNOWFLAKE_URL"),
        ),
        Refusal(
            {"SNOWFLAKE_URL": f"https://127.0.0.1:{silent}", **streaming},
            69,
            ("Partition 0", "Snowflake does not answer", "timed out", "SNOWFLAKE_URL"),
        ),
        Refusal(
            {"SNOWFLAKE_CA_FILE": certifi.where(), **streaming}, 78, ("Partition 0", "not trusted", "SNOWFLAKE_CA_FILE")
        ),
        Refusal(
            {"SNOWFLAKE_PRIVATE_KEY_FILE": str(strange_key(cloud.directory)), **streaming},
            77,
            ("Partition 0", "key pair", "RSA_PUBLIC_KEY"),
        ),
        Refusal({"SNOWFLAKE_TABLE": "NOWHERE", **streaming}, 78, ("Partition 0", "NOWHERE", "evsup init")),
        Refusal({"CONTROL_SQLITE_PATH": str(cloud.directory / "empty.db")}, 78, ("empty.db", "evsup init")),
        Refusal(
            {"CONTROL_STORE": "postgres", "CONTROL_POSTGRES_DSN": f"postgresql://u:p@127.0.0.1:{dead}/d"},
            69,
            ("control store", "refused", "Check that PostgreSQL is up"),
        ),
        Refusal(
            {"EVSUP_STATE_DIR": pipeline.environment["EVSUP_STATE_DIR"]},
            75,
            (f"pid {pipeline.started[0].pid}", "supervisor.lock", "EVSUP_STATE_DIR"),
        ),
        Refusal({}, 64, ("--max-partition",), ("start", "--max-partition", "4")),
    )
    return dict(zip(CASES, cases, strict=True))


def strange_key(directory: Path) -> Path:
    """A key pair that nobody registered."""
    path = directory / "strange.p8"
    write_private(path, key_pair()[0])
    return path


def dead_port() -> int:
    """A port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


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
        socket.create_server(("127.0.0.1", 0)) as silent,  # accepts, and never says a word
        pipeline_of() as pipeline,
        ThreadPoolExecutor(AT_ONCE) as threads,
    ):
        pipeline.start().await_running(1)
        cases = refusals(pipeline, silent.getsockname()[1])
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
