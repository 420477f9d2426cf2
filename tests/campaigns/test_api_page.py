"""The page of the API shows each route, and its examples work when they are typed."""

from __future__ import annotations

import html
import json
import re
import shlex
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from campaigns import app
from campaigns.settings import Settings
from tests.campaigns.browsing import ADDRESS, Page
from tests.support.customers import CONTRACT
from tests.support.model_server import ModelServer


@pytest.fixture
def client(tmp_path) -> Iterator[TestClient]:
    with (
        ModelServer(CONTRACT) as server,
        TestClient(app.create(Settings(server.url, artifacts=tmp_path)), base_url=ADDRESS) as client,
    ):
        yield client


def commands(page: Page) -> list[list[str]]:
    return [shlex.split(html.unescape(text)) for text in re.findall(r"<code[^>]*>(curl .*?)</code>", page.html, re.S)]


def test_each_route_is_on_the_page_with_an_example(client):
    page = Page(client.get("/api"))
    routes = [
        f"{method.upper()} {path}"
        for path, methods in client.get("/api/openapi.json").json()["paths"].items()
        for method in methods
    ]
    assert page.status == 200
    assert set(routes) <= page.links.keys()
    assert len(commands(page)) == len(routes)
    assert Page(client.get("/")).links["API"] == "/api"


def test_the_example_of_scoring_is_right_for_the_model_that_serves(client):
    (body,) = [line[line.index("-d") + 1] for line in commands(Page(client.get("/api"))) if "-d" in line]
    answer = client.post("/api/score", content=body)
    assert answer.status_code == 200
    assert len(answer.json()["predictions"]) == len(json.loads(body)["instances"]) == 1


def test_a_form_is_sent_with_what_it_needs(client):
    line = next(
        line for line in commands(Page(client.get("/api"))) if line[-1] == f"{ADDRESS}/api/campaigns" and "-F" in line
    )
    sent = dict(word.split("=", 1) for word in line if "=" in word)
    assert sent.pop("file") == "@list.csv"
    file = "\n".join([",".join(CONTRACT.features()), ",".join("1" for _ in CONTRACT.features())])
    assert client.post("/api/campaigns", data=sent, files={"file": ("list.csv", file)}).status_code == 201


def test_the_page_is_there_without_a_model(tmp_path):
    with TestClient(app.create(Settings("http://127.0.0.1:9", artifacts=tmp_path)), base_url=ADDRESS) as client:
        assert client.get("/api").status_code == 200
