"""All platforms and the programs themselves agree with the one table of ports, paths, variables and versions."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from campaigns import settings
from data.paths import ROOT
from serving.flags import Flags
from tests.support.dockerfile import stages, values
from tests.support.front import HANDLER
from tests.support.platforms import (
    FRONT,
    FRONT_HANDLER,
    POSTGRESQL,
    PYTHON,
    SERVICES,
    STORE,
    TENSORFLOW_SERVING,
    USER,
    UV,
)

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
KUBERNETES = ROOT / "deploy" / "kubernetes"
TERRAFORM = sorted((ROOT / "deploy" / "aws").rglob("*.tf"))
HARMLESS = {"PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "DO_NOT_TRACK"}
"""Variables of every image, which no program of ours reads."""

each_service = pytest.mark.parametrize("service", SERVICES, ids=lambda one: one.name)


def asked(command: list[str]) -> set[str]:
    """Ports and paths that a health check asks for at this machine."""
    return {
        part for word in command for part in re.findall(r"http://127\.0\.0\.1:(\d+)(/[\w/-]*)", word) for part in part
    }


# --- programs ---------------------------------------------------------------------------------------------------------


def defaults(path: str, *names: str) -> set[Any]:
    """Values of constants, and defaults of options, in the source of a module."""
    found = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in names:
            found.add(ast.literal_eval(node.value))
        elif isinstance(node, ast.Call) and node.args and ast.unparse(node.args[0]).strip("'\"") in names:
            found |= {ast.literal_eval(word.value) for word in node.keywords if word.arg == "default"}
    return found


@each_service
def test_a_program_listens_on_its_port_by_itself(service):
    by_name = {"serving": Flags().rest_api_port, "desk": settings.PORT}
    if service.name == "exporter":
        assert defaults("monitoring/exporter.py", "--port") == {service.port}
    elif service.name == "sync" and importlib.util.find_spec("serving.sync"):
        assert defaults("serving/sync/__main__.py", "PORT") == {service.port}
    elif service.name in by_name:
        assert by_name[service.name] == service.port


def test_the_scripts_of_the_server_and_the_front_read_no_other_variables():
    (serving,) = [one for one in SERVICES if one.name == "serving"]
    read = set()
    for script in (ROOT / "serving" / "container").glob("*.sh"):
        read |= set(re.findall(r"\$\{([A-Z_]+):-", script.read_text()))
    assert read == set(serving.variables)
    front = set(re.findall(r'os\.environ(?:\.get\(|\[)"(\w+)"', HANDLER.read_text()))
    assert front == set(FRONT)
    assert f"def {FRONT_HANDLER.partition('.')[2]}(" in HANDLER.read_text()
    assert HANDLER.stem == FRONT_HANDLER.partition(".")[0]


# --- Dockerfile -------------------------------------------------------------------------------------------------------


@each_service
def test_the_dockerfile_agrees(service):
    if service.stage not in stages():
        pytest.skip(f"the Dockerfile has no stage {service.stage}")
    assert [int(port) for port in values(service.stage, "EXPOSE")] == ([service.port] if service.port else [])
    assert values(service.stage, "USER")[-1] == USER
    named = {word.split("=")[0] for line in values(service.stage, "ENV") for word in shlex.split(line)}
    assert named <= {*service.variables, *HARMLESS}
    for check in values(service.stage, "HEALTHCHECK"):
        command = json.loads(check.split("CMD ")[1])
        assert asked(command) <= {str(service.port), *service.health}
        assert asked(command) or command[0] in service.health


def test_the_dockerfile_has_the_versions_of_the_table():
    (python,) = [rest.split(" AS ")[0] for key, rest in stages()["python"] if key == "FROM"]
    assert re.fullmatch(rf"python:{re.escape(PYTHON)}\.\d+-slim-bookworm", python)
    assert (ROOT / ".python-version").read_text().strip() == PYTHON
    (server,) = [rest.split(" AS ")[0] for key, rest in stages()["serving"] if key == "FROM"]
    assert server == f"tensorflow/serving:{TENSORFLOW_SERVING}"
    assert f"uv=={UV}" in values("python", "RUN")[0]
    assert f"uv_version={UV}\n" in (ROOT / ".ci" / "environment").read_text()


# --- compose and Railway ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("service", [one for one in SERVICES if one.name in COMPOSE], ids=lambda one: one.name)
def test_compose_agrees(service):
    found = COMPOSE[service.name]
    assert found["build"]["target"] == service.stage
    for port in found.get("ports", ()):
        assert port == f"127.0.0.1:{service.port}:{service.port}"
    assert set(found.get("environment", ())) <= set(service.variables)
    check = found["healthcheck"]["test"][1:]
    assert asked(check) <= {str(service.port), *service.health}
    assert asked(check) or check[0] in service.health


def test_compose_reaches_services_at_their_ports():
    ports = {one.name: str(one.port) for one in SERVICES}
    for found in COMPOSE.values():
        for word in found.get("command", ()):
            for name, port in re.findall(r"http://([a-z]+):(\d+)", word):
                assert ports[name] == port


def test_compose_runs_the_database_of_the_table():
    assert re.match(rf"postgres:{POSTGRESQL}\.", COMPOSE["postgres"]["image"])


def test_railway_agrees():
    railway = json.loads((ROOT / "railway.json").read_text())
    last = list(stages())[-1]
    (serving,) = [one for one in SERVICES if one.stage == last]
    assert railway["deploy"]["healthcheckPath"] in serving.health
    assert "PORT" in serving.variables, "Railway chooses the port"
    assert not [name for name in stages() if values(name, "VOLUME")], "Railway builds no Dockerfile that has volumes"


# --- Kubernetes -------------------------------------------------------------------------------------------------------


def manifests() -> Iterator[dict[str, Any]]:
    for file in sorted(KUBERNETES.rglob("*.yaml")):
        yield from yaml.safe_load_all(file.read_text())


def pods() -> Iterator[dict[str, Any]]:
    for one in manifests():
        if one["kind"] == "Deployment":
            yield one["spec"]["template"]["spec"]
        elif one["kind"] == "CronJob":
            yield one["spec"]["jobTemplate"]["spec"]["template"]["spec"]


@each_service
def test_kubernetes_agrees(service):
    containers = [one for pod in pods() for one in pod["containers"] if one["name"] == service.name]
    assert containers
    for container in containers:
        assert container["image"] == service.image
        assert [port["containerPort"] for port in container.get("ports", ())] == (
            [service.port] if service.port else []
        )
        assert {one["name"] for one in container.get("env", ())} <= set(service.variables)
        for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
            probe = container.get(kind, {})
            if "httpGet" in probe:
                assert probe["httpGet"]["path"] in service.health
            if "exec" in probe:
                assert probe["exec"]["command"][0] in service.health


def test_kubernetes_has_the_ports_variables_and_versions_of_the_table():
    kustomization = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())
    assert {one["name"] for one in kustomization["images"]} == {one.image for one in SERVICES}
    (version,) = re.findall(r'^version = "(.*)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert {one["newTag"] for one in kustomization["images"]} == {version}
    for made in kustomization["configMapGenerator"]:
        assert {literal.partition("=")[0] for literal in made["literals"]} <= {"MODELS", *STORE}
    ports = {one.port for one in SERVICES}
    for one in manifests():
        if one["kind"] == "Service":
            assert {port["port"] for port in one["spec"]["ports"]} <= ports
    addresses = [word for pod in pods() for one in pod["containers"] for word in one.get("command", [])]
    addresses += [word for pod in pods() for one in pod["containers"] for word in one.get("args", [])]
    found = {int(port) for word in addresses for port in re.findall(r"http://[a-z]+:(\d+)", word)}
    assert found
    assert found <= ports
    assert f"**PostgreSQL**, {POSTGRESQL} or later" in (KUBERNETES / "README.md").read_text()


# --- Terraform --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def terraform() -> str:
    """All files of the configuration without their comments."""
    if not TERRAFORM:
        pytest.skip("deploy/aws has no Terraform files")
    return re.sub(r"^\s*(#|//).*$", "", "\n".join(file.read_text() for file in TERRAFORM), flags=re.MULTILINE)


def test_terraform_knows_the_ports(terraform):
    missing = {one.port for one in SERVICES if one.port} - {
        int(number) for number in re.findall(r"\b\d{4}\b", terraform)
    }
    assert not missing


def test_terraform_asks_for_health_where_it_is_told(terraform):
    paths = {path for one in SERVICES for path in one.health}
    blocks = re.findall(r"health_check\s*=?\s*\{(.*?)\}", terraform, re.DOTALL)
    asked_for = [path for block in blocks for path in re.findall(r'path\s*=\s*"(/[^"]*)"', block)]
    assert set(asked_for) <= paths
    assert asked(re.findall(r'"[^"\n]*"', terraform)) <= {*paths, *(str(one.port) for one in SERVICES)}


def test_terraform_sets_no_variable_that_nobody_reads(terraform):
    known = {variable for one in SERVICES for variable in one.variables} | set(FRONT) | HARMLESS
    of_containers = set(re.findall(r'\{\s*name\s*=\s*"([A-Z][A-Z0-9_]+)"\s*,\s*value', terraform))
    foreign = re.compile(r"(MLFLOW|GF|PG|AWS)_?[A-Z0-9_]*")
    assert {name for name in of_containers - known if not foreign.fullmatch(name)} == set()
    for block in re.findall(r"variables\s*=\s*\{(.*?)\}", terraform, re.DOTALL):
        assert set(re.findall(r"\b([A-Z][A-Z0-9_]+)\s*=", block)) <= set(FRONT)


def test_terraform_has_the_versions_of_the_table(terraform):
    for version in re.findall(r'engine_version\s*=\s*"(\d+)', terraform):
        assert version == POSTGRESQL
    assert re.findall(r'handler\s*=\s*"([^"]+)"', terraform) == [FRONT_HANDLER]
    for runtime in re.findall(r'runtime\s*=\s*"python3\.(\d+)"', terraform):
        assert int(runtime) >= int(PYTHON.partition(".")[2]), "the front is tested on the table's Python"
