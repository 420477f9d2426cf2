"""The Lambda function answers events of an API Gateway from a model server with TensorFlow Serving's contract."""

from __future__ import annotations

import base64
import json
import math
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from data import contract
from tests.support.front import FOLDER, body_of, event, load, zipped
from tests.support.model_server import ModelServer

ROWS = [{"age": 20}, {"age": 60}]
PREDICTIONS = {"predictions": [{"probability": 0.1, "purchase": 0}, {"probability": 0.3, "purchase": 0}]}


@pytest.fixture
def model() -> Iterator[ModelServer]:
    with ModelServer(contract.load("bank-full")) as server:
        yield server


@pytest.fixture
def ask(model, monkeypatch) -> Callable[[dict], dict]:
    front = load(monkeypatch, model.url, MAX_ROWS="3")
    return lambda request: front.handler(request, None)


def refused(answer: dict, status: int) -> str:
    """What an answer with an error says."""
    assert answer["statusCode"] == status
    document = body_of(answer)
    assert set(document) == {"error", "request_id"}
    assert document["request_id"] == answer["headers"]["x-request-id"]
    return document["error"]


# --- POST /score ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("document", [ROWS, {"instances": ROWS}], ids=["list", "instances"])
@pytest.mark.parametrize("encoded", [False, True], ids=["text", "base64"])
def test_customers_are_scored(ask, document, encoded):
    body = json.dumps(document)
    request = event(body=base64.b64encode(body.encode()).decode() if encoded else body)
    answer = ask({**request, "isBase64Encoded": encoded})
    assert answer["statusCode"] == 200
    assert answer["headers"]["content-type"] == "application/json"
    assert body_of(answer) == PREDICTIONS


def test_a_missing_number_goes_through(ask, model):
    assert body_of(ask(event(body='[{"age": NaN}]')))["predictions"][0]["probability"] == 0
    ((row,),) = [rows for _, rows in model.requests]
    assert math.isnan(row["age"])


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (None, "not JSON"),
        ("{", "not JSON: Expecting property name"),
        ("[" * 100_000, "not JSON: maximum recursion depth"),
        ("[]", "expected a list of customers"),
        ("7", "expected a list of customers"),
        ('{"instances": {}}', "expected a list of customers"),
        ('{"inputs": {"age": [20]}}', "expected a list of customers"),
        ('{"instances": [{"age": 20}], "signature_name": "explain"}', "expected a list of customers"),
        ('[{"age": 20}, [41]]', "customer 1: got [41], expected an object"),
    ],
)
def test_a_body_without_customers_is_refused(ask, model, body, says):
    assert says in refused(ask(event(body=body)), 400)
    assert model.requests == []


def test_base64_that_is_none_is_refused(ask):
    assert "not JSON" in refused(ask({**event(body="{}"), "isBase64Encoded": True}), 400)


def test_too_many_customers_and_too_many_bytes_are_refused(ask, model):
    assert refused(ask(event(body=json.dumps(ROWS * 2))), 413) == "got 4 customers, expected at most 3 in one request"
    assert "bytes, expected at most 4194304" in refused(ask(event(body=f'[{{"job": "{"x" * 4_194_304}"}}]')), 413)
    assert model.requests == []


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [(400, 400), (404, 503), (413, 413), (429, 429), (500, 502), (502, 503), (503, 503), (504, 504)],
)
def test_a_refusal_of_the_model_server_becomes_one_of_the_front(ask, model, theirs, ours):
    model.labels = {"stable": "1"}
    model.failures = [theirs] * (2 if theirs == 404 else 1)
    answer = ask(event(body=json.dumps(ROWS)))
    message = refused(answer, ours)
    assert ("the model server failed with 400" in message) == (theirs == 400), "the server says what field is wrong"
    assert answer["headers"].get("retry-after") == ("1" if ours in (429, 503) else None)
    assert body_of(ask(event(body=json.dumps(ROWS)))) == PREDICTIONS, "the next request is answered"


def test_the_champion_answers_where_there_is_one_and_else_the_newest_version(ask, model, monkeypatch):
    paths = []
    answer = model.answer
    monkeypatch.setattr(model, "answer", lambda *asked: paths.append(asked[1]) or answer(*asked))
    champion, newest = ("/v1/models/purchase-model/labels/stable:predict", "/v1/models/purchase-model:predict")
    for labels, asked in (
        ({"stable": "1"}, [champion]),
        ({"stable": "2"}, [champion, newest]),
        ({}, [champion, newest]),
    ):
        paths.clear()
        model.labels = labels
        assert body_of(ask(event(body=json.dumps(ROWS)))) == PREDICTIONS
        assert paths == asked
    assert body_of(ask(event(body=json.dumps(ROWS)))) == PREDICTIONS
    assert paths[2:] == [newest], "a server without labels is not asked for one each time"


def test_the_name_of_the_model_is_a_variable(model, monkeypatch):
    front = load(monkeypatch, model.url, MODEL_NAME="absent")
    assert "no version of absent serves yet" in refused(front.handler(event(body=json.dumps(ROWS)), None), 503)


# --- routes and ids ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/score"), ("POST", "/"), ("POST", "/score/"), ("GET", "/v1/models/purchase-model")]
)
def test_nothing_else_of_the_model_server_is_reached(ask, method, path):
    assert refused(ask(event(method, path)), 404) == "there are POST /score and GET /healthz"


def test_a_stage_may_stand_before_the_path_and_a_function_url_has_no_routes(ask):
    staged = {**event(body=json.dumps(ROWS)), "rawPath": "/demo/score"}
    by_url = {**event(body=json.dumps(ROWS)), "routeKey": "$default"}
    assert [ask(one)["statusCode"] for one in (staged, by_url)] == [200, 200]


