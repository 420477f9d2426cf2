"""What of a run reaches MLflow: a folder, a server; and a run survives a server that is not there."""

from __future__ import annotations

import json
import math
import socket
import subprocess
import sys
import threading
import uuid
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from data.command import BAD_INPUT, NOT_BLESSED
from data.errors import UserError
from runs import tracking
from runs.summary import PushedVersion
from tests.conftest import ROOT
from tests.support import summaries

SUMMARY = summaries.summary(
    dataset__synthetic=True,
    features=tuple(f"feature{i}" for i in range(150)),
    metrics={"eval": summaries.metrics(auc=0.8), "test": summaries.metrics(auc=None, true_positives=200)},
)


@pytest.fixture
def run_folder(tmp_path) -> Path:
    """A finished run that pushed a model and wrote a report."""
    model = tmp_path / "serving" / "1795239191"
    (model / "assets.extra").mkdir(parents=True)
    (model / "saved_model.pb").write_text("graph")
    (model / "assets.extra" / "model.json").write_text("{}")
    folder = tmp_path / "runs" / "20270101-000000"
    folder.mkdir(parents=True)
    summaries.write(folder, replace(SUMMARY, pushed=PushedVersion("1795239191", str(model))))
    (folder / "report.html").write_text("<title>report</title>")
    return folder


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Server(ThreadingHTTPServer):
    """Answers as an MLflow server does, as far as logging goes, and keeps what it was told."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.calls: list[tuple[str, dict]] = []
        self.files: dict[str, bytes] = {}
        self.takes_files = True
        self.takes_figures = True
        # MLflow's client remembers by a run's id where its files go.
        self.run = {"run_id": uuid.uuid4().hex, "experiment_id": "5", "artifact_uri": "mlflow-artifacts:/5/files"}

    def told(self, name: str) -> dict:
        (found,) = [body for call, body in self.calls if call == name]
        return found


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        if "runs/get" in self.path:
            self._answer(200, {"run": {"info": self.server.run}})
        else:
            self._answer(404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such experiment"})

    def do_POST(self):
        name = self.path.partition("/mlflow/")[2]
        self.server.calls.append((name, json.loads(self._body())))
        answers = {"experiments/create": {"experiment_id": "5"}, "runs/create": {"run": {"info": self.server.run}}}
        taken = self.server.takes_figures or name != "runs/log-batch"
        self._answer(200 if taken else 403, answers.get(name, {"run_info": self.server.run}))

    def do_PUT(self):
        self.server.files[self.path.partition("/artifacts/5/files/")[2]] = self._body()
        self._answer(200 if self.server.takes_files else 403, {})

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers["Content-Length"] or 0))

    def _answer(self, status: int, content: dict) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()


def address(server: Server) -> str:
    return f"http://127.0.0.1:{server.server_port}"


def test_a_folder_holds_the_runs_figures_and_files(run_folder, tmp_path):
    uri = tracking.check(f"file:{tmp_path / 'my tracking'}")
    assert tracking.log(uri, run_folder) == "purchase-model"
    tracking.log(uri, run_folder)
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("purchase-model")
    run, again = client.search_runs([experiment.experiment_id])
    assert run.data.params == again.data.params
    assert run.info.run_name == "20270101-000000"
    assert run.info.status == "FINISHED"
    assert run.info.end_time - run.info.start_time == 80_400
    figures = run.data.metrics
    assert (figures["eval/auc"], figures["test/log_loss"], figures["test/true_positives"]) == (0.8, 0.2829, 200.0)
    assert figures["seconds"] == 80.4
    assert "test/auc" not in figures
    assert run.data.params["settings.seed"] == "42"
    assert run.data.params["model.hyperparameters.dropout"] == "0.2"
    assert run.data.params["features"].startswith("feature0, feature1, ")
    assert "settings.members" not in run.data.params
    found = {"run_id": "20270101-000000", "contract": "bank-full", "synthetic": "true", "blessed": "true"}
    assert found.items() <= run.data.tags.items()
    assert run.data.tags["version"] == "1795239191"
    files = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert files == {"summary.json", "report.html", "model"}
    beside = {file.path for file in client.list_artifacts(run.info.run_id, "model")}
    assert beside == {"model/saved_model.pb", "model/assets.extra"}


def test_a_trial_against_the_champion_is_tracked_with_its_months():
    tried = summaries.changed(SUMMARY, trial=summaries.trial())
    figures, settings = tracking.metrics(tried), tracking.parameters(tried)
    assert figures["newest_months/auc"] == 0.671
    assert figures["newest_months/champion_auc"] == 0.664
    assert (figures["newest_months/auc_gain_low"], figures["newest_months/auc_gain_high"]) == (-0.02, 0.04)
    assert settings["newest_months.months"] == "2010-10 to 2010-11"
    assert settings["newest_months.champion"] == "1795200000"
    first = summaries.changed(SUMMARY, trial=summaries.trial(champion=None, trial=None, reason="there is none yet"))
    assert not [name for name in (*tracking.metrics(first), *tracking.parameters(first)) if "newest_months" in name]


def test_a_server_is_told_the_same(run_folder, server):
    tracking.log(address(server), run_folder)
    assert server.told("experiments/create")["name"] == "purchase-model"
    assert server.told("runs/create")["experiment_id"] == "5"
    batch = server.told("runs/log-batch")
    assert {"eval/auc", "test/log_loss"} < {metric["key"] for metric in batch["metrics"]}
    assert {"key": "settings.trials", "value": "8"} in batch["params"]
    assert {"key": "blessed", "value": "true"} in batch["tags"]
    assert server.told("runs/update")["status"] == "FINISHED"
    assert server.files.keys() == {
        "summary.json",
        "report.html",
        "model/saved_model.pb",
        "model/assets.extra/model.json",
    }
    assert server.files["model/saved_model.pb"] == b"graph"


def test_a_server_that_takes_no_files_still_has_the_figures(run_folder, server):
    server.takes_files = False
    with pytest.raises(tracking.TrackingError, match="without its files: 403"):
        tracking.log(address(server), run_folder)
    assert server.told("runs/update")["status"] == "FINISHED"


def test_a_server_that_takes_no_figures_shows_a_failed_run_and_not_one_that_never_ends(run_folder, server):
    server.takes_figures = False
    with pytest.raises(tracking.TrackingError, match="not tracked: INTERNAL_ERROR"):
        tracking.log(address(server), run_folder)
    assert server.told("runs/update")["status"] == "FAILED"


def test_a_run_that_was_not_blessed_has_no_model_to_log(run_folder, server):
    (run_folder / "report.html").unlink()
    summaries.write(run_folder, summaries.changed(SUMMARY, pushed=None, gate__blessed=False))
    tracking.log(address(server), run_folder)
    tags = server.told("runs/log-batch")["tags"]
    assert {"key": "blessed", "value": "false"} in tags
    assert server.files.keys() == {"summary.json"}


def test_a_segment_run_has_an_experiment_of_its_own(run_folder, tmp_path):
    figures = summaries.figures(davies_bouldin=math.nan)
    summaries.write(run_folder, summaries.segment_summary(chosen=figures, pushed=None))
    uri = tracking.check(f"file:{tmp_path / 'tracking'}")
    assert tracking.log(uri, run_folder) == "segment-model"
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    (run,) = client.search_runs([client.get_experiment_by_name("segment-model").experiment_id])
    params = run.data.params
    assert (params["settings.view"], params["features"]) == ("demography", "age, children")
    assert (params["chosen.candidate.method"], params["chosen.candidate.clusters"]) == ("kmeans", "3")
    assert params["segments.0"] == "over 53, no children"
    figures = run.data.metrics
    assert (figures["test/macro_silhouette"], figures["sample/null_silhouette"]) == (0.4712, 0.3514)
    assert figures["test/share/0"] == 0.2533
    assert not {"test/agreement", "sample/davies_bouldin"} & figures.keys(), "what is unknown is left out"
    assert run.data.tags["contract"] == "fundfusion"


def test_a_server_that_is_not_there(run_folder, closed_port):
    with pytest.raises(tracking.TrackingError, match=r"not tracked: .*refused"):
        tracking.log(f"http://127.0.0.1:{closed_port}", run_folder)


FINISHED_AT_ONCE = """
import json, sys
from pipeline import launch, run

