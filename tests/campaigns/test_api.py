"""The JSON API does what the pages do."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from campaigns import app
from campaigns.settings import Settings
from tests.campaigns.browsing import ADDRESS
from tests.campaigns.conftest import ROW, list_text
from tests.support import stand_in
from tests.support.customers import CONTRACT
from tests.support.model_server import ModelServer
from tests.support.request_log import wait_until

LIST = list_text([{"id": f"c{age}", "age": str(age)} for age in range(20, 90)])
TERMS = {"name": "spring", "cost": "5", "margin": "100", "calls": "20", "control_share": "0.2"}


@pytest.fixture
def model_server() -> Iterator[ModelServer]:
    with ModelServer(CONTRACT, segments=("age", "housing")) as server:
        yield server


@pytest.fixture
def client(tmp_path, model_server) -> Iterator[TestClient]:
    with TestClient(app.create(Settings(model_server.url, artifacts=tmp_path)), base_url=ADDRESS) as client:
        yield client


@pytest.fixture
def ranked(client) -> TestClient:
    """With a ranked campaign."""
    return scored(client)


def scored(client: TestClient) -> TestClient:
    assert client.post("/api/campaigns", data=TERMS, files={"file": ("a.csv", LIST)}).status_code == 201
    deadline = time.monotonic() + 30
    while client.get("/api/campaigns/1").json()["state"] != "ranked":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return client


def test_the_model_and_its_columns(client):
    model = client.get("/api/model").json()
    assert (model["name"], model["version"], model["test"]) == ("purchase-model", "1", None)
    assert set(model["columns"]) == set(CONTRACT.features())


def test_a_server_that_does_not_answer_is_said(client, model_server):
    model_server.models.clear()
    for answer in (
        client.post("/api/score", json={"instances": [ROW]}),
        client.get("/readyz"),
        client.get("/api/model"),
    ):
        assert (answer.status_code, "Servable not found" in answer.json()["error"]) == (503, True)
    assert client.get("/livez").status_code == 200


def test_a_list_that_the_object_store_does_not_take_is_no_campaign_that_waits(tmp_path, model_server):
    settings = Settings(model_server.url, artifacts=tmp_path / "artifacts", uploads=f"file://{tmp_path / 'store'}")
    with TestClient(app.create(settings), base_url=ADDRESS) as client:
        (tmp_path / "store").write_text("a file in the way")
        answer = client.post("/api/campaigns", data=TERMS, files={"file": ("a.csv", LIST)})
        assert answer.status_code == 503
        assert "1.csv: the store answers with an error" in answer.json()["error"]
        (campaign,) = client.get("/api/campaigns").json()
        assert campaign["state"] == "failed"
        (tmp_path / "store").unlink()
        client.post("/api/campaigns", data=TERMS, files={"file": ("a.csv", LIST)})
        wait_until(lambda: client.get("/api/campaigns/2").json()["state"] == "ranked")
    assert [file.name for file in (tmp_path / "artifacts" / "campaigns").glob("*.csv")] == []


def test_a_campaign_to_its_results(ranked):
    page = ranked.get("/api/campaigns/1/customers?limit=2").json()
    assert [one["identifier"] for one in page["customers"]] == ["c89", "c88"]
    assert page["count"] == 70
    assert ranked.get("/api/campaigns/1/customers?segment=young").json()["count"] == 20
    assert ranked.get("/api/campaigns/1/customers/1").json()["cells"]["age"] == "20"
    plan = ranked.get("/api/campaigns/1/plan").json()
    assert (plan["calls"], plan["best"], plan["control"]) == (20, 16, 4)
    assert ranked.post("/api/campaigns/1/terms", data={"cost": "1", "margin": "50", "calls": "10"}).status_code == 200
    assert ranked.get("/api/campaigns/1/calls.csv").status_code == 409
    assert ranked.post("/api/campaigns/1/freeze").json()["state"] == "frozen"
    calls = ranked.get("/api/campaigns/1/calls.csv").text.splitlines()
    assert len(calls) == 11
    assert ranked.get("/api/campaigns/1/results").json() == {"verdict": None, "results": None}
    file = "identifier,called,bought\nc89,yes,yes\nc88,yes,no\nzz,yes,no\n"
    recorded = ranked.post("/api/campaigns/1/outcomes", files={"file": ("o.csv", file)}).json()
    assert recorded == {"new": 2, "corrected": 0, "unchanged": 0, "unknown": ["zz"]}
    found = ranked.get("/api/campaigns/1/results").json()
    assert (found["results"]["together"]["buyers"], found["results"]["listed"]) == (1, 10)
    assert found["verdict"]


def test_outcomes_need_a_frozen_list_and_a_right_file(ranked):
    file = {"file": ("o.csv", "identifier,called,bought\nc89,perhaps,yes\n")}
    assert ranked.post("/api/campaigns/1/outcomes", files=file).status_code == 409
    ranked.post("/api/campaigns/1/freeze")
    answer = ranked.post("/api/campaigns/1/outcomes", files=file)
    assert answer.status_code == 400
    assert "o.csv:2" in answer.json()["error"]
    assert "perhaps" in answer.json()["error"]


@pytest.mark.parametrize("path", ["", "/customers", "/customers/1", "/plan", "/results", "/calls.csv", "/calls.xlsx"])
def test_there_is_no_such_campaign(client, path):
    assert client.get(f"/api/campaigns/5{path}").status_code == 404
    assert client.get(f"/api/campaigns/{2**63}{path}").status_code == 422


@pytest.mark.parametrize(
    ("path", "methods"),
    [("/api/campaigns", "GET, POST"), ("/api/score", "POST"), ("/campaigns/1/budget", "GET, POST"), ("/livez", "GET")],
)
def test_the_methods_of_an_address_are_said(client, path, methods):
    answer = client.delete(path)
    assert (answer.status_code, answer.headers["allow"]) == (405, methods)


def test_the_api_is_described(client):
    document = client.get("/api/openapi.json").json()
    assert "/api/campaigns/{campaign_id}/calls.csv" in document["paths"]
    body = document["paths"]["/api/campaigns"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert body["properties"]["file"]["format"] == "binary"
    assert all(path.startswith("/api/") for path in document["paths"])


def test_a_customer_is_explained(ranked, model_server):
    address = "/api/campaigns/1/customers/3/explanation"
    refused = ranked.get(address)
    assert (refused.status_code, "does not give reasons" in refused.json()["error"]) == (503, True)
    model_server.explains = True
    answer = ranked.get(address).json()
    assert (answer["base"], answer["contributions"]["age"], answer["supporting"]) == (-2.0, 1.0, ["age: 22"])
    assert set(answer["contributions"]) == set(CONTRACT.features())
    assert ranked.get("/api/campaigns/1/customers/99/explanation").status_code == 404


def test_other_calls_are_compared(tmp_path, model_server, client):
    stand_in.write_contract(tmp_path, 1)
    ranked = scored(client)
    address = "/api/campaigns/1/customers/3/what-if"
    answer = ranked.get(address).json()
    assert list(answer) == ["contact", "campaign"]
    assert {"cell": "cellular", "probability": 0.11, "planned": True} in answer["contact"]
    assert len(answer["contact"]) == 3
    model_server.version = "2"
    assert ranked.get(address).status_code == 503


def test_a_campaign_is_deleted(ranked):
    answer = ranked.delete("/api/campaigns/1")
    assert answer.status_code == 204
    assert ranked.get("/api/campaigns/1").status_code == 404
    noted = ranked.get("/api/audit").json()[0]
    assert (noted["action"], noted["subject"]) == ("delete", "campaign 1: spring was deleted")
    assert noted["request"] == answer.headers["X-Request-ID"]
    assert ranked.delete("/api/campaigns/1").status_code == 404
