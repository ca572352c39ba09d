"""No credential is ever shown: not in a log at level debug, a status, a crash report, a title or a core file."""

import os
import resource
import secrets
import signal
import stat
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from scripts.harness.evsup import Evsup
from scripts.harness.marker import command_lines
from scripts.harness.waiting import PATIENCE_S, eventually
from scripts.localcloud.cloud import CloudSettings
from tests.harness.pipeline import SABOTEUR, UNCHECKED, Pipeline, pipeline_of
from tests.harness.services.ports import free_port

SECRETS = (
    "EVENTHUB_CONNECTION_STRING",
    "SNOWFLAKE_PRIVATE_KEY",
    "SNOWFLAKE_PRIVATE_KEY_PASSPHRASE",
    "CONTROL_POSTGRES_DSN",
)
PASSPHRASE = secrets.token_urlsafe(24)
VERBOSE = {"EVSUP_LOG_LEVEL": "debug", "SS_LOG_LEVEL": "debug"}


@pytest.fixture(scope="module")
def pipeline() -> Iterator[Pipeline]:
    """One partition, every credential in the environment."""
    with pipeline_of(cloud=CloudSettings(partitions=1, store="postgres", commit_delay_s=0.3)) as made:
        key = load_pem_private_key(made.cloud.private_key_file.read_bytes(), None)
        encrypted = BestAvailableEncryption(PASSPHRASE.encode())
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encrypted).decode()
        made.environment |= VERBOSE | {
            "SNOWFLAKE_PRIVATE_KEY_FILE": "",
            "SNOWFLAKE_PRIVATE_KEY": pem,
            "SNOWFLAKE_PRIVATE_KEY_PASSPHRASE": PASSPHRASE,
        }
        yield made


def secrets_of(environment: dict[str, str]) -> list[str]:
    """What must never be seen: the hub's key, the private key's lines and passphrase, the database's password."""
    hub, key, passphrase, dsn = (environment[name] for name in SECRETS)
    return [
        hub.partition("SharedAccessKey=")[2].partition(";")[0],
        *[line for line in key.splitlines() if "-----" not in line],
        passphrase,
        dsn.partition("postgres:")[2].partition("@")[0],
    ]


def assert_not_shown(environment: dict[str, str], *texts: str) -> None:
    everything = "\n".join(texts)
    hidden = secrets_of(environment)
    assert len(hidden) > 20
    assert everything
    assert not [secret for secret in hidden if secret in everything]


def left_by(evsup: Evsup) -> list[str]:
    """Everything that it wrote: standard error, and whatever is in its state directory."""
    return [evsup.stderr, *(path.read_text() for path in evsup.state_dir.iterdir() if path.is_file())]


def pages(port: int) -> str:
    """Of the HTTP endpoint."""
    found = []
    for page in ("/", "/overview", "/metrics", "/healthz", "/readyz", "/status", "/nothing"):
        with closing(HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)) as connection:
            connection.request("GET", page)
            found.append(connection.getresponse().read().decode())
    return "\n".join(found)


def test_no_secret_is_in_a_log_a_status_a_crash_report_or_a_command_line(pipeline: Pipeline) -> None:
    port = free_port()
    evsup = pipeline.start(EVSUP_HTTP_ADDRESS=f"127.0.0.1:{port}", EVSUP_LOG_FORMAT="text")
    workers = evsup.await_running(1)
    pipeline.publish(100)
    pipeline.hub.expire_tokens()
    pipeline.snow.expire_tokens()
    pipeline.await_all()
    shown = [*command_lines(evsup.marker).values(), pages(port)]
    shown += [pipeline.output(*command) for command in (("status", "--json"), ("status",), ("config",))]
    evsup.send(signal.SIGUSR1)
    eventually(lambda: "tree_state" in evsup.stderr, "the state is logged")
    for pid in (evsup.pid, workers["0"].pid):
        assert resource.prlimit(pid, resource.RLIMIT_CORE) == (1, 1)
        assert stat.S_IMODE(Path(f"/proc/{pid}/environ").stat().st_mode) == 0o400
    os.kill(workers["0"].pid, signal.SIGABRT)  # faulthandler writes stacks
    assert evsup.wait() == 70
    assert len([*evsup.state_dir.glob("crash-*.json")]) == 1
    assert_not_shown(pipeline.environment, *shown, *left_by(evsup))


