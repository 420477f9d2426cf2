"""The Lambda function before the real embedded server, called as Lambda's runtime calls it."""

from __future__ import annotations

import base64
import json
import os
import queue
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from data import models_config
from data.paths import ROOT
from tests.support import toy_models
from tests.support.front import FOLDER, body_of, event, load
from tests.support.server import ServerProcess, free_port

pytestmark = pytest.mark.e2e

PYTHON = ROOT / ".venv-aws" / "bin" / "python"
"""Of the environment that has Lambda's runtime interface client, `awslambdaric`."""
ROWS = [toy_models.row(number) for number in range(3)]


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    """The folder of the models: version 7 answers 0.1, version 8 answers 0.9."""
    folder = tmp_path_factory.mktemp("models")
    toy_models.purchase_model(folder / "purchase-model" / "7", constant=0.1)
    toy_models.purchase_model(folder / "purchase-model" / "8", constant=0.9)
    return folder


@pytest.fixture(scope="module")
def server(models) -> Iterator[ServerProcess]:
    with ServerProcess([f"--models_folder={models}"], models / "log") as running:
        yield running


def probabilities(answer: dict[str, Any]) -> list[float]:
    assert answer["statusCode"] == 200, answer
    return [round(row["probability"], 3) for row in body_of(answer)["predictions"]]


def test_the_front_scores_with_the_newest_version_and_then_with_the_champion(server, models, monkeypatch):
    front = load(monkeypatch, server.url)
    body = json.dumps(ROWS)
    assert front.handler(event("GET", "/healthz"), None)["statusCode"] == 200
    assert probabilities(front.handler(event(body=body), None)) == [0.9] * 3
    encoded = {**event(body=base64.b64encode(body.encode()).decode()), "isBase64Encoded": True}
    assert probabilities(front.handler(encoded, None)) == [0.9] * 3
    assert probabilities(front.handler(event(body=json.dumps([{**ROWS[0], "age": float("nan")}])), None)) == [0.9]
    (models / "beside").write_text(models_config.text(models, {"purchase-model": {"stable": 7, "canary": 8}}))
    (models / "beside").rename(models / models_config.FILE)
    front = load(monkeypatch, server.url)  # this one has not learned yet that there is no label
    monkeypatch.setattr(front, "UNLABELLED_SECONDS", 0.0)
    deadline = time.monotonic() + 20
    while probabilities(front.handler(event(body=body), None)) != [0.1] * 3:
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({**ROWS[0], "age": "old"}, "is not of expected type"),
        ({**ROWS[0], "height": 180}, "height"),
        ({name: value for name, value in ROWS[0].items() if name != "age"}, "age"),
    ],
    ids=["type", "unknown", "missing"],
)
def test_what_is_wrong_with_a_customer_is_said_in_the_words_of_the_server(server, monkeypatch, row, says):
    answer = load(monkeypatch, server.url).handler(event(body=json.dumps([row])), None)
    assert answer["statusCode"] == 400
    assert says in body_of(answer)["error"]


class RuntimeApi(ThreadingHTTPServer):
    """Lambda's runtime API, version 2018-06-01: gives events to the runtime and takes its answers."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Runtime)
        self.events: queue.Queue[dict[str, Any]] = queue.Queue()
        self.answers: queue.Queue[tuple[str, Any]] = queue.Queue()

    def invoke(self, request: dict[str, Any]) -> dict[str, Any]:
        self.events.put(request)
        kind, answer = self.answers.get(timeout=30)
        assert kind == "response", answer
        return answer


class _Runtime(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: RuntimeApi

    def do_GET(self) -> None:
        body = json.dumps(self.server.events.get()).encode()
        self.send_response(200)
        # The native client crashes where one of these is missing.
        for name, value in {
            "Lambda-Runtime-Aws-Request-Id": str(uuid.uuid4()),
            "Lambda-Runtime-Deadline-Ms": str(int(time.time() * 1000) + 10_000),
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-central-1:123456789012:function:front",
            "Lambda-Runtime-Trace-Id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700",
            "Lambda-Runtime-Client-Context": "{}",
            "Lambda-Runtime-Cognito-Identity": "{}",
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        body = (
            self.rfile.read(int(self.headers["Content-Length"])) if "Content-Length" in self.headers else self._parts()
        )
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()
        self.server.answers.put((self.path.rpartition("/")[2], json.loads(body)))

    def _parts(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def runtime(server, tmp_path) -> Iterator[RuntimeApi]:
    """The runtime interface client with the function, as a process."""
    if not PYTHON.exists() or subprocess.run([PYTHON, "-c", "import awslambdaric"], check=False).returncode:
        pytest.skip(f"{PYTHON.relative_to(ROOT)} has no awslambdaric")
    with RuntimeApi() as api, (tmp_path / "log").open("wb") as log:
        threading.Thread(target=api.serve_forever, args=(0.01,), daemon=True).start()
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHON"))}
        process = subprocess.Popen(
            [PYTHON, "-m", "awslambdaric", "handler.handler"],
            cwd=FOLDER,
            env={
                **kept,
                "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{api.server_port}",
                "AWS_LAMBDA_FUNCTION_NAME": "front",
                "AWS_LAMBDA_FUNCTION_VERSION": "1",
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
                "LAMBDA_TASK_ROOT": str(FOLDER),
                "PYTHONDONTWRITEBYTECODE": "1",
                "MODEL_SERVER_URL": server.url,
            },
            stdout=log,
            stderr=log,
        )
        try:
            yield api
        finally:
            process.kill()
            process.wait()
            api.shutdown()


def test_lambdas_runtime_calls_the_function(runtime, server):
    expected = server.predict("purchase-model", {"instances": ROWS[:1]})
    assert set(expected) == {"predictions"}
    assert runtime.invoke(event("GET", "/healthz"))["statusCode"] == 200
    for _ in range(3):
        answer = runtime.invoke(event(body=json.dumps(ROWS), x_request_id="one"))
        assert len(probabilities(answer)) == 3
        assert answer["headers"]["x-request-id"] == "one"
        assert answer["isBase64Encoded"] is False
    assert runtime.invoke(event(body="{"))["statusCode"] == 400
    assert runtime.invoke(event(path="/v1/models/purchase-model:predict"))["statusCode"] == 404


def test_a_server_that_is_away_is_told_at_once(monkeypatch):
    front = load(monkeypatch, f"http://127.0.0.1:{free_port()}")
    for request in (event("GET", "/healthz"), event(body=json.dumps(ROWS))):
        answer = front.handler(request, None)
        assert (answer["statusCode"], answer["headers"]["retry-after"]) == (503, "1")
