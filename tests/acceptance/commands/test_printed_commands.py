"""A command that a message names can be copied into a shell as it stands, also when the settings are in a file."""

import json
import os
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

from scripts.harness.evsup import EVSUP
from scripts.harness.waiting import PATIENCE_S
from tests.harness.pipeline import Pipeline, fix_of

FILE = "my site's.env"  # a shell needs quotes around it
PREFIXES = ("EVENTHUB_", "SNOWFLAKE_", "CONTROL_", "EVSUP_")


def settings_in_a_file(pipeline: Pipeline, **changes: str) -> Mapping[str, str]:
    """Write the settings of the pipeline to a file; returns the variables that have to be empty meanwhile."""
    own = {name: text for name, text in pipeline.environment.items() if name.startswith(PREFIXES)}
    lines = [f"{name}={shlex.quote(text)}" for name, text in {**own, **changes}.items()]
    (pipeline.cloud.directory / FILE).write_text("\n".join(lines))
    return dict.fromkeys(own, "")


def in_a_shell(pipeline: Pipeline, message: str, unset: Mapping[str, str]) -> None:
    """Run the command that a message names, with `--yes` where it asks for that."""
    [command] = message.split("`")[1::2]
    yes = " --yes" if "checkpoints" in command else ""
    path = f"{Path(EVSUP).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["/bin/sh", "-c", command + yes],
        env={**pipeline.environment, **unset, "PATH": path},
        cwd=pipeline.cloud.directory,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, (command, done.stderr)


def test_missing_control_tables_are_made_by_the_command_that_each_message_names(pipeline: Pipeline) -> None:
    unset = settings_in_a_file(pipeline, CONTROL_SQLITE_PATH=str(pipeline.cloud.directory / "new.db"))
    refused = pipeline.run("start", "--env-file", FILE, **unset)
    listed = pipeline.run("checkpoints", "list", "--env-file", FILE, **unset)
    checked = pipeline.check("--env-file", FILE, code=78, **unset)
    as_json = json.loads(pipeline.check("--json", "--env-file", FILE, code=78, **unset))["checks"]
    [in_json] = [one["fix"] for one in as_json if one["name"] == "control store"]
    init = "evsup init --env-file 'my site'\"'\"'s.env'"
    assert (refused.returncode, listed.returncode) == (78, 78)
    for shown in (refused.stderr, listed.stderr, checked, in_json):
        assert f"Run `{init}`." in shown
    in_a_shell(pipeline, in_json, unset)
    assert pipeline.run("checkpoints", "list", "--env-file", FILE, **unset).returncode == 0


def test_the_command_that_a_worker_names_repeats_what_the_supervisor_was_called_with(pipeline: Pipeline) -> None:
    pipeline.publish(100)
    evsup = pipeline.start()
    pipeline.await_all()
    assert evsup.stop() == 0
    pipeline.publish(1)
    pipeline.snow.delete_channel(pipeline.channel("0"))
    unset = settings_in_a_file(pipeline)
    refused = pipeline.run("start", "--env-file", FILE, "--max-partitions", "1", **unset)
    *log, last = refused.stderr.splitlines()
    assert (refused.returncode, fix_of(last).arguments[-2:]) == (65, ["--env-file", FILE])
    [failed] = [line for line in map(json.loads, log) if line["event"] == "worker_failed" and "reason" in line]
    [report] = evsup.state_dir.glob("crash-*.json")
    assert fix_of(failed["reason"]) == fix_of(json.loads(report.read_text())["fix"]) == fix_of(last)
    in_a_shell(pipeline, last, unset)
    pipeline.start()
    pipeline.await_all()


def test_a_start_without_what_is_lost_repeats_its_own_options_and_the_state_directory(pipeline: Pipeline) -> None:
    pipeline.publish(100)
    evsup = pipeline.start()
    pipeline.await_all()
    assert evsup.stop() == 0
    pipeline.publish(100)
    pipeline.hub.trim("0", 150)
    unset = settings_in_a_file(pipeline)
    directory = {"EVSUP_STATE_DIR": str(pipeline.cloud.directory / "its own")}
    arguments = ["start", "--max-partitions", "1", "--drain-timeout", "7.5", "--env-file", FILE]
    refused = pipeline.run(*arguments, **{**unset, **directory})
    again = fix_of(refused.stderr.splitlines()[-1])
    assert again.settings == {"EVENTHUB_ON_GAP": "warn", **directory}
    assert sorted(again.arguments) == sorted(arguments)