def test_it_is_healthy_while_a_version_serves(model, monkeypatch):
    front = load(monkeypatch, model.url)
    answer = front.handler(event("GET", "/healthz"), None)
    assert (answer["statusCode"], body_of(answer)) == (200, {"status": "ok"})
    front = load(monkeypatch, model.url, MODEL_NAME="absent")
    assert refused(front.handler(event("GET", "/healthz"), None), 503) == "no version of absent serves"


@pytest.mark.parametrize(
    ("given", "taken"),
    [("abc-1/2", "abc-1/2"), ("", "JKJaXmPLvHcESHA="), ("a b", "JKJaXmPLvHcESHA="), ("x" * 65, "JKJaXmPLvHcESHA=")],
)
def test_each_request_has_an_id_that_is_passed_on_and_logged(given, taken, monkeypatch, capsys):
    with serving() as server:
        front = load(monkeypatch, server.url)
        answer = front.handler(event(body=json.dumps(ROWS), x_request_id=given), None)
    assert answer["headers"]["x-request-id"] == taken
    assert server.ids == [taken]
    (line,) = capsys.readouterr().out.splitlines()
    log = json.loads(line)
    assert log.pop("ms") >= 0
    assert log == {"request_id": taken, "status": 200, "rows": 2}, "and nothing of the customers"


# --- the connection ---------------------------------------------------------------------------------------------------


class Server(ThreadingHTTPServer):
    """A model server that counts its connections.

    Attributes:
      connections, ids: how many were opened; the ids of the requests.
      hangs_up: close each connection after an answer, without a word, as a balancer does with an idle one.
      waits: do not answer before the test ends.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.connections = 0
        self.ids: list[str] = []
        self.hangs_up = self.waits = False
        self.ended = threading.Event()
        self.closed = threading.Semaphore(0)
        self.url = f"http://127.0.0.1:{self.server_port}"

    def shutdown_request(self, request: object) -> None:
        super().shutdown_request(request)  # type: ignore[arg-type]
        self.closed.release()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def setup(self) -> None:
        self.server.connections += 1
        super().setup()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.ids.append(self.headers["X-Request-ID"])
        if self.server.waits:
            self.server.ended.wait()
        body = json.dumps(PREDICTIONS).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = self.server.hangs_up

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serving() -> Iterator[Server]:
    with Server() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.ended.set()
        server.shutdown()


def score(front) -> int:
    return front.handler(event(body=json.dumps(ROWS)), None)["statusCode"]


def test_invocations_share_one_connection(monkeypatch):
    with serving() as server:
        front = load(monkeypatch, server.url)
        assert [score(front) for _ in range(20)] == [200] * 20
        assert server.connections == 1


def test_a_connection_that_the_server_closed_is_opened_again(monkeypatch):
    with serving() as server:
        front = load(monkeypatch, server.url)
        server.hangs_up = True
        for number in (1, 2, 3):
            assert score(front) == 200
            assert server.connections == number
            assert server.closed.acquire(timeout=10)


def test_a_connection_that_was_idle_for_long_is_not_used_again(monkeypatch):
    with serving() as server:
        front = load(monkeypatch, server.url)
        assert score(front) == 200
        now = front.time.time() + front.IDLE_SECONDS + 1
        monkeypatch.setattr(front.time, "time", lambda: now)
        assert score(front) == 200
        assert server.connections == 2


def test_a_server_that_is_gone_is_503_and_the_next_one_is_found(monkeypatch):
    with serving() as server:
        front = load(monkeypatch, server.url)
        assert score(front) == 200
        server.hangs_up = True
        assert score(front) == 200
        port = server.server_port
    answer = front.handler(event(body=json.dumps(ROWS)), None)
    assert refused(answer, 503) == "the model server cannot be reached; try again"
    assert answer["headers"]["retry-after"] == "1"
    with socket.create_server(("127.0.0.1", port)) as listener:  # it breaks off without an answer
        threading.Thread(target=lambda: [listener.accept()[0].close() for _ in range(2)], daemon=True).start()
        answer = front.handler(event(body=json.dumps(ROWS)), None)
        assert refused(answer, 503) == "the connection to the model server broke; try again"


def test_a_server_that_does_not_answer_is_504(monkeypatch):
    with serving() as server:
        front = load(monkeypatch, server.url)
        monkeypatch.setattr(front, "ANSWER_SECONDS", 0.2)
        server.waits = True
        answer = front.handler(event(body=json.dumps(ROWS)), None)
        assert refused(answer, 504) == "the model server did not answer in 0.2 s"
        assert len(server.ids) == 1, "no second try: the server may be busy"
        server.waits = False
        server.ended.set()
        assert score(front) == 200


# --- the package ------------------------------------------------------------------------------------------------------


def test_it_needs_the_standard_library_alone_and_an_address(tmp_path):
    code = (
        f"import sys; sys.path.insert(0, {str(FOLDER)!r}); before = set(sys.modules); import handler\n"
        "print({name.partition('.')[0] for name in set(sys.modules) - before} - sys.stdlib_module_names)"
    )
    command = [sys.executable, "-S", "-c", code]
    environment = {"MODEL_SERVER_URL": "http://127.0.0.1:8501"}
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "{'handler'}"
    failed = subprocess.run(command, env={}, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "KeyError: 'MODEL_SERVER_URL'" in failed.stderr


def test_its_zip_is_below_50_kb(tmp_path):
    assert zipped(tmp_path).stat().st_size < 50_000
