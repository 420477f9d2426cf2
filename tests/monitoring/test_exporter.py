"""The exporter over HTTP, against a stand-in for a model server that can be made to fail."""

import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import psutil
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from data import sample, spans
from data.model_folder import CARD, GOLDEN_REQUEST, GoldenRequest, ModelFolder, PurchaseCard
from data.model_spec import PURCHASE_MODEL, SEGMENT_MODEL
from data.paths import serving_folder, spans_folder
from monitoring.collector import ServerCollector, Settings
from monitoring.process import ServerProcess
from runs import decisions
from runs.decisions import Decision
from tests.support import dated, stand_in
from tests.support.toy_models import SEGMENT_NAMES

ROOT = Path(__file__).parents[2]
MODEL = PURCHASE_MODEL.name
STATUS_PAGE = f"/v1/models/{MODEL}"
GOLDEN = GoldenRequest([{"age": 33}], [{"probability": 0.25, "purchase": 0}])
NOT_FOUND = {"error": f"Could not find any versions of model {MODEL}"}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(self.server.pages.get(self.path))

    def do_POST(self):
        self.server.golden_request_headers.append(self.headers["X-Golden-Request"])
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(self.server.pages.get("predict"))

    def answer(self, document):
        self.send_response(404 if document in (None, NOT_FOUND) else 200)
        if document is not None:
            self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(document).encode())

    def log_message(self, *_):
        pass


def status(*versions):
    return {
        "model_version_status": [
            {"version": number, "state": state, "status": {"error_code": code, "error_message": ""}}
            for number, state, code in versions
        ]
    }


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.golden_request_headers = []
        server.pages = {
            STATUS_PAGE: status(("4", "END", "DATA_LOSS"), ("3", "AVAILABLE", "OK")),
            "predict": {"predictions": GOLDEN.predictions},
        }
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def artifacts(tmp_path, sample_profile):
    for version in ("3", "4"):
        folder = serving_folder(tmp_path, MODEL) / version
        stand_in.write_extras(folder, sample_profile, GOLDEN)
        (folder / "saved_model.pb").touch()
    stand_in.write_summary(tmp_path, 3, synthetic=True)
    return tmp_path


@pytest.fixture
def collector(server, artifacts):
    return ServerCollector(Settings(f"http://127.0.0.1:{server.server_port}", artifacts))


class Samples(dict):
    """Values by name and label values in any order, without the name of the purchase model."""

    def __getitem__(self, key):
        return super().__getitem__((key[0], frozenset(key[1:])))

    def __contains__(self, key):
        return super().__contains__((key[0], frozenset(key[1:])))


def page_of(collector):
    registry = CollectorRegistry()
    registry.register(collector)
    return generate_latest(registry).decode()


def scrape(collector):
    found = Samples()
    for family in text_string_to_metric_families(page_of(collector)):
        for sample_ in family.samples:
            of_no_model = sample_.name.startswith(("model_server_process_", "model_exporter_"))
            assert ("model_name" in sample_.labels) != of_no_model
            labels = frozenset(value for value in sample_.labels.values() if value != MODEL)
            found[sample_.name, labels] = sample_.value
    return found


def test_versions_and_quality_of_the_one_that_serves(collector, artifacts):
    found = scrape(collector)
    assert found["model_server_up",] == 1
    assert found["model_server_available_versions",] == 1
    assert found["model_server_version_state", "3", "AVAILABLE", "OK"] == 1
    assert found["model_server_version_state", "4", "END", "DATA_LOSS"] == 1
    assert found["model_server_serving_version_number",] == 3
    assert found["model_server_pushed_version_number",] == 4
    pushed_at = (serving_folder(artifacts, MODEL) / "3" / "saved_model.pb").stat().st_mtime
    assert found["model_server_serving_version_pushed_timestamp_seconds", "3"] == pytest.approx(pushed_at)
    assert found["model_quality", "3", "auc"] == 0.8
    assert found["model_training_info", "3", "bank-full", "true"] == 1


def test_summary_that_is_written_after_the_push_is_read(collector, artifacts):
    (summary,) = artifacts.glob("runs/*/*/summary.json")
    text = summary.read_text()
    summary.unlink()
    assert ("model_quality", "3", "auc") not in scrape(collector)
    summary.write_text(text)
    assert scrape(collector)["model_quality", "3", "auc"] == 0.8


def test_golden_request_is_sent_marked_and_compared(collector, server):
    found = scrape(collector)
    assert found["model_server_golden_request_success",] == 1
    assert found["model_server_golden_request_duration_seconds",] > 0
    assert server.golden_request_headers == ["true"]
    server.pages["predict"] = {"predictions": [{"probability": 0.26, "purchase": 0}]}
    found = scrape(collector)
    assert found["model_server_golden_request_success",] == 0
    assert found["model_server_golden_request_checks_total", "failure"] == 1
    server.pages["predict"] = None
    assert scrape(collector)["model_server_golden_request_success",] == 0


