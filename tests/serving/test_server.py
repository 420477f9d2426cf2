"""The server as a process: start, hot reload under load, drain, hostile input, memory."""

from __future__ import annotations

import json
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.paths import ROOT
from serving import server as server_module
from serving.flags import Flags
from tests.support import toy_models
from tests.support.server import ServerProcess, ask, connect, free_port

pytestmark = pytest.mark.e2e


def push(source: Path, base: Path, version: int) -> None:
    """Copies a version to a temporary name and renames it, as the pipeline does."""
    staged = base / f"staged-{version}"
    shutil.copytree(source, staged)
    staged.rename(base / str(version))


def serve(base: Path, log: Path, *flags: str, wait: bool = True) -> ServerProcess:
    return ServerProcess([f"--model_base_path={base}", "--model_name=purchase-model", *flags], log, wait=wait)


def test_it_waits_for_a_model_and_then_says_how_to_call_it(tmp_path, purchase_model):
    with ServerProcess([], tmp_path / "log", wait=False, cwd=tmp_path) as server:
        server.wait_for("/livez")
        assert server.request("GET", "/readyz")[0] == 503
        assert server.request("GET", "/v1/models/purchase-model")[0] == 404
        assert "No model has been pushed to artifacts/serving yet" in server.log.read_text()
        base = tmp_path / "artifacts" / "serving" / "purchase-model"
        base.mkdir(parents=True)
        push(purchase_model, base, 1)
        server.wait_for("/readyz")
        answer = server.predict("purchase-model", {"instances": [toy_models.row()]})
        deadline = time.monotonic() + 5
        while "curl" not in server.log.read_text():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        command = server.log.read_text().split("Try:")[1].split('{"time"')[0]
        printed = subprocess.run(command, shell=True, capture_output=True, text=True, check=True).stdout
        assert json.loads(printed) == answer
        assert server.request("GET", "/monitoring/prometheus/metrics")[0] == 200
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(20) == 0


def test_every_model_in_the_folder_is_served_also_one_that_comes_later(tmp_path, purchase_model, segment_model):
    folder = tmp_path / "artifacts" / "serving"
    for name in ("segment-model", "purchase-model"):
        (folder / name).mkdir(parents=True)
    push(segment_model, folder / "segment-model", 1)
    with ServerProcess([], tmp_path / "log", cwd=tmp_path) as server:
        assert server.request("GET", "/v1/models/purchase-model")[0] == 404
        customers = {"instances": [{"age": 20.0, "housing": "no"}, {"age": 90.0, "housing": "yes"}]}
        answer = server.predict("segment-model", customers)
        segments = [(row["segment"], row["name"], row["outlier"]) for row in answer["predictions"]]
        assert segments == [(0, "young", False), (2, "over 53 / retired", True)]
        assert [row["distance"] for row in answer["predictions"]] == [0.5, 2.5]
        assert [len(row["membership"]) for row in answer["predictions"]] == [4, 4]
        push(purchase_model, folder / "purchase-model", 7)
        wait_until(lambda: server.request("GET", "/v1/models/purchase-model/versions/7")[0] == 200)
        server.wait_for("/readyz")
        assert server.predict("purchase-model", {"instances": [toy_models.row()]})
        assert server.predict("segment-model", customers) == answer
        shutil.rmtree(folder / "segment-model")
        push(purchase_model, folder / "purchase-model", 8)
        wait_until(lambda: states(server) == {8: "AVAILABLE", 7: "END"})
        assert server.predict("segment-model", customers) == answer, "what serves is not given up with its folder"


NEEDS_IPV6 = pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")


def test_a_taken_port_is_an_error_that_names_it():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "serving", f"--rest_api_port={port}"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert f"cannot listen on 127.0.0.1 port {port}: Address already in use" in done.stderr


