"""The client asks, waits and scores files."""

from __future__ import annotations

import csv
import json

import httpx
import pytest

from data.errors import ServiceError, UserError
from serving import client as module
from serving.client import Client
from serving.client.__main__ import main
from serving.client.score_file import neutral, score_file


def metadata(**inputs: str) -> dict:
    signature = {"inputs": {name: {"dtype": dtype} for name, dtype in inputs.items()}}
    return {"metadata": {"signature_def": {"signature_def": {"serving_default": signature}}}}


class FakeServer:
    """Answers each row with its number of features that are there."""

    def __init__(self, *failures: httpx.Response):
        self.failures = list(failures)
        self.requests: list[list[dict]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.failures:
            return self.failures.pop(0)
        if request.method == "GET":
            return httpx.Response(200, json=metadata(age="DT_FLOAT", job="DT_STRING"))
        rows = json.loads(request.content)["instances"]
        self.requests.append(rows)
        return httpx.Response(200, json={"predictions": [{"probability": 0.5, "purchase": 1} for _ in rows]})

    def client(self, **options) -> Client:
        return Client("http://model", transport=httpx.MockTransport(self), **options)


@pytest.fixture(autouse=True)
def pauses(monkeypatch):
    waited: list[float] = []
    monkeypatch.setattr(module.time, "sleep", waited.append)
    return waited


def test_it_tries_again_while_the_server_says_503(pauses):
    server = FakeServer(httpx.Response(503, headers={"Retry-After": "2"}), httpx.Response(503))
    assert server.client().predict([{"age": 41.0, "job": "x"}]) == [{"probability": 0.5, "purchase": 1}]
    assert pauses[0] == 2.0
    assert len(pauses) == 2


def test_it_gives_up_after_so_many_attempts():
    server = FakeServer(*[httpx.Response(503, json={"error": "The server is shutting down"})] * 2)
    with pytest.raises(ServiceError, match="shutting down"):
        server.client(attempts=2).predict([{}])


def test_the_servers_words_reach_the_caller(pauses):
    server = FakeServer(httpx.Response(400, json={"error": "keys must be equal to: age,job"}))
    with pytest.raises(ServiceError, match="keys must be equal to: age,job"):
        server.client().predict([{"age": 1.0}])
    assert pauses == []


def test_a_server_that_is_not_there_is_named():
    def refuse(request):
        raise httpx.ConnectError("Connection refused")

    with pytest.raises(ServiceError, match="http://model/v1/models/purchase-model:predict: Connection refused"):
        Client("http://model", transport=httpx.MockTransport(refuse)).predict([{}])


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_is_scored_in_batches_and_keeps_its_other_columns(tmp_path):
    source = write(tmp_path / "in.csv", 'id;"age";job;y\n1;41;"a; b";no\n2;;;yes\n\n3;-1.5;=1+1;\n')
    server = FakeServer()
    assert score_file(server.client(), source, tmp_path / "out.csv", batch_rows=2) == 3
    sent = [row for rows in server.requests for row in rows]
    assert [len(rows) for rows in server.requests] == [2, 1]
    assert sent[0] == {"age": 41.0, "job": "a; b"}
    assert sent[1]["age"] != sent[1]["age"]
    assert sent[1]["job"] == ""
    with (tmp_path / "out.csv").open(newline="") as scored:
        rows = list(csv.reader(scored, delimiter=";"))
    assert rows == [
        ["id", "age", "job", "y", "probability", "purchase"],
        ["1", "41", "a; b", "no", "0.5", "1"],
        ["2", "", "", "yes", "0.5", "1"],
        ["3", "-1.5", "'=1+1", "", "0.5", "1"],
    ]


def test_a_scored_file_can_be_scored_again(tmp_path):
    source = write(tmp_path / "in.csv", "age,job,probability,purchase\n1,a,0.9,0\n")
    score_file(FakeServer().client(), source, source, batch_rows=10)
    assert source.read_text() == "age,job,probability,purchase\n1,a,0.5,1\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "in.csv: the file is empty"),
        ("age,job\n", "in.csv: the file has a header but no rows"),
        ("Age,job\n1,a\n", r"in.csv:1: the header differs .* missing 'age' \(did you mean 'Age'"),
        ("age,job\n1,a\nold,b\n", "in.csv:3: column 'age': got 'old', expected a number or a blank cell"),
        ("age,job\nnan,b\n", "in.csv:2: column 'age': got 'nan', expected a number"),
        ("age,job\n1_000,b\n", "in.csv:2: column 'age': got '1_000', expected a number"),
        ("age,job\n1\n", "in.csv:2: got '1', expected 2 cells"),
    ],
)
def test_a_wrong_file_is_refused_with_the_place_and_leaves_nothing_behind(tmp_path, text, message):
    source = write(tmp_path / "in.csv", text)
    with pytest.raises(UserError, match=message):
        score_file(FakeServer().client(), source, tmp_path / "out.csv", batch_rows=1)
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("=1+1", "'=1+1"),
        ("@x", "'@x"),
        ("-2+3", "'-2+3"),
        ("+a", "'+a"),
        ("-1.5", "-1.5"),
        ("+3", "+3"),
        ("a=b", "a=b"),
        ("", ""),
    ],
)
def test_formulas_are_neutralised_and_numbers_are_not(cell, shown):
    assert neutral(cell) == shown


def test_the_command_scores_with_a_real_server(server, tmp_path, capsys):
    source = write(tmp_path / "in.csv", "a,b,c\n1,10,x\n2,20,y\n")
    command = [str(source), "--out", str(tmp_path / "out.csv"), "--url", server.url, "--model"]
    assert main([*command, "two_inputs"]) == 0
    assert (tmp_path / "out.csv").read_text() == "a,b,c,prediction\n1,10,x,21.0\n2,20,y,42.0\n"
    assert main([*command, "nope"]) == 1
    assert "Servable not found for request: Latest(nope)" in " ".join(capsys.readouterr().err.split())
    assert main([str(tmp_path / "absent.csv"), *command[1:], "two_inputs"]) == 2
