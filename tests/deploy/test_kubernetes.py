"""The manifests for Kubernetes are valid, fit each other, and fit the programs and images that they start."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from campaigns import keys
from data.paths import ROOT
from schedule import __main__ as schedule
from tests.support.dockerfile import stages
from tests.support.platforms import SERVICES

FOLDER = ROOT / "deploy" / "kubernetes"
VERSION = "1.34"
VALIDATE = ROOT / ".venv-aws" / "bin" / "kubernetes-validate"

Manifest = dict[str, Any]


def documents(folder: Path) -> list[Manifest]:
    """The manifests that the kustomization of a folder names."""
    files = yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]
    return [one for file in files for one in yaml.safe_load_all((folder / file).read_text())]


KUSTOMIZATION = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
MANIFESTS = documents(FOLDER)
MONITORS = documents(FOLDER / "monitoring")


def of_kind(kind: str) -> dict[str, Manifest]:
    return {one["metadata"]["name"]: one for one in MANIFESTS if one["kind"] == kind}


def templates() -> Iterator[tuple[str, Manifest]]:
    """Name and template of each kind of pod."""
    for name, one in of_kind("Deployment").items():
        yield name, one["spec"]["template"]
    for name, one in of_kind("CronJob").items():
        yield name, one["spec"]["jobTemplate"]["spec"]["template"]


PODS = dict(templates())
CONTAINERS = {
    (pod, container["name"]): container for pod, one in PODS.items() for container in one["spec"]["containers"]
}
each_container = pytest.mark.parametrize("which", CONTAINERS, ids="/".join)


# --- what they are ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", [FOLDER, FOLDER / "monitoring"], ids=["all", "monitoring"])
def test_kustomize_builds_them(folder):
    if not shutil.which("kubectl"):
        pytest.skip("kubectl is not installed")
    done = subprocess.run(["kubectl", "kustomize", folder], capture_output=True, text=True, check=True)
    built = list(yaml.safe_load_all(done.stdout))
    made = len(KUSTOMIZATION.get("configMapGenerator", ())) if folder == FOLDER else 0
    assert len(built) == len(documents(folder)) + made
    (namespace,) = of_kind("Namespace")
    assert {one["metadata"].get("namespace", namespace) for one in built} == {namespace}
    assert not re.findall(r"image: [^/\s]+$", done.stdout, re.MULTILINE), "every image has a registry and a version"


def test_they_are_valid_by_the_schemas_of_kubernetes():
    if not VALIDATE.exists():
        pytest.skip(f"{VALIDATE.relative_to(ROOT)} is not installed")
    files = [FOLDER / file for file in KUSTOMIZATION["resources"]]
    done = subprocess.run(
        [VALIDATE, "--strict", "--kubernetes-version", VERSION, *files], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_secret_is_in_the_repository():
    assert not of_kind("Secret")
    assert "secretGenerator" not in KUSTOMIZATION


# --- containers -------------------------------------------------------------------------------------------------------


@each_container
def test_a_container_is_confined_and_has_limits(which):
    container = CONTAINERS[which]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    for kind in ("requests", "limits"):
        assert set(container["resources"][kind]) == {"cpu", "memory"}


@pytest.mark.parametrize("pod", PODS)
def test_a_pod_runs_as_the_user_of_its_images(pod):
    spec = PODS[pod]["spec"]
    context = spec["securityContext"]
    assert context["runAsNonRoot"] is True
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    own = f"{context['runAsUser']}:{context['runAsGroup']}"
    assert context["fsGroup"] == context["runAsGroup"], "volumes can be written"
    for container in spec["containers"]:
        for target in targets(container["image"]):
            assert [rest for keyword, rest in stages()[target] if keyword == "USER"][-1] == own
    account = of_kind("ServiceAccount")[spec["serviceAccountName"]]
    assert account["automountServiceAccountToken"] is False


def targets(image: str) -> list[str]:
    """The Dockerfile's target behind the name of an image; none while it is not there."""
    return [one.stage for one in SERVICES if one.image == image and one.stage in stages()]


@each_container
def test_an_image_is_one_that_the_readme_builds_and_kustomize_names(which):
    (service,) = {one for one in SERVICES if one.image == CONTAINERS[which]["image"]}
    (named,) = [one for one in KUSTOMIZATION["images"] if one["name"] == service.image]
    built = rf"docker build --target {service.stage} +--tag {named['newName']}:{named['newTag']} \."
    assert re.search(built, (FOLDER / "README.md").read_text())


@pytest.mark.parametrize("which", [one for one in CONTAINERS if one[0] in of_kind("Deployment")], ids="/".join)
def test_a_container_that_serves_has_probes_at_its_ports(which):
    container = CONTAINERS[which]
    ports = {port["name"] for port in container["ports"]}
    for kind in ("readinessProbe", "livenessProbe"):
        probe = container[kind]
        assert probe.keys() & {"httpGet", "tcpSocket", "exec"}
        for way in ("httpGet", "tcpSocket"):
            if way in probe:
                assert probe[way]["port"] in ports
    if "httpGet" in container["readinessProbe"]:
        assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
        assert container["livenessProbe"]["httpGet"]["path"] == "/livez"


@pytest.mark.parametrize("pod", PODS)
def test_what_is_mounted_is_a_volume_and_what_it_claims_is_there(pod):
    spec = PODS[pod]["spec"]
    volumes = {one["name"]: one for one in spec["volumes"]}
    mounted = {mount["name"] for container in spec["containers"] for mount in container["volumeMounts"]}
    assert mounted == set(volumes)
    claims = {one["persistentVolumeClaim"]["claimName"] for one in volumes.values() if "persistentVolumeClaim" in one}
    assert claims <= set(of_kind("PersistentVolumeClaim"))
    for container in spec["containers"]:
        assert "/tmp" in {mount["mountPath"] for mount in container["volumeMounts"]}
        for variable in references(container):
            assert variable in variables(container), f"{variable} would stay as it is in the command"


