"""POST /api/score answers what the model server answers, says which version did, and names what is wrong."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from campaigns import app, models, scores
from campaigns.settings import Settings
from data.paths import serving_folder
from tests.campaigns.browsing import ADDRESS
from tests.campaigns.conftest import ROW
from tests.support import purchase_cards
from tests.support.customers import CONTRACT
from tests.support.model_server import ModelServer
from tests.support.server import free_port

HEADERS = {"Content-Type": "application/json"}


@pytest.fixture
def model_server() -> Iterator[ModelServer]:
    with ModelServer(CONTRACT, segments=("age", "housing")) as server:
        yield server


@pytest.fixture
def artifacts(tmp_path):
    """Where version 1 has the contract of the tests."""
    save_contract(tmp_path, "1", CONTRACT)
    return tmp_path


def save_contract(artifacts, version, contract):
    folder = serving_folder(artifacts, "purchase-model") / version / "assets.extra"
    folder.mkdir(parents=True)
    (folder / "contract.json").write_text(contract.model_dump_json())


@pytest.fixture
def client(artifacts, model_server, monkeypatch) -> Iterator[TestClient]:
    monkeypatch.setattr(models, "FRESH_SECONDS", 0.0)
    with TestClient(app.create(Settings(model_server.url, artifacts=artifacts)), base_url=ADDRESS) as client:
        yield client


def ask(client, *rows, **more):
    answer = client.post("/api/score", content=json.dumps({"instances": rows, **more}), headers=HEADERS)
    return answer.status_code, answer.json()


def test_each_row_has_its_probability_and_the_answer_its_version(client):
    assert ask(client, {**ROW, "age": 60}, {**ROW, "age": 30}) == (
        200,
        {
            "model": "purchase-model",
            "version": "1",
            "predictions": [{"probability": 0.3, "purchase": 0}, {"probability": 0.15, "purchase": 0}],
        },
    )
    assert ask(client)[1]["predictions"] == []


@pytest.mark.parametrize("rows", [1, scores.FEW_ROWS + 1])
def test_how_long_the_list_is_may_be_left_out(client, model_server, rows):
    row = {name: cell for name, cell in ROW.items() if name not in CONTRACT.derived_columns}
    status, answer = ask(client, *[{**row, "calls_today": 130}] * (rows - 1), {**row, "id": "c1", "age": 60})
    assert (status, answer["predictions"][-1]["probability"]) == (200, 0.3)
    sent = model_server.rows()
    assert {frozenset(one) for one in sent} == {frozenset(ROW)}
    assert [one["calls_today"] for one in sent[:-1]] == [130] * (rows - 1)
    assert all(sent[-1][name] != sent[-1][name] for name in CONTRACT.derived_columns)
    assert (
        "calls_7d: got 'few', expected a whole number, or null" in ask(client, {**row, "calls_7d": "few"})[1]["error"]
    )


def test_when_the_call_was_is_no_column(client):
    assert "'month' is not a column" in ask(client, {**ROW, "month": "may"})[1]["error"]


@pytest.mark.parametrize("rows", [3, scores.FEW_ROWS + 1])
def test_what_rows_do_not_say_of_the_size_of_the_list_is_assumed_and_said(client, model_server, artifacts, rows):
    purchase_cards.write(artifacts, CONTRACT.name)
    row = {name: cell for name, cell in ROW.items() if name not in CONTRACT.derived_columns}
    # As many identifiers as columns that are lacking, which is no reason to overlook them.
    named = {**row, **ROW, "id": "c1"}
    del named["calls_30d"]
    _, answer = ask(client, named, {**row, "calls_today": None}, *[row] * (rows - 2))
    assert answer["assumed"] == {"calls_today": 12, "calls_7d": 70, "calls_30d": 280}
    assert answer["predictions"][0]["identifier"] == "c1"
    sent = [[one[name] for name in CONTRACT.derived_columns] for one in model_server.rows()]
    assert sent[0] == [*(ROW[name] for name in ("calls_today", "calls_7d")), 280]
    assert sent[1][0] != sent[1][0]  # null says that it is not known
    assert sent[1][1:] == [70, 280]
    assert sent[2:] == [[12, 70, 280]] * (rows - 2)
    assert "assumed" not in ask(client, ROW)[1]
    assert client.get("/api/model").json()["assumed"] == {"calls_today": 12, "calls_7d": 70, "calls_30d": 280}


def test_the_calls_of_the_past_are_read_again_after_a_while(client, artifacts, monkeypatch):
    row = {name: cell for name, cell in ROW.items() if name not in CONTRACT.derived_columns}
    assert "assumed" not in ask(client, row)[1]
    purchase_cards.write(artifacts, CONTRACT.name)
    assert "assumed" not in ask(client, row)[1]
    monkeypatch.setattr(models, "REREAD_SECONDS", 0.0)
    assert ask(client, row)[1]["assumed"]["calls_today"] == 12


def test_many_rows_are_answered_in_their_order(client, model_server):
    ages = [20 + number % 60 for number in range(scores.FEW_ROWS + 1)]
    _, answer = ask(client, *({**ROW, "age": age} for age in ages))
    assert [one["probability"] for one in answer["predictions"]] == [age / 200 for age in ages]
    assert model_server.rows() == [{**ROW, "age": age} for age in ages]


def test_an_identifier_comes_back_and_is_not_sent(client, model_server):
    _, answer = ask(client, {**ROW, "id": "007"}, {**ROW, "id": 8}, ROW)
    assert [one["identifier"] for one in answer["predictions"]] == ["007", 8, None]
    assert model_server.rows() == [ROW] * 3


def test_reasons_are_in_the_words_of_the_contract(client, model_server):
    model_server.explains = True
    _, answer = ask(client, {**ROW, "age": 58}, reasons=True)
    assert answer["predictions"][0]["reasons"] == {"for": ["age: 58 years"], "against": []}
    model_server.explains = False
    status, answer = ask(client, ROW, reasons=True)
    assert (status, "gives none" in answer["error"]) == (400, True)


def test_segments_are_named_where_they_are_known(client, model_server):
    _, answer = ask(client, {**ROW, "age": 60}, {**ROW, "age": 30}, segments=True)
    assert [one["segment"] for one in answer["predictions"]] == ["old", "young"]
    del model_server.models["segment-model"]
    assert ask(client, ROW, segments=True)[1]["predictions"][0]["segment"] is None


def test_a_column_of_the_segment_model_alone_is_taken_with_segments(client, model_server):
    model_server.models["segment-model"] = (
        {"age": "DT_FLOAT", "wealth": "DT_FLOAT"},
        model_server.models["segment-model"][1],
    )
    _, answer = ask(client, {**ROW, "age": 60, "wealth": 3.0}, segments=True)
    assert answer["predictions"][0]["segment"] == "old"
    assert model_server.rows("segment-model") == [{"age": 60, "wealth": 3.0}]
    assert ask(client, {**ROW, "wealth": 3.0})[0] == 400


def test_a_version_or_a_label_is_named(client, model_server):
    model_server.labels = {"stable": "1"}
    assert ask(client, ROW, version="1")[1]["version"] == "1"
    assert ask(client, ROW, version=1)[1]["version"] == "1"
    assert ask(client, ROW, label="stable")[1]["version"] == "1"


@pytest.mark.parametrize(
    ("named", "status", "says"),
    [
        ({"version": "7"}, 404, "version: got '7', expected one that serves; versions 1 serve"),
        ({"label": "canary"}, 404, "label: got 'canary', expected one that serves; versions 1 serve"),
        ({"version": "1/metadata"}, 400, "expected a number"),
        ({"version": "1", "label": "stable"}, 400, "expected one of them"),
        ({"version": 1.5}, 400, "expected text"),
        ({"label": ""}, 400, "expected 1 to"),
        ({"reasons": 1}, 400, "expected true or false"),
        ({"reason": True}, 400, "did you mean 'reasons'"),
    ],
)
def test_a_wrong_question_is_named(client, named, status, says):
    found, answer = ask(client, ROW, **named)
    assert found == status
    assert says in answer["error"]


@pytest.mark.parametrize("rows", [1, scores.FEW_ROWS + 1])
@pytest.mark.parametrize(
    ("cells", "says"),
    [
        ({"agee": 1}, "'agee' is not a column (did you mean 'age'?)"),
        ({"age": "old"}, "age: got 'old', expected a whole number"),
        ({"age": True}, "age: got True, expected a whole number"),
        ({"age": 1.5}, "age: got 1.5, expected a whole number"),
        ({"age": None}, "age: got null, expected a whole number"),
        ({"age": float("nan")}, "age: got nan, expected a whole number"),
        ({"balance": 1e39}, "balance: got 1e+39, expected a whole number"),
        ({"job": 3}, "job: got 3, expected text"),
        ({"job": ["a"]}, "job: got ['a'], expected text"),
        ({"job": ""}, "job: got '', expected text"),
        ({"id": [1]}, "id: got [1], expected text or a whole number"),
        ({"id": "7" * 501}, f"id: got '{39 * '7'}, expected at most 500 characters"),
    ],
)
def test_a_wrong_cell_is_named_with_its_row_and_column(client, model_server, rows, cells, says):
    status, answer = ask(client, *[ROW] * (rows - 1), {**ROW, **cells})
    assert status == 400
    assert f"instances: row {rows - 1}: {says}" in answer["error"]
    assert model_server.rows() == []


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({name: cell for name, cell in ROW.items() if name != "age"}, "row 0: age: got nothing, expected a value"),
        ({("agee" if name == "age" else name): cell for name, cell in ROW.items()}, "did you mean 'agee'"),
        (3, "row 0: got 3, expected an object"),
        ([1, 2], "row 0: got [1, 2], expected an object"),
        ("age", "row 0: got 'age', expected an object"),
    ],
)
def test_a_row_without_its_columns_is_named(client, row, says):
    status, answer = ask(client, row)
    assert status == 400
    assert says in answer["error"]


def test_missing_values_are_taken_where_the_contract_allows_them(client, model_server, artifacts):
    numeric = {**CONTRACT.numeric, "age": CONTRACT.numeric["age"].model_copy(update={"blank": True})}
    categorical = {**CONTRACT.categorical, "job": CONTRACT.categorical["job"].model_copy(update={"blank": True})}
    save_contract(artifacts, "2", CONTRACT.model_copy(update={"numeric": numeric, "categorical": categorical}))
    model_server.version = "2"
    _, answer = ask(client, {**ROW, "age": None, "job": None}, {**ROW, "age": float("nan")})
    assert [one["probability"] for one in answer["predictions"]] == [0.0, 0.0]
    first, second = model_server.rows()
    assert (first["age"] != first["age"], first["job"], second["job"]) == (True, "", ROW["job"])


def test_a_server_without_a_readable_folder_takes_what_its_inputs_are(client, model_server):
    model_server.version = "9"
    assert ask(client, {**ROW, "age": 1.5})[0] == 200
    assert "expected a number, or null where there is none" in ask(client, {**ROW, "age": "x"})[1]["error"]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"instances": 3}', b"\xff", b'{"instances": ["\\ud800", NaN]}', b"[NaN" * 100_000]
)
def test_what_is_no_request_is_refused(client, body):
    answer = client.post("/api/score", content=body, headers=HEADERS)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_too_many_rows_are_refused(client, model_server, monkeypatch):
    monkeypatch.setattr(scores, "MOST_ROWS", 2)
    assert "got 3 rows, expected at most 2" in ask(client, ROW, ROW, ROW)[1]["error"]


def test_a_reload_between_two_requests_is_answered_by_the_new_version(client, model_server, monkeypatch):
    monkeypatch.setattr(models, "FRESH_SECONDS", 60.0)
    assert ask(client, ROW)[1]["version"] == "1"
    model_server.version = "2"
    assert ask(client, ROW)[1]["version"] == "2"


def test_a_named_version_that_is_unloaded_is_no_more(client, model_server, monkeypatch):
    monkeypatch.setattr(models, "FRESH_SECONDS", 60.0)
    assert ask(client, ROW, version="1")[0] == 200
    model_server.version = "2"
    status, answer = ask(client, ROW, version="1")
    assert (status, "versions 2 serve" in answer["error"]) == (404, True)


def test_a_model_server_that_refuses_or_is_full_is_said(client, model_server):
    model_server.failures = [503]
    assert ask(client, ROW)[0] == 503
    model_server.failures = [400]
    path = "/v1/models/purchase-model/versions/1:predict"
    status, answer = ask(client, ROW)
    assert (status, answer["error"]) == (400, f"{path}: the model server failed with 400")


def test_a_model_server_that_is_down_is_said(tmp_path):
    settings = Settings(f"http://127.0.0.1:{free_port()}", artifacts=tmp_path)
    with TestClient(app.create(settings), base_url=ADDRESS) as client:
        status, answer = ask(client, ROW)
    assert status == 503
    assert "Connect" in answer["error"]


def test_what_was_scored_is_handed_to_the_log(artifacts, model_server):
    logged = []
    desk = scores.Scores(Settings(model_server.url, artifacts=artifacts, log_inputs=True), logged.append)
    asyncio.run(desk.score(json.dumps({"instances": [{**ROW, "age": 60, "id": 7}]}).encode()))
    (one,) = logged
    assert (one.model, one.version, one.identifiers) == ("purchase-model", "1", ["7"])
    assert (one.probabilities, one.purchases, one.campaign_id) == ([0.3], [0], None)
    assert json.loads(one.inputs[0]) == {**ROW, "age": 60}


def test_the_route_is_described(client):
    route = client.get("/api/openapi.json").json()["paths"]["/api/score"]["post"]
    assert "instances" in route["requestBody"]["content"]["application/json"]["schema"]["properties"]
    assert client.get("/api/score").status_code == 405
