"""No credential is ever shown: not in a log at its most talkative, a status, a crash report or a process title."""

import os
import signal
from pathlib import Path

from scripts.chaos.marker import marked
from scripts.localcloud.cloud import CloudSettings
from tests.acceptance.evsup import Pipeline, eventually, pipeline_of


def secrets_of(pipeline: Pipeline) -> list[str]:
    """What must never be seen: the hub's key, the private key's lines, the database's password."""
    key = pipeline.environment["SNOWFLAKE_PRIVATE_KEY"]
    dsn = pipeline.environment["CONTROL_POSTGRES_DSN"]
    hub = pipeline.environment["EVENTHUB_CONNECTION_STRING"]
    return [
        hub.partition("SharedAccessKey=")[2].partition(";")[0],
        *[line for line in key.splitlines() if "-----" not in line],
        dsn.partition("postgres:")[2].partition("@")[0],
    ]


def command_lines(marker: str) -> str:
    return "".join(Path(f"/proc/{pid}/cmdline").read_text() for pid in marked(marker))


def test_no_secret_is_in_a_log_a_status_a_crash_report_or_a_command_line() -> None:
    with pipeline_of(cloud=CloudSettings(partitions=1, store="postgres", commit_delay_s=0.3)) as pipeline:
        pipeline.environment["SNOWFLAKE_PRIVATE_KEY"] = pipeline.cloud.private_key_file.read_text()
        secrets = secrets_of(pipeline)
        assert len(secrets) > 10
        evsup = pipeline.start(SNOWFLAKE_PRIVATE_KEY_FILE="", EVSUP_LOG_LEVEL="debug", SS_LOG_LEVEL="debug")
        workers = evsup.await_running(1)
        pipeline.publish(100)
        pipeline.hub.expire_tokens()
        pipeline.snow.expire_tokens()
        pipeline.await_all()
        shown = [command_lines(evsup.marker), pipeline.run("status", "--json").stdout, pipeline.run("status").stdout]
        evsup.send(signal.SIGUSR1)
        eventually(lambda: "tree_state" in evsup.stderr, "the state is logged")
        os.kill(workers["0"].pid, signal.SIGABRT)  # faulthandler writes stacks
        assert evsup.wait() == 70
        reports = [path.read_text() for path in evsup.state_dir.glob("crash-*.json")]
        assert len(reports) == 1
        everything = "\n".join([*shown, evsup.stderr, *reports])
        assert not [secret for secret in secrets if secret in everything]