@pytest.mark.parametrize(
    ("stored", "answer", "success"),
    [
        ({"segment": "b", "distance": 1.5}, {"segment": "b", "distance": 1.50001}, True),
        ({"segment": "b", "distance": 1.5}, {"segment": "a", "distance": 1.5}, False),
        ({"segment": "b", "distance": 1.5}, {"segment": "b"}, False),
        ({"segment": "b", "membership": [0.75, 0.25]}, {"segment": "b", "membership": [0.75, 0.25]}, True),
        ({"segment": "b", "membership": [0.75, 0.25]}, {"segment": "b", "membership": [0.65, 0.35]}, False),
        (0.25, 0.250001, True),
        (0.25, 0.26, False),
    ],
)
def test_golden_request_compares_all_outputs_of_any_model(collector, server, artifacts, stored, answer, success):
    golden = GoldenRequest(GOLDEN.instances, [stored])
    ModelFolder(serving_folder(artifacts, MODEL) / "3").extra(GOLDEN_REQUEST).write_text(golden.to_json())
    server.pages["predict"] = {"predictions": [answer]}
    assert scrape(collector)["model_server_golden_request_success",] == success


@pytest.fixture
def segments(server, artifacts, sample_columns):
    """A segment model beside the purchase model; the newest customers are all over 53. Returns its profile."""
    name = SEGMENT_MODEL.name
    profile = stand_in.segment_profile(sample_columns)
    folder = serving_folder(artifacts, name) / "7"
    stand_in.write_extras(folder, profile, GOLDEN)
    stand_in.write_segment_summary(artifacts, 7)
    server.pages[f"/v1/models/{name}"] = status(("7", "AVAILABLE", "OK"))
    counts = profile.counts()
    counts.add({name: column[-400:] for name, column in sample_columns.items()}, np.full(400, SEGMENT_NAMES[2], object))
    page = {"version": "7", "profile": profile.to_dict(), "recent": counts.to_dict()}
    server.pages["/monitoring/profile"] = {name: page}
    return profile


def test_every_model_is_watched_side_by_side(collector, artifacts, segments):
    found = scrape(collector)
    assert found["model_server_serving_version_number",] == 3
    assert found["model_server_serving_version_number", SEGMENT_MODEL.name] == 7
    assert found["model_quality", "3", "auc"] == 0.8
    page = page_of(collector)
    described = re.findall("^# TYPE (.+) .+$", page, re.MULTILINE)
    assert len(described) == len(set(described)), "each metric is described once"
    only = ServerCollector(Settings("http://127.0.0.1:9", artifacts, SEGMENT_MODEL.name))
    assert ("model_server_up",) not in scrape(only)
    assert scrape(only)["model_server_up", SEGMENT_MODEL.name] == 0


def test_quality_and_shares_of_segments(collector, segments):
    name, found = SEGMENT_MODEL.name, scrape(collector)
    assert found["model_quality", name, "7", "macro_silhouette"] == pytest.approx(0.4712)
    assert found["model_quality", name, "7", "silhouette"] == pytest.approx(0.4821)
    assert found["model_quality", name, "7", "stability"] == pytest.approx(0.9312)
    assert found["model_quality", name, "7", "smallest_share"] == pytest.approx(0.2533)
    training = [found["model_segment_ratio", name, "training", segment] for segment in SEGMENT_NAMES]
    assert training == pytest.approx((segments.reference.score / 8000)[:-2])
    assert training[-1] == 0, "a segment without customers has a share too"
    assert [found["model_segment_ratio", name, "recent", segment] for segment in SEGMENT_NAMES] == [0, 0, 1, 0]
    assert found["model_drift_score_alarm", name, "server"] == 1
    assert ("model_drift_mean_score", name, "server") not in found
    assert not any(metric == "model_drift_score_ratio" for metric, _ in found)


def test_a_model_that_is_pushed_later_is_watched_from_then_on(server, tmp_path, sample_profile):
    collector = ServerCollector(Settings(f"http://127.0.0.1:{server.server_port}", tmp_path))
    assert scrape(collector)["model_server_available_versions",] == 1, "the purchase model is expected first"
    name = SEGMENT_MODEL.name
    stand_in.write_extras(serving_folder(tmp_path, name) / "7", sample_profile, GOLDEN)
    found = scrape(collector)
    assert ("model_server_up", name) in found
    assert ("model_server_up",) not in found
    shutil.rmtree(serving_folder(tmp_path, name))
    assert ("model_server_up", name) in scrape(collector), "an alert about it must not end with its folder"


