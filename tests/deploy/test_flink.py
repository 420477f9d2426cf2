"""The files for Flink agree with each other, with the engine's flags and with the pinned version of Beam."""

from __future__ import annotations

import re

import pytest
import yaml

from pipeline import engine
from tests.conftest import ROOT

FOLDER = ROOT / "deploy" / "flink"
COMPOSE = yaml.safe_load((FOLDER / "docker-compose.yaml").read_text())
MANIFESTS = list(yaml.safe_load_all((FOLDER / "kubernetes.yaml").read_text()))
FLAGS = dict(flag.removeprefix("--").split("=", 1) for flag in engine.load("flink").beam_args)
PODS = {one["metadata"]["name"]: one["spec"] for one in MANIFESTS if one["kind"] == "Deployment"}


def containers(pod: str) -> dict[str, dict]:
    return {one["name"]: one for one in PODS[pod]["template"]["spec"]["containers"]}


def test_the_job_server_is_of_the_version_of_beam_and_of_flink():
    beam = re.search(r"^apache-beam==(\S+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE).group(1)
    images = {COMPOSE["services"]["jobserver"]["image"], containers("flink-jobserver")["jobserver"]["image"]}
    assert images == {f"apache/beam_flink1.18_job_server:{beam}"}
    flinks = {one["image"] for one in COMPOSE["services"].values() if one.get("image", "").startswith("flink:")}
    flinks |= {containers(f"flink-{name}")[name]["image"] for name in ("jobmanager", "taskmanager")}
    assert {image[:10] for image in flinks} == {"flink:1.18"}
    assert len(flinks) == 1


def test_every_task_manager_has_a_worker_of_its_own_where_the_engine_looks_for_it():
    command = ["python", "-m", "pipeline.worker", "--port", FLAGS["environment_config"].removeprefix("localhost:")]
    services = COMPOSE["services"]
    managers = sorted(name for name in services if name.startswith("taskmanager"))
    workers = [one for name, one in services.items() if name.startswith("worker")]
    assert sorted(one["network_mode"] for one in workers) == [f"service:{name}" for name in managers]
    assert all(one["command"] == command and one["build"]["target"] == "training" for one in workers)
    assert len(managers) == int(FLAGS["parallelism"]) == PODS["flink-taskmanager"]["replicas"]
    assert containers("flink-taskmanager")["worker"]["args"] == command


def test_the_job_server_listens_where_the_engine_looks_for_it():
    port = FLAGS["job_endpoint"].removeprefix("localhost:")
    assert f"127.0.0.1:{port}:{port}" in COMPOSE["services"]["jobserver"]["ports"]
    (service,) = [one for one in MANIFESTS if one["kind"] == "Service" and one["metadata"]["name"] == "flink-jobserver"]
    assert int(port) in {one["port"] for one in service["spec"]["ports"]}


@pytest.mark.parametrize(
    "text",
    [
        COMPOSE["services"]["taskmanager-1"]["environment"]["FLINK_PROPERTIES"],
        next(one["data"]["flink-conf.yaml"] for one in MANIFESTS if one["kind"] == "ConfigMap"),
    ],
    ids=["compose", "kubernetes"],
)
def test_the_network_memory_is_what_the_statistics_need(text):
    settings = yaml.safe_load(text)
    assert settings["taskmanager.memory.network.min"] == settings["taskmanager.memory.network.max"] == "512m"
    assert settings["taskmanager.numberOfTaskSlots"] == 1


def test_task_managers_workers_and_job_server_share_the_artifacts_under_one_path():
    services = COMPOSE["services"]
    shared = [one["volumes"][0] for name, one in services.items() if name != "jobmanager"]
    assert all(re.fullmatch(r"\$\{ARTIFACTS.*\}:\$\{ARTIFACTS\}", volume) for volume in shared)
    mounts = [
        mount["mountPath"]
        for pod in PODS
        for one in containers(pod).values()
        for mount in one.get("volumeMounts", [])
        if mount["name"] == "artifacts"
    ]
    assert mounts == ["/artifacts"] * 3


def test_nothing_is_reached_from_beyond_this_machine():
    ports = [port for one in COMPOSE["services"].values() for port in one.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert {one["spec"].get("type", "ClusterIP") for one in MANIFESTS if one["kind"] == "Service"} == {"ClusterIP"}
