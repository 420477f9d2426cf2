"""What `python -m monitoring` says when it cannot start, and what its load sends."""

import http.server
import json
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import yaml

from analysis import drift, profile
from data.contract import Contract
from data.errors import UserError
from data.model_spec import PURCHASE_MODEL, SEGMENT_MODEL
from data.paths import models_folder, serving_folder
from monitoring.load import Load, demonstration_customers
from monitoring.stack import Ports, Stack, Watched
from serving.flags import parse
from tests.support.server import free_port

ROOT = Path(__file__).parents[2]
NUMBER = {"unit": "s", "min": 0, "max": 1e4, "blank": True}


@pytest.fixture
def ports():
    return Ports(free_port(), free_port(), free_port())


@pytest.fixture
def artifacts(tmp_path):
    for model in (SEGMENT_MODEL, PURCHASE_MODEL):
        (serving_folder(tmp_path, model.name) / "7").mkdir(parents=True)
    return tmp_path


@pytest.fixture
def _prometheus(tmp_path, monkeypatch):
    """A stand-in on PATH for machines without it; these tests do not run it."""
    program = tmp_path / "bin" / "prometheus"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")


@pytest.mark.usefixtures("_prometheus")
def test_prometheus_is_pointed_at_these_processes(tmp_path, artifacts, ports):
    stack = Stack(artifacts, tmp_path / "stack", ports=ports, interval=3)
    stack.configure()
    read = {
        name: yaml.safe_load((stack.folder / "targets" / f"model-{name}.yml").read_text())
        for name in vars(ports)
        if name != "prometheus"
    }
    server = f"127.0.0.1:{ports.server}"
    assert read["server"] == [{"targets": [server]}]
    assert read["exporter"] == [{"targets": [f"127.0.0.1:{ports.exporter}"], "labels": {"instance": server}}]
    config = yaml.safe_load((stack.folder / "prometheus.yml").read_text())
    assert config["global"]["scrape_interval"] == "3s"
    assert config["rule_files"] == ["rules/*.yml"]


@pytest.mark.usefixtures("_prometheus")
def test_without_a_desk_prometheus_has_no_target_of_one(tmp_path, artifacts, ports):
    stack = Stack(artifacts, tmp_path / "stack", ports=ports)
    stack.configure()
    assert yaml.safe_load((stack.folder / "targets" / "campaign-desk.yml").read_text()) == [{"targets": []}]
    assert not (stack.folder / "keys").exists(), "a key of another desk stays where it is"


@pytest.mark.usefixtures("_prometheus")
@pytest.mark.parametrize("key", [None, "key.txt"])
def test_a_server_and_a_desk_that_run_already_are_watched(tmp_path, ports, key):
    key = key and tmp_path / key
    watched = Watched("http://models.example:8501/", "http://127.0.0.1:8700", key)
    with socket.create_server(("127.0.0.1", ports.server)):
        stack = Stack(tmp_path / "none", tmp_path / "stack", ports=ports, watched=watched)
        stack.configure()
    targets = {
        file.stem: yaml.safe_load(file.read_text())[0]["targets"] for file in (stack.folder / "targets").glob("*.yml")
    }
    exporter = f"127.0.0.1:{ports.exporter}"
    assert targets == {
        "model-server": ["models.example:8501"],
        "model-exporter": [exporter],
        "campaign-desk": ["127.0.0.1:8700"],
        "model-sync": [],
    }
    config = yaml.safe_load((stack.folder / "prometheus.yml").read_text())
    (job,) = [job for job in config["scrape_configs"] if job["job_name"] == "campaign-desk"]
    assert job.get("authorization") == (key and {"credentials_file": str(key)})


@pytest.mark.usefixtures("_prometheus")
@pytest.mark.parametrize("url", ["models:8501", "https://models:8501", "http://", "http://models:8501/v1", "x"])
def test_an_address_that_prometheus_cannot_scrape(tmp_path, ports, url):
    with pytest.raises(UserError, match="--server: got"):
        Stack(tmp_path, tmp_path / "stack", ports=ports, watched=Watched(url)).configure()


@pytest.mark.usefixtures("_prometheus")
@pytest.mark.parametrize(
    ("model", "served"),
    [(None, [PURCHASE_MODEL.name, SEGMENT_MODEL.name]), (SEGMENT_MODEL.name, [SEGMENT_MODEL.name])],
)
def test_server_and_exporter_get_every_model_or_the_given_one(tmp_path, artifacts, ports, model, served):
    stack = Stack(artifacts, tmp_path / "stack", model, ports)
    stack.configure()
    assert stack.names() == served
    flags = parse([word for word in stack._command("server") if word.startswith("--")])
    assert Path(flags.models_folder) == models_folder(artifacts)
    assert flags.model_name == (model or "")
    assert ("--model" in stack._command("exporter")) == (model is not None)