@pytest.mark.parametrize("answer", [{}, {"predictions": [{"other": 1}]}, {"predictions": []}, []])
def test_odd_answers_fail_the_golden_request_and_nothing_else(collector, server, answer):
    server.pages["predict"] = answer
    found = scrape(collector)
    assert found["model_server_golden_request_success",] == 0
    assert found["model_server_up",] == 1


def test_no_version_available(collector, server):
    server.pages[STATUS_PAGE] = status(("3", "LOADING", "OK"))
    found = scrape(collector)
    assert found["model_server_available_versions",] == 0
    assert ("model_server_golden_request_success",) not in found
    assert ("model_server_serving_version_number",) not in found


def test_a_server_that_has_never_had_a_version_is_up_and_has_none_available(collector, server):
    server.pages = {STATUS_PAGE: NOT_FOUND}
    found = scrape(collector)
    assert found["model_server_up",] == 1
    assert found["model_server_available_versions",] == 0


@pytest.mark.parametrize("page", [None, {"error": "x"}, []])
def test_server_down_or_talking_nonsense(collector, server, page):
    assert scrape(collector)["model_server_up",] == 1
    server.pages = {STATUS_PAGE: page}
    found = scrape(collector)
    assert found["model_server_up",] == 0
    assert ("model_server_available_versions",) not in found


def test_drift_of_what_the_server_has_seen(collector, server, sample_profile, sample_columns):
    counts = sample_profile.counts()
    scores = np.random.default_rng(5).beta(1, 8, 1000).astype(np.float32)
    counts.add({name: column[-1000:] for name, column in sample_columns.items()}, scores)
    page = {"version": "3", "profile": sample_profile.to_dict(), "recent": counts.to_dict()}
    server.pages["/monitoring/profile"] = {MODEL: page}
    found = scrape(collector)
    assert found["model_drift_rows", "server"] == 1000
    assert (
        found["model_drift_psi", "server", "calls_today"] > found["model_drift_psi_alarm_line", "server", "calls_today"]
    )
    assert found["model_drift_alarm", "server", "calls_today"] == 1
    assert found["model_drift_alarm", "server", "education"] == 0
    assert found["model_drift_unseen_ratio", "server", "job"] == 0
    assert ("model_drift_unseen_ratio", "server", "age") not in found
    assert found["model_drift_score_alarm", "server"] == 0
    assert found["model_drift_mean_score", "server"] == pytest.approx(1 / 9, abs=0.02)
    for window in ("training", "recent"):
        shares = [v for (name, labels), v in found.items() if name == "model_drift_score_ratio" and window in labels]
        assert len(shares) == 10
        assert sum(shares) == pytest.approx(1)


def calls_and_decisions(artifacts):
    """A month of calls that waits for a training, and decisions."""
    card = PurchaseCard(dated.contract().name, False, ("age",), {}, 1, 1, 0, {}, 0.5)
    ModelFolder(serving_folder(artifacts, MODEL) / "4").extra(CARD).write_text(card.to_json())
    file = dated.write(artifacts / "calls.csv", [(3, "feb")])
    spans.add(spans_folder(artifacts, card.contract), file, dated.contract())
    for action in ("train", "refuse", "train", "fail"):
        decisions.append(decisions.ledger(artifacts, MODEL), Decision(datetime.now(timezone.utc), action))


def test_the_readme_names_every_metric_and_every_metric_it_names_exists(
    collector, server, artifacts, sample_profile, sample_columns, segments
):
    calls_and_decisions(artifacts)
    counts = sample_profile.counts()
    counts.add({name: column[-1000:] for name, column in sample_columns.items()}, np.full(1000, 0.1, np.float32))
    page = {"version": "3", "profile": sample_profile.to_dict(), "recent": counts.to_dict()}
    server.pages["/monitoring/profile"][MODEL] = page
    names = {name for name, _ in scrape(collector)}
    patterns = set(re.findall(r"`(model_[a-z_]+\*?)`", (ROOT / "monitoring" / "README.md").read_text())) - {
        "model_name"
    }
    patterns = {pattern for pattern in patterns if not pattern.startswith("model_sync_")}  # of the sidecar
    assert [name for name in names if not any(fnmatch.fnmatch(name, pattern) for pattern in patterns)] == []
    assert [pattern for pattern in patterns if not fnmatch.filter(names, pattern)] == []


def test_verdict_is_absent_below_the_least_number_of_rows(collector, server, sample_profile, sample_columns):
    counts = sample_profile.counts()
    counts.add({name: column[:50] for name, column in sample_columns.items()})
    page = {"version": "3", "profile": sample_profile.to_dict(), "recent": counts.to_dict()}
    server.pages["/monitoring/profile"] = {MODEL: page}
    found = scrape(collector)
    assert ("model_drift_psi", "server", "contact") in found
    assert ("model_drift_alarm", "server", "contact") not in found