def finish(kind, settings, screen, started):
    (settings.run_folder / "summary.json").write_text(sys.argv[1])
    return 3

launch._train = finish
code = run.main(sys.argv[2:])
sys.exit("mlflow was imported" if "mlflow" in sys.modules and "--mlflow" not in sys.argv else code)
"""


def finished(*arguments: str | Path) -> subprocess.CompletedProcess:
    """A run that comes to its end at once and is not blessed."""
    summary = replace(SUMMARY, pushed=None).to_json()
    return subprocess.run(
        [sys.executable, "-c", FINISHED_AT_ONCE, summary, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_tracking_changes_nothing_about_how_a_run_ends(tmp_path, sample_csv, closed_port):
    where = ("--data", sample_csv, "--artifacts", tmp_path)
    lost = finished(*where, "--mlflow", f"http://127.0.0.1:{closed_port}")
    assert lost.returncode == NOT_BLESSED
    (line,) = lost.stdout.splitlines()
    assert "not tracked" in line
    assert str(closed_port) in line
    assert "Traceback" not in lost.stdout + lost.stderr
    tracked = finished(*where, "--mlflow", f"file:{tmp_path / 'tracking'}")
    assert tracked.returncode == NOT_BLESSED
    assert "tracked by MLflow" in tracked.stdout
    assert list((tmp_path / "tracking").glob("*/*/params/settings.seed"))


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("", "expected http"),
        ("mlruns", "expected http"),
        ("http://", "expected http"),
        ("http://host:port", "[Pp]ort"),
        ("ftp://host/x", "expected http"),
        ("databricks", "expected http"),
        ("file:", "expected http"),
        ("file:/", "expected http"),
        ("file://elsewhere/tracking", "expected http"),
        ("sqlite:///mlflow.db", "mlflow server"),
        ("http://anna:secret@host:5000", "MLFLOW_TRACKING_PASSWORD"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused(uri, message):
    with pytest.raises(UserError, match=message) as refusal:
        tracking.check(uri)
    assert "secret" not in str(refusal.value)


def test_a_file_in_the_folders_place_is_refused(tmp_path):
    (tmp_path / "tracking").touch()
    with pytest.raises(UserError, match="is not a folder"):
        tracking.check(f"file:{tmp_path / 'tracking'}")


@pytest.mark.parametrize(
    "uri", ["http://127.0.0.1:5000", "https://mlflow.example.com/team", "file:///tmp/tracking"], ids=str
)
def test_an_address_that_can_be_used_stays_as_it_is(uri):
    assert tracking.check(uri) == uri


def test_a_folder_is_meant_from_where_one_stands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert tracking.check("file:my%20runs") == (tmp_path / "my runs").as_uri()


def test_without_the_flag_mlflow_is_not_imported(tmp_path, sample_csv):
    assert finished("--data", sample_csv, "--artifacts", tmp_path).returncode == NOT_BLESSED


def test_a_refused_address_stops_a_run_before_it_starts(tmp_path, sample_csv):
    refused = finished("--data", sample_csv, "--artifacts", tmp_path, "--mlflow", "mlruns")
    assert refused.returncode == BAD_INPUT
    assert "'mlruns'" in refused.stderr
    assert not (tmp_path / "runs").exists()