@pytest.mark.usefixtures("_prometheus")
def test_no_model(tmp_path, ports, artifacts):
    with pytest.raises(UserError, match="other: no model has been pushed yet"):
        Stack(artifacts, tmp_path / "stack", "other", ports).configure()
    with pytest.raises(UserError, match="no model has been pushed yet; run `make run` first"):
        Stack(tmp_path / "none", tmp_path / "stack", ports=ports).configure()


@pytest.mark.usefixtures("_prometheus")
def test_taken_port(tmp_path, artifacts, ports):
    with socket.create_server(("127.0.0.1", ports.exporter)), pytest.raises(UserError) as caught:
        Stack(artifacts, tmp_path / "stack", ports=ports).configure()
    assert f"port {ports.exporter} for the exporter cannot be opened" in str(caught.value)


def test_no_prometheus(tmp_path, artifacts, ports, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="apt-get install prometheus"):
        Stack(artifacts, tmp_path / "stack", ports=ports).configure()


@pytest.mark.usefixtures("_prometheus")
def test_program_that_ends_at_once_is_named_with_its_output(tmp_path, artifacts, ports):
    stack = Stack(artifacts, tmp_path / "stack", ports=ports)
    stack.configure()
    with pytest.raises(UserError, match=r"the prometheus did not start; its output is in .*prometheus\.log"):
        stack.start("prometheus")
    assert not stack.processes, "nothing is left to stop"


@pytest.mark.skipif(shutil.which("prometheus") is None, reason="prometheus is not installed")
def test_command_line_without_a_model(tmp_path):
    command = [sys.executable, "-m", "monitoring", "--artifacts", tmp_path]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "no model has been pushed yet" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_model_of_the_samples_shape_gets_rows_of_the_sample(sample_profile):
    customers = demonstration_customers(sample_profile, 500, 4)
    assert len(customers) == 500
    assert customers == demonstration_customers(sample_profile, 500, 4)
    assert customers != demonstration_customers(sample_profile, 500, 5)
    assert {frozenset(customer) for customer in customers} == {frozenset(sample_profile.features)}
    assert {type(value) for customer in customers for value in customer.values()} == {int, str}


def test_other_models_get_rows_without_drift_of_a_feature():
    contract = Contract.model_validate(
        {
            "name": "visits",
            "title": "Visits",
            "numeric": {"pages": {"unit": "pages", "min": 0, "max": 99, "missing": -1}, "seconds": NUMBER},
            "categorical": {"browser": {"values": ["a", "b", "c"], "blank": True}},
        }
    )
    generator = np.random.default_rng(0)
    columns = {
        "pages": generator.integers(-1, 20, 5000).astype(np.float32),
        "seconds": generator.gamma(2, 30, 5000).astype(np.float32),
        "browser": generator.choice(np.array(["a", "b", "c", ""], object), 5000, p=[0.6, 0.2, 0.1, 0.1]),
    }
    columns["seconds"][:500] = np.nan
    reference = profile.build(columns, generator.random(5000, np.float32), contract, contract.features(), "probability")
    customers = demonstration_customers(reference, 3000, 1)
    assert len({json.dumps(customer) for customer in customers}) > 2000
    counts = reference.counts()
    counts.add({name: np.array([c[name] for c in customers], columns[name].dtype) for name in columns})
    shifts = drift.measure(reference, counts).features
    assert {name: shift.alarm for name, shift in shifts.items()} == dict.fromkeys(columns, False)
    assert shifts["seconds"].shares["missing"] == pytest.approx(0.1, abs=0.02)
    assert shifts["browser"].shares["missing"] == pytest.approx(0.1, abs=0.02)


def test_load_sends_every_customer_and_survives_errors():
    bodies = []

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            if len(bodies) == 2:
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            self.send_response(500 if len(bodies) == 3 else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        customers = [{"age": age} for age in range(150)]
        with Load(f"http://127.0.0.1:{server.server_port}", "m", customers, 500) as load:
            deadline = time.monotonic() + 30
            while load.answered < 40 and time.monotonic() < deadline:
                time.sleep(0.01)
        server.shutdown()
    assert load.failed == 2
    seen = {instance["age"] for body in bodies for instance in body["instances"]}
    assert seen == set(range(150))