def test_unusable_counts_are_left_out(collector, server, sample_profile):
    server.pages["/monitoring/profile"] = {MODEL: {"profile": sample_profile.to_dict(), "recent": {}}}
    found = scrape(collector)
    assert found["model_server_golden_request_success",] == 1
    assert ("model_drift_rows", "server") not in found


def test_watched_folder_measures_lists_and_marks_unreadable_ones(artifacts):
    from monitoring.watch import NEWEST, WatchedFolder

    lists = artifacts / "lists"
    watched = WatchedFolder(lists, lambda: ModelFolder(serving_folder(artifacts, MODEL) / "3"))
    watched.poll()
    assert watched.results() == {}
    sample.write(lists / "march.csv", rows=3000, seed=5)
    (lists / "broken.csv").write_text("no,such,columns\n1,2,3\n")
    watched.poll()
    assert watched.results()["broken.csv"] is None
    measured = watched.results()["march.csv"]
    assert measured.rows == 3000
    assert not any(shift.alarm for shift in measured.features.values())
    watched.poll()
    assert watched.results()["march.csv"] is measured
    for number in range(NEWEST):
        sample.write(lists / f"{number}.csv", rows=300)
        os.utime(lists / f"{number}.csv", (2e9, 2e9 + number))
    watched.poll()
    assert list(watched.results()) == ["2.csv", "1.csv", "0.csv"]


def test_list_is_marked_where_the_version_has_no_contract(artifacts, caplog):
    from data.model_folder import CONTRACT
    from monitoring.watch import WatchedFolder

    folder = ModelFolder(serving_folder(artifacts, MODEL) / "3")
    folder.extra(CONTRACT).unlink()
    sample.write(artifacts / "lists" / "march.csv", rows=300)
    watched = WatchedFolder(artifacts / "lists", lambda: folder)
    watched.poll()
    assert watched.results() == {"march.csv": None}
    assert "the version has no contract; push the model again" in caplog.text


def test_a_serving_process_in_another_network_is_found_although_its_port_cannot_be_seen(unused_ports, monkeypatch):
    command = [sys.executable, "-c", "print(flush=True); import time; time.sleep(60)", "-m", "serving"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        server.stdout.readline()
        assert ServerProcess(unused_ports[0]).usage() is None
        monkeypatch.setattr("monitoring.process._network", lambda pid: "ours" if pid == "self" else "theirs")
        assert ServerProcess(unused_ports[0]).usage().resident_bytes > 0
    finally:
        server.kill()
        server.wait()


def test_serving_process_is_found_by_its_port_and_found_again(unused_ports):
    code = "import socket, sys, time; s = socket.create_server(('127.0.0.1', int(sys.argv[-1]))); print(flush=True);"
    code += "time.sleep(60)"

    def start(port):
        command = [sys.executable, "-c", code, "-m", "serving", str(port)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        process.stdout.readline()
        return process

    first_port, second_port = unused_ports
    first, second = start(first_port), start(second_port)
    try:
        watcher = ServerProcess(second_port)
        usage = watcher.usage()
        assert usage.resident_bytes == pytest.approx(psutil.Process(second.pid).memory_info().rss, rel=0.1)
        assert 0 < usage.resident_bytes < usage.limit_bytes <= psutil.virtual_memory().total
        assert usage.threads == 1
        assert usage.open_files >= 4
        second.kill()
        second.wait()
        second = start(second_port)
        assert watcher.usage().started == psutil.Process(second.pid).create_time()
    finally:
        for process in (first, second):
            process.kill()
            process.wait()


@pytest.fixture
def unused_ports():
    import socket

    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        ports = one.getsockname()[1], other.getsockname()[1]
    return ports


def test_program_is_small_answers_and_ends_on_request(server, artifacts, unused_ports):
    port = unused_ports[0]
    command = [sys.executable, "-m", "monitoring.exporter", "--port", str(port), "--artifacts", artifacts]
    command += ["--server", f"http://127.0.0.1:{server.server_port}"]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    try:
        assert "metrics at" in process.stderr.readline()
        for _ in range(5):
            page = urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10).read().decode()
        assert f'model_server_golden_request_success{{model_name="{MODEL}"}} 1.0' in page
        assert psutil.Process(process.pid).memory_info().rss < 60e6
    finally:
        process.terminate()
        _, errors = process.communicate(timeout=10)
    assert process.returncode == 0
    assert "Traceback" not in errors


def test_taken_port_is_said_in_one_line(server):
    result = subprocess.run(
        [sys.executable, "-m", "monitoring.exporter", "--port", str(server.server_port)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 2
    assert "cannot listen at 127.0.0.1" in result.stderr
    assert "Traceback" not in result.stderr