@pytest.mark.parametrize(
    ("host", "reached", "refused"),
    [
        ("127.0.0.1", ["127.0.0.1"], ["::1", "127.0.0.2"]),
        ("0.0.0.0", ["127.0.0.1", "127.0.0.2"], ["::1"]),
        pytest.param("::1", ["::1"], ["127.0.0.1"], marks=NEEDS_IPV6),
        pytest.param("[::]", ["::1", "127.0.0.1"], [], marks=NEEDS_IPV6),
    ],
)
def test_it_listens_on_the_address_that_the_flag_names(host, reached, refused):
    def connects(address: str) -> bool:
        try:
            socket.create_connection((address, port), timeout=5).close()
        except OSError:
            return False
        return True

    port = free_port()
    with closing(server_module._listen(host, port)):
        assert all(map(connects, reached))
        assert not any(map(connects, refused))


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8501"),
        ("0.0.0.0", "http://localhost:8501"),
        ("::", "http://localhost:8501"),
        ("::1", "http://[::1]:8501"),
    ],
)
def test_the_address_that_is_printed_reaches_the_server(host, url):
    assert server_module._url(Flags(rest_api_host=host)) == url


class Clients:
    """Threads that keep asking until they are told to stop, and write down every answer."""

    def __init__(self, server: ServerProcess, count: int = 4):
        self.server = server
        self.stopping = threading.Event()
        self.answers: list[float | int] = []
        self.broken: list[str] = []
        self.threads = [threading.Thread(target=self.work) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def work(self) -> None:
        body = json.dumps({"instances": [toy_models.row()]}).encode()
        head = "POST /v1/models/purchase-model:predict HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n"
        message = head.format(len(body)).encode() + body
        connection = socket.create_connection(("127.0.0.1", self.server.port), timeout=30)
        with connection, connection.makefile("rb") as file:
            while not self.stopping.is_set():
                try:
                    connection.sendall(message)
                    status = int(file.readline().split()[1])
                    length = 0
                    while (line := file.readline()) != b"\r\n":
                        if line.lower().startswith(b"content-length"):
                            length = int(line.split(b":")[1])
                    answer = json.loads(file.read(length))
                except (OSError, IndexError, ValueError) as error:
                    self.broken.append(repr(error))
                    return
                if status != 200:
                    self.answers.append(status)
                    return
                self.answers.append(answer["predictions"][0]["probability"])

    def stop(self) -> None:
        self.stopping.set()
        for thread in self.threads:
            thread.join(30)


@pytest.fixture(scope="module")
def constants(tmp_path_factory) -> list[Path]:
    """Two models that answer 0.25 and 0.75 to everything."""
    root = tmp_path_factory.mktemp("constants")
    for name, constant in (("low", 0.25), ("high", 0.75)):
        toy_models.purchase_model(root / name, constant=constant)
    return [root / "low", root / "high"]


@pytest.mark.e2e
def test_twenty_versions_are_swapped_under_load_without_a_failed_request(tmp_path, constants):
    base = tmp_path / "models"
    base.mkdir()
    push(constants[0], base, 1)
    with serve(base, tmp_path / "log") as server:
        clients = Clients(server)
        for version in range(2, 22):
            before = len(clients.answers)
            push(constants[version % 2], base, version)  # even versions answer 0.25, odd ones 0.75
            wait_until(lambda version=version: states(server).get(version) == "AVAILABLE")
            wait_until(lambda version=version: states(server).get(version - 1) == "END")
            wait_until(lambda before=before: len(clients.answers) > before)
            settled = len(clients.answers)
            wait_until(lambda settled=settled: len(clients.answers) >= settled + 20)
            expected = 0.25 if version % 2 == 0 else 0.75
            assert set(clients.answers[settled + 8 :]) == {expected}, "answers come from the new version only"
        clients.stop()
        assert clients.broken == []
        assert set(clients.answers) == {0.25, 0.75}


def states(server: ServerProcess) -> dict[int, str]:
    body = json.loads(server.request("GET", "/v1/models/purchase-model")[1])
    return {int(item["version"]): item["state"] for item in body["model_version_status"]}


def wait_until(condition, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.e2e
def test_a_half_copied_version_is_retried_and_never_displaces_the_good_one(tmp_path, constants):
    base = tmp_path / "models"
    base.mkdir()
    push(constants[0], base, 1)
    with serve(base, tmp_path / "log", "--load_retry_interval_micros=300000", "--max_num_load_retries=100") as server:
        broken = base / "2"
        shutil.copytree(constants[1], broken)
        graph = (broken / "saved_model.pb").read_bytes()
        (broken / "saved_model.pb").write_bytes(graph[: len(graph) // 2])
        wait_until(lambda: states(server).get(2) == "LOADING")
        time.sleep(1)
        assert states(server) == {2: "LOADING", 1: "AVAILABLE"}
        assert server.predict("purchase-model", {"instances": [toy_models.row()]})["predictions"][0]["purchase"] == 0
        (broken / "saved_model.pb").write_bytes(graph)
        wait_until(lambda: states(server) == {2: "AVAILABLE", 1: "END"})
        assert server.predict("purchase-model", {"instances": [toy_models.row()]})["predictions"][0]["purchase"] == 1


@pytest.mark.e2e
def test_sigterm_under_load_cuts_no_request_off(tmp_path, constants):
    base = tmp_path / "models"
    base.mkdir()
    push(constants[0], base, 1)
    with serve(base, tmp_path / "log") as server:
        clients = Clients(server, count=16)
        wait_until(lambda: len(clients.answers) > 500)
        server.terminate()
        assert server.process.wait(20) == 0
        clients.stop()
        assert clients.broken == []
        assert clients.answers.count(503) == 16, "each client got a goodbye"
        assert set(clients.answers) == {0.25, 503}


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**66), 2**66) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["x", "b64", "v", "a"]), inner),
    max_leaves=8,
)
DOCUMENTS = st.dictionaries(
    st.sampled_from(["instances", "inputs", "examples", "context", "signature_name", "x"]),
    JSON_VALUES | st.sampled_from(["f64", "i64", "str", "b1", "u8", "regress_x_to_y", "classify_x_to_y"]),
    max_size=4,
)
BODIES = (
    DOCUMENTS.map(lambda document: json.dumps(document).encode())
    | JSON_VALUES.map(lambda value: json.dumps({"instances": value}).encode())
    | st.binary(max_size=80)
    | DOCUMENTS.map(lambda document: json.dumps(document).encode()[:-3])
)
MODELS = st.sampled_from(["half_plus_two", "two_inputs", "identity", "strings", "multi_out", "linear3", "nope"])
VERBS = st.sampled_from(
    [":predict", ":classify", ":regress", "/metadata", "", "/versions/1:predict", "/labels/x:predict"]
)
SAFE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=30)
PATHS = st.builds("/v1/models/{}{}".format, MODELS, VERBS) | SAFE.map("/v1/{}".format) | SAFE.map("/{}".format)
METHODS = st.sampled_from(["POST", "POST", "POST", "GET", "PUT", "OPTIONS", "DELETE", "HEAD", "PATCH"])