def test_no_secret_is_in_what_is_left_of_a_worker_that_crashed_over_its_settings(pipeline: Pipeline) -> None:
    go = pipeline.cloud.directory / "go"
    evsup = pipeline.start(PYTHONPATH=SABOTEUR, SABOTAGE="spill", SABOTAGE_GO=str(go), EVSUP_LOG_FORMAT="json")
    evsup.await_running(1)
    go.touch()
    assert evsup.wait() == 70
    assert "RuntimeError: cannot use" in evsup.last_line
    assert_not_shown(pipeline.environment, *left_by(evsup))


def test_no_secret_is_in_what_is_said_of_credentials_that_are_refused(pipeline: Pipeline) -> None:
    """All of them are wrong and were made for this test, so evsup knows none of them from another setting."""
    encrypted = BestAvailableEncryption(PASSPHRASE.encode())
    key = generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encrypted).decode()
    right = pipeline.environment
    sas, *_, password = secrets_of(right)
    wrong = {
        "EVENTHUB_CONNECTION_STRING": right["EVENTHUB_CONNECTION_STRING"].replace(sas, "d3JvbmdseSB3cm9uZ2x5IHdyb25n"),
        "SNOWFLAKE_PRIVATE_KEY": key,
        "CONTROL_POSTGRES_DSN": right["CONTROL_POSTGRES_DSN"].replace(password, "wrongly-Wr0ng!"),
    }
    said = pipeline.run("check", **wrong)
    assert said.returncode != 0
    assert said.stdout.count("fail ") >= 3
    assert_not_shown(right | wrong, said.stdout, said.stderr)


# Every command. Together they crash at every level: click, settings, store, hub, Snowflake, and the output.
CRASHES = (
    ("click:Group.resolve_command", "config"),
    ("shared.config.environment:load", "config"),
    ("supervisor.commands.config:lines", "config"),
    ("click:echo", "config --json"),
    ("supervisor.state_dir:state_dir", "status"),
    ("supervisor.status.screens.status:group_screen", "status --all"),
    ("shared.control.schema:create", "init"),
    ("psycopg:Connection.connect", "init"),
    ("shared.control.store:ControlStore.ownerships", "checkpoints list"),
    ("shared.control.postgres.database:PostgresDatabase.__init__", "checkpoints export"),
    ("supervisor.checkpoints.admin_session:AdminSession.hub_facts", "verify"),
    ("shared.snowflake.session:SqlSession.__init__", "verify"),
    ("shared.ipc.task:send", "verify"),
    ("shared.eventhubs.client:EventHubClient.__init__", "replay --partition 0 --from 0 --to 1"),
    ("shared.eventhubs.client:EventHubClient.__init__", "check"),
    ("shared.control.store:ControlStore.check", "check"),
    ("supervisor.ownership.leases:Leases.step", "start"),
    ("supervisor.process.tree:Tree.step", "start"),
    ("supervisor.status.http.server:HttpServer.__init__", "start"),
    ("worker.main:work", "start"),
)


@pytest.mark.parametrize(("place", "command"), CRASHES)
def test_a_crash_anywhere_shows_no_secret_nothing_on_stdout_and_is_70(
    pipeline: Pipeline, place: str, command: str
) -> None:
    sabotage = {"PYTHONPATH": SABOTEUR, "SABOTAGE_RAISES": place, "SABOTAGE_QUOTED": " ".join(SECRETS)}
    crashed = pipeline.run(*command.split(), **sabotage, **(UNCHECKED if command == "start" else {}))
    reports = [path.read_text() for path in Path(pipeline.environment["EVSUP_STATE_DIR"]).glob("crash-*.json")]
    assert_not_shown(pipeline.environment, crashed.stdout, crashed.stderr, *reports)
    if command != "check":  # `check` reports the crash in a line and goes on
        assert (crashed.returncode, crashed.stdout) == (70, "")
        assert "sabotage of" in crashed.stderr.rstrip("\n").rpartition("\n")[2]
    else:
        assert crashed.returncode not in {0, 1}