def references(container: Manifest) -> set[str]:
    words = [*container.get("command", ()), *container.get("args", ())]
    return {name for word in words for name in re.findall(r"\$\((\w+)\)", word)}


def variables(container: Manifest) -> set[str]:
    names = {one["name"] for one in container.get("env", ())}
    for source in container.get("envFrom", ()):
        for made in KUSTOMIZATION["configMapGenerator"]:
            if source.get("configMapRef", {}).get("name") == made["name"]:
                names |= {literal.partition("=")[0] for literal in made["literals"]}
    return names


def arguments(pod: str, container: str, module: str) -> list[str]:
    """What stands behind `python -m module` in a command."""
    command = CONTAINERS[pod, container]["command"]
    assert command[:3] == ["python", "-m", module]
    return command[3:]


def test_the_commands_are_ones_that_the_programs_take(monkeypatch, tmp_path):
    options = arguments("schedule", "schedule", "schedule")
    parser = schedule._parser()
    known = {text for action in parser._actions for text in action.option_strings}
    if "--push-to" in known:
        parsed = parser.parse_args(options)
        assert parsed.once
        assert parsed.push_to == "$(MODELS)"
        mounts = {mount["mountPath"]: mount for mount in CONTAINERS["schedule", "schedule"]["volumeMounts"]}
        assert mounts[str(parsed.inbox)]["readOnly"]
    monkeypatch.setattr(keys, "_main", lambda options: 0 if options.role == "admin" else 1)
    assert keys.main(arguments("first-key", "first-key", "campaigns.keys")) == 0
    monkeypatch.setattr("campaigns.__main__._main", lambda options: 0 if options.database == "$(DATABASE)" else 1)
    from campaigns.__main__ import main

    assert main(arguments("desk", "desk", "campaigns")) == 0


def test_a_step_that_would_only_fail_again_is_not_tried_again():
    job = of_kind("CronJob")["schedule"]["spec"]["jobTemplate"]["spec"]
    (rule,) = job["podFailurePolicy"]["rules"]
    assert (rule["action"], rule["onExitCodes"]["values"]) == ("FailJob", [2, 3])
    assert rule["onExitCodes"]["containerName"] in {one["name"] for one in job["template"]["spec"]["containers"]}
    assert job["template"]["spec"]["restartPolicy"] == "Never", "else Kubernetes does not allow the policy"


# --- what refers to them ----------------------------------------------------------------------------------------------


def selected(labels: dict[str, str]) -> list[str]:
    return [pod for pod, one in PODS.items() if labels.items() <= one["metadata"]["labels"].items()]


def ports_of(pods: list[str]) -> set[str]:
    return {port["name"] for (pod, _), one in CONTAINERS.items() if pod in pods for port in one.get("ports", ())}


def test_services_lead_to_ports_of_pods_inside_the_cluster():
    for service in of_kind("Service").values():
        pods = selected(service["spec"]["selector"])
        assert len(pods) == 1
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports_of(pods)
        assert service["spec"].get("type", "ClusterIP") == "ClusterIP"


def test_the_model_server_scales_and_is_never_away_as_a_whole():
    (scaler,) = of_kind("HorizontalPodAutoscaler").values()
    name = scaler["spec"]["scaleTargetRef"]["name"]
    deployment = of_kind("Deployment")[name]["spec"]
    assert "replicas" not in deployment, "the autoscaler has them"
    (metric,) = scaler["spec"]["metrics"]
    assert metric["containerResource"]["container"] in {
        one["name"] for one in deployment["template"]["spec"]["containers"]
    }
    (budget,) = of_kind("PodDisruptionBudget").values()
    assert selected(budget["spec"]["selector"]["matchLabels"]) == [name]
    assert 0 < budget["spec"]["minAvailable"] < scaler["spec"]["minReplicas"]
    assert deployment["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


def test_nobody_is_reached_unless_a_policy_says_so():
    policies = of_kind("NetworkPolicy")
    (deny,) = [one["spec"] for one in policies.values() if one["spec"]["podSelector"] == {}]
    assert deny == {"podSelector": {}, "policyTypes": ["Ingress"]}
    for policy in policies.values():
        labels = policy["spec"]["podSelector"].get("matchLabels")
        if labels:
            pods = selected(labels)
            assert pods
            for rule in policy["spec"]["ingress"]:
                assert rule["from"], "from everywhere is what the policy is against"
                assert {port["port"] for port in rule["ports"]} <= ports_of(pods)


def test_monitors_scrape_ports_that_are_there_under_the_names_that_the_alerts_know():
    config = yaml.safe_load((ROOT / "monitoring" / "prometheus" / "prometheus.yml").read_text())
    jobs = {one["job_name"]: one.get("metrics_path", "/metrics") for one in config["scrape_configs"]}
    for monitor in MONITORS:
        labels = monitor["spec"]["selector"]["matchLabels"]
        (service,) = [one for one in of_kind("Service").values() if labels.items() <= one["metadata"]["labels"].items()]
        (endpoint,) = monitor["spec"]["endpoints"]
        assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
        (job,) = [one["replacement"] for one in endpoint["relabelings"] if one["targetLabel"] == "job"]
        assert job == monitor["metadata"]["name"]
        assert endpoint["path"] == jobs.pop(job, endpoint["path"])
    assert not jobs, "every job of prometheus.yml has a monitor"