@pytest.mark.e2e
def test_ten_thousand_odd_requests_cause_no_5xx_no_crash_and_no_hang(server):
    """Unsupported types are 501 by contract; everything else has to be below 500."""

    @settings(max_examples=200, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.tuples(METHODS, PATHS, BODIES), min_size=50, max_size=50))
    def fuzz(requests):
        for method, path, body in requests:
            status, text, _ = ask(connection, method, path, body)
            assert status < 500 or (status == 501 and b"Conversion of JSON Value" in text), (method, path, body, text)

    with closing(connect(server.url)) as connection:
        fuzz()
    assert server.process.poll() is None
    assert server.predict("half_plus_two", {"instances": [1.0]}) == {"predictions": [2.5]}


@pytest.mark.e2e
def test_slow_and_vanishing_clients_do_no_harm(server):
    generator = random.Random(0)
    request = b'POST /v1/models/half_plus_two:predict HTTP/1.1\r\nContent-Length: 20\r\n\r\n{"instances": [1.0]}'
    open_ends = []
    for _ in range(200):
        connection = socket.create_connection(("127.0.0.1", server.port), timeout=10)
        connection.sendall(request[: generator.randrange(1, len(request) + 1)])
        open_ends.append(connection)
        if generator.random() < 0.5:
            connection.close()
    assert server.predict("half_plus_two", {"instances": [1.0]}) == {"predictions": [2.5]}
    for connection in open_ends:
        connection.close()
