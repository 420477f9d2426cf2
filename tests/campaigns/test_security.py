"""Other sites cannot act through a person's browser, bodies have a limit, and pages load nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from campaigns import app, security
from campaigns.settings import Settings
from tests.campaigns.browsing import ADDRESS
from tests.campaigns.conftest import list_text

TOKEN = {"token": "x" * 43}


@pytest.fixture
def client(tmp_path, model_server) -> Iterator[TestClient]:
    with TestClient(app.create(Settings(model_server.url, artifacts=tmp_path)), base_url=ADDRESS) as client:
        yield client


@pytest.mark.parametrize("path", ["/campaigns", "/campaigns/1/freeze", "/campaigns/1/cancel", "/campaigns/1/budget"])
@pytest.mark.parametrize("answers", [{}, TOKEN])
def test_a_form_needs_the_token_of_the_browser(client, path, answers):
    client.get("/")
    assert client.post(path, data=answers).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://elsewhere.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_nothing_is_changed_from_another_origin(client, headers):
    answer = client.post("/api/campaigns/1/freeze", headers=headers)
    assert (answer.status_code, "origin" in answer.json()["error"]) == (403, True)
    same = {"Origin": ADDRESS, "Sec-Fetch-Site": "same-origin"}
    assert client.post("/api/campaigns/1/freeze", headers=same).status_code == 404


@pytest.mark.parametrize("host", ["elsewhere.example", "127.0.0.1.elsewhere.example:8600", "", "[::2]:8600"])
def test_other_names_are_refused(client, host):
    assert client.get("/", headers={"Host": host}).status_code == 421


@pytest.mark.parametrize("host", ["localhost:8600", "127.0.0.1", "[::1]:8600"])
def test_names_of_this_machine_are_taken(client, host):
    assert client.get("/livez", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("path", ["/", "/campaigns/new", "/nothing", "/api/campaigns", "/api/openapi.json"])
def test_pages_may_load_only_the_script_of_the_desk_and_stay_in_no_cache(client, path):
    headers = client.get(path).headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "script-src 'self'; connect-src 'self';" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"


def test_the_cookie_is_kept_from_scripts_and_other_sites(client):
    cookie = client.get("/").headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "set-cookie" not in client.get("/").headers


def test_a_body_that_is_too_large_is_refused_whatever_it_says(client, monkeypatch):
    monkeypatch.setattr(security, "SMALL", 1000)
    assert client.post("/api/score", content=b"x" * 2000).status_code == 413
    streamed = client.post("/api/score", content=iter([b"x" * 600] * 3))
    assert (streamed.status_code, "larger" in streamed.json()["error"]) == (413, True)


def test_a_list_that_is_too_large_is_refused_and_leaves_nothing(client, monkeypatch, tmp_path):
    monkeypatch.setattr("campaigns.lists.LARGEST_LIST", 5000)
    text = list_text([{"age": "30"}] * 500)
    data = {"name": "x", "cost": "1", "margin": "2"}
    answer = client.post("/api/campaigns", data=data, files={"file": ("../../x.csv", text)})
    assert answer.status_code == 400
    left = {file.name for file in (tmp_path / "campaigns").iterdir() if "sqlite" not in file.name}
    assert left <= {"log.key", "spool"}  # of the request log


def test_the_name_of_a_file_is_no_path(client, tmp_path):
    data = {"name": "x", "cost": "1", "margin": "2"}
    files = {"file": ("../../../etc/x<b>.csv", list_text([{"age": "30"}]))}
    campaign = client.post("/api/campaigns", data=data, files=files).json()
    assert campaign["source"] == "x_b_.csv"
    assert (tmp_path / "campaigns" / "1.csv").is_file()
