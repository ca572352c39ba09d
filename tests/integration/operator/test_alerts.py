"""Prometheus' own tool evaluates the alerts over series of several trees and hubs: scripts/deploy/alerts.test.yaml."""

import re
import shutil
import subprocess

import pytest

from scripts.docs.generated import ROOT
from scripts.localcloud import debian
from scripts.localcloud.service import ServiceError

DEPLOY = ROOT / "scripts" / "deploy"


@pytest.fixture(scope="module")
def promtool() -> str:
    if installed := shutil.which("promtool"):
        return installed
    try:
        return str(debian.unpack("prometheus", ["prometheus"]) / "usr" / "bin" / "promtool")
    except ServiceError as error:
        pytest.skip(f"no promtool on PATH, and none from Debian: {error}")


def test_each_alert_fires_for_what_is_wrong_and_for_nothing_else(promtool: str) -> None:
    done = subprocess.run(
        [promtool, "test", "rules", "alerts.test.yaml"], cwd=DEPLOY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_seen_to_fire() -> None:
    alerts = re.findall(r"alert: (\w+)\n(?:.*\n)*?.*severity: (\w+)", (DEPLOY / "alerts.yaml").read_text())
    fired = (DEPLOY / "alerts.test.yaml").read_text()
    assert alerts
    assert not [alert for alert in alerts if f'alertname="{alert[0]}", severity="{alert[1]}"' not in fired]
