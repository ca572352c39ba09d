"""Manifests, image and compose file say the same as the code and as each other: settings, times, pages, a user."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.docs.generated import ROOT
from shared.config import environment
from shared.config.variables import VARIABLES
from shared.errors import ExitCode
from supervisor.status.http.responses import PAGES
from tests.unit.scripts.test_deploy import LONGEST_STOP_S, NEEDS_A_PERSON

DEPLOY = ROOT / "scripts" / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
CONTAINERFILE = (DEPLOY / "Containerfile").read_text()
COMPOSE = yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text())
OVERLAYS = sorted(KUBERNETES.glob("overlays/*/kustomization.yaml"))
HUBS = [path.parent for path in OVERLAYS if "configMapGenerator" in path.read_text()]


def document(path: str) -> Any:
    """The one document of a file of the base."""
    return yaml.safe_load((KUBERNETES / "base" / path).read_text())


DEPLOYMENT, JOB = document("deployment.yaml")["spec"], document("init-job.yaml")["spec"]
PODS = [each["template"]["spec"] for each in (DEPLOYMENT, JOB)]


def literals(kustomization: Path) -> dict[str, str]:
    """The settings that a kustomization puts into the ConfigMap."""
    (generator,) = yaml.safe_load(kustomization.read_text())["configMapGenerator"]
    return dict(literal.split("=", 1) for literal in generator["literals"])


# --- Kubernetes -------------------------------------------------------------------------------------------------------


def test_no_manifest_would_overwrite_a_secret() -> None:
    for path in KUBERNETES.rglob("*.yaml"):
        assert "kind: Secret\n" not in path.read_text(), path
        assert "secretGenerator" not in path.read_text(), path


@pytest.mark.parametrize("overlay", HUBS, ids=lambda path: path.name)
def test_the_settings_of_each_overlay_start_evsup(overlay: Path, tmp_path: Path) -> None:
    """All but the key, which is a file that is not here."""
    settings = literals(KUBERNETES / "base" / "kustomization.yaml") | literals(overlay / "kustomization.yaml")
    assert settings.keys() <= VARIABLES.keys()
    settings |= {"CONTROL_POSTGRES_DSN": "postgresql://evsup@postgres/evsup", "SNOWFLAKE_PRIVATE_KEY_FILE": ""}
    signed_in = {
        "SNOWFLAKE_ROLE": "EVSUP_LOADER",
        "SNOWFLAKE_OAUTH_CLIENT_ID": "client",
        "SNOWFLAKE_OAUTH_CLIENT_SECRET": "secret",
        "SNOWFLAKE_OAUTH_TOKEN_ENDPOINT": "https://login.example.com/token",
    }
    loaded = environment.load_worker({**settings, **signed_in})
    assert loaded.eventhub.name == overlay.name


def test_each_hub_has_a_namespace_of_its_own() -> None:
    namespaces = [yaml.safe_load((hub / "kustomization.yaml").read_text())["namespace"] for hub in HUBS]
    assert len(set(namespaces)) == len(HUBS) >= 2


@pytest.mark.parametrize("pod", PODS, ids=["deployment", "job"])
def test_the_key_is_a_file_where_the_settings_look_for_it(pod: Any) -> None:
    (container,) = pod["containers"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    (key,) = (volume["secret"] for volume in pod["volumes"] if "secret" in volume)
    file = f"{mounts['key']}/{key['items'][0]['path']}"
    assert literals(KUBERNETES / "base" / "kustomization.yaml")["SNOWFLAKE_PRIVATE_KEY_FILE"] == file
    assert key["defaultMode"] & 0o037 == 0
    assert pod["securityContext"]["fsGroup"] == pod["securityContext"]["runAsGroup"]
    assert [entry["name"] for entry in container["env"]] == ["CONTROL_POSTGRES_DSN"]


def test_kubernetes_waits_for_the_longest_stop() -> None:
    assert PODS[0]["terminationGracePeriodSeconds"] > LONGEST_STOP_S


def test_probes_ask_for_pages_that_exist() -> None:
    (container,) = PODS[0]["containers"]
    probed = {name: probe["httpGet"]["path"] for name, probe in container.items() if name.endswith("Probe")}
    assert probed == {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}
    assert set(probed.values()) <= PAGES.keys()


def test_the_job_tries_again_what_may_pass_and_nothing_that_needs_a_person() -> None:
    (rule,) = JOB["podFailurePolicy"]["rules"]
    assert rule["action"] == "FailJob"
    assert set(rule["onExitCodes"]["values"]) == NEEDS_A_PERSON
    assert ExitCode.UNAVAILABLE not in NEEDS_A_PERSON


@pytest.mark.parametrize("pod", PODS, ids=["deployment", "job"])
def test_pods_run_as_the_user_of_the_image(pod: Any) -> None:
    (user, group) = map(int, re.findall(r"USER (\d+):(\d+)", CONTAINERFILE)[0])
    assert user != 0
    assert (pod["securityContext"]["runAsUser"], pod["securityContext"]["runAsGroup"]) == (user, group)
    assert f"--uid {user} " in CONTAINERFILE


def test_the_policy_lets_out_what_evsup_connects_to() -> None:
    ports = {entry["port"] for rule in document("network-policy.yaml")["spec"]["egress"] for entry in rule["ports"]}
    assert {53, 443, 5671, 5432} == ports


def test_the_autoscaler_leaves_no_partition_unowned_and_no_pod_idle() -> None:
    """Below partitions / EVSUP_MAX_PARTITIONS some would be unowned; above the partitions a pod has nothing to read."""
    text = (KUBERNETES / "overlays/autoscaled/scaled-object.yaml").read_text()
    (partitions,) = map(int, re.findall(r"Partitions of the hub \((\d+) here\)", text))
    _, scaled = yaml.safe_load_all(text)
    most = int(literals(KUBERNETES / "base" / "kustomization.yaml")["EVSUP_MAX_PARTITIONS"])
    assert scaled["spec"]["minReplicaCount"] == -(-partitions // most)
    assert scaled["spec"]["maxReplicaCount"] == partitions
    names = literals(KUBERNETES / "overlays/flights/kustomization.yaml")
    for name in ("EVENTHUB_NAMESPACE", "EVENTHUB_NAME", "EVENTHUB_CONSUMER_GROUP"):
        assert f"'{names[name]}'" in scaled["spec"]["triggers"][0]["metadata"]["query"]


# --- image and compose ------------------------------------------------------------------------------------------------


def test_the_check_of_the_image_asks_where_the_image_listens() -> None:
    (address,) = re.findall(r"EVSUP_HTTP_ADDRESS=(\S+)", CONTAINERFILE)
    assert f"http://{address}/healthz" in CONTAINERFILE
    port = address.rpartition(":")[2]
    assert literals(KUBERNETES / "base" / "kustomization.yaml")["EVSUP_HTTP_ADDRESS"].endswith(f":{port}")
    assert COMPOSE["services"]["evsup"]["environment"]["EVSUP_HTTP_ADDRESS"].endswith(f":{port}")


def test_compose_sets_variables_that_exist_and_waits_for_the_longest_stop() -> None:
    evsup = COMPOSE["services"]["evsup"]
    assert evsup["environment"].keys() <= VARIABLES.keys()
    assert float(evsup["stop_grace_period"].removesuffix("s")) > LONGEST_STOP_S


def test_compose_names_a_hub_and_a_group_that_the_emulator_makes() -> None:
    emulated = json.loads((DEPLOY / "compose" / "eventhubs.json").read_text())
    (hub,) = emulated["UserConfig"]["NamespaceConfig"][0]["Entities"]
    settings = COMPOSE["services"]["evsup"]["environment"]
    assert hub["Name"] == settings["EVENTHUB_NAME"]
    assert settings["EVENTHUB_CONSUMER_GROUP"] in [group["Name"] for group in hub["ConsumerGroups"]]
