"""Unit, alerts and dashboard name what there is: metrics, exit codes, times and a user."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.docs.generated import ROOT
from scripts.docs.metrics import main as metrics_page
from shared.config.settings import ProcessSettings
from shared.errors import ExitCode
from supervisor.process.stop import ABORT_GRACE_S, LATE_S
from supervisor.process.tree import RELEASE_S
from supervisor.status.health import STUCK_AFTER_S
from supervisor.status.metrics.catalogue import METRICS
from supervisor.status.otlp.push import CLOSE_S

UNIT = "evsup@.service"
MOST_EXPOSED = 2.0  # of 10, by systemd's own measure
DEPLOY = ROOT / "scripts" / "deploy"
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
NAMES = {metric.name for metric in METRICS}
LONGEST_STOP_S = ProcessSettings().drain_timeout + LATE_S + ABORT_GRACE_S + RELEASE_S + CLOSE_S
NEEDS_A_PERSON = {ExitCode.USAGE, ExitCode.DATA, ExitCode.NOT_PERMITTED, ExitCode.CONFIGURATION}


def text(name: str) -> str:
    return (DEPLOY / name).read_text()


def without_comments(name: str) -> str:
    return "\n".join(line for line in text(name).splitlines() if not line.lstrip().startswith("#"))


def metrics_in(source: str) -> set[str]:
    """Their names; of a histogram without what tells its series apart."""
    found = re.findall(r"\bevsup_[a-z_]+", source)
    return {re.sub("(?<=_seconds)_(bucket|sum|count)$", "", name) for name in found}


def expressions() -> str:
    """All queries of the dashboard."""
    panels = json.loads(text("grafana.json"))["panels"]
    return "\n".join(target["expr"] for panel in panels for target in panel["targets"])


def directive(name: str) -> str:
    """The one value of a directive of the unit."""
    (value,) = re.findall(rf"^{name}=(.*)$", text(UNIT), re.MULTILINE)
    return str(value)


# --- metrics ----------------------------------------------------------------------------------------------------------


def test_the_page_of_metrics_is_up_to_date() -> None:
    assert metrics_page([]) == 0


def test_the_dashboard_shows_every_metric_and_no_other() -> None:
    assert metrics_in(expressions()) == NAMES


def test_alerts_ask_only_for_metrics_that_exist() -> None:
    asked = metrics_in(without_comments("alerts.yaml"))
    assert asked
    assert asked <= NAMES


def test_operations_name_only_metrics_that_exist() -> None:
    assert metrics_in(OPERATIONS) <= NAMES


def test_the_runbook_answers_every_alert_and_no_other() -> None:
    alerts = re.findall(r"alert: (\w+)", text("alerts.yaml"))
    assert set(re.findall(r"^### (Evsup\w+)$", OPERATIONS, re.MULTILINE)) == set(alerts)
    runbooks = re.findall(r"runbook_url: (\S+)", text("alerts.yaml"))  # `make lint` follows these links
    assert runbooks == [f"docs/operations.md#{alert.lower()}" for alert in alerts]


def test_queries_and_alerts_tell_hubs_and_groups_apart() -> None:
    one_group = 'source="$source",consumer_group="$consumer_group"'
    assert expressions().count(one_group) == len(re.findall(r"evsup_\w+", expressions()))
    mixed = re.findall(
        r"\b(?:sum|max|count|group)\b(?! by \(source, consumer_group\b).*", without_comments("alerts.yaml")
    )
    assert mixed == []


def test_panels_do_not_lie_on_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in json.loads(text("grafana.json"))["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells


def test_every_name_that_stands_for_yours_is_in_the_list_of_those_to_fill_in() -> None:
    (listed,) = re.findall(r"^## Names to fill in$(.*?)^## ", OPERATIONS, re.MULTILINE | re.DOTALL)
    files = "\n".join(path.read_text() for path in DEPLOY.rglob("*.yaml"))
    ours = r"\bREGISTRY\b|\b\w+\.servicebus\.windows\.net|\bmyorg-myaccount\b|0{8}(?:-0+)+|metadata\.name: (\w+)"
    found = {name.group(1) or name.group() for name in re.finditer(ours, files)}
    assert len(found) == 5
    assert [name for name in found if f"`{name}`" not in listed] == []


# --- systemd ----------------------------------------------------------------------------------------------------------


def test_systemd_restarts_what_may_pass_and_nothing_that_needs_a_person() -> None:
    assert directive("Restart") == "on-failure"
    assert {int(code) for code in directive("RestartPreventExitStatus").split()} == NEEDS_A_PERSON


def test_systemd_waits_for_the_longest_stop() -> None:
    assert float(directive("TimeoutStopSec")) > LONGEST_STOP_S


def test_the_watchdog_is_slower_than_the_verdict_of_healthz() -> None:
    assert float(directive("WatchdogSec")) > STUCK_AFTER_S


def test_the_units_of_two_hubs_share_no_directory() -> None:
    for name in ("StateDirectory", "RuntimeDirectory", "WorkingDirectory"):
        assert directive(name).endswith("evsup/%i")
    assert directive("Environment") == f"EVSUP_STATE_DIR=/run/{directive('RuntimeDirectory')}"
    assert directive("ExecStart").endswith("--env-file /etc/evsup/%i.env")


def systemd_says(tmp_path: Path, *command: str) -> tuple[int, str]:
    """The exit code of `systemd-analyze COMMAND UNIT`, and what it complains of."""
    unit = tmp_path / UNIT
    unit.write_text(text(UNIT).replace("/opt/evsup/bin/evsup", str(Path(sys.executable).parent / "evsup")))
    done = subprocess.run(["systemd-analyze", *command, str(unit)], capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    assert systemd_says(tmp_path, "verify") == (0, "")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")
def test_systemd_finds_the_unit_little_exposed(tmp_path: Path) -> None:
    assert systemd_says(tmp_path, "security", "--offline=true", f"--threshold={10 * MOST_EXPOSED:.0f}") == (0, "")
