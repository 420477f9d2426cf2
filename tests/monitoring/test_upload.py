"""`python -m monitoring.dashboards.upload` against a stand-in of Grafana's HTTP API, which keeps what it gets."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from data.command import BAD_INPUT, DONE, FAILED
from monitoring.dashboards import upload
from tests.support.server import free_port

TOKEN = "glsa_x"
PROMETHEUS = "https://aps-workspaces.eu-central-1.amazonaws.com/workspaces/ws-1"


class Grafana(ThreadingHTTPServer):
    """Knows the routes that the command uses.

    Attributes:
      sources, folders, dashboards: by uid.
      broken: whether each request is answered with 500.
    """

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.sources, self.folders, self.dashboards = {}, {}, {}
        self.broken = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def answer(self, method: str, path: str, content: dict) -> int:
        if self.broken:
            return 500
        kind, _, uid = path.removeprefix("/api/").partition("/")
        uid = uid.removeprefix("uid/")
        known = {"datasources": self.sources, "folders": self.folders, "dashboards": self.dashboards}[kind]
        if method == "GET":
            return 200 if uid in known else 404
        if method == "PUT":
            if uid not in known:
                return 404
            known[uid] = content
            return 200
        if kind == "dashboards":
            assert content["folderUid"] in self.folders
            assert content["overwrite"]
            content = content["dashboard"]
        elif content["uid"] in known:
            return 409
        known[content["uid"]] = content
        return 200


class Handler(BaseHTTPRequestHandler):
    server: Grafana

    def handle_any(self) -> None:
        content = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or "{}")
        allowed = self.headers["Authorization"] == f"Bearer {TOKEN}"
        self.send_response(self.server.answer(self.command, self.path, content) if allowed else 401)
        self.end_headers()

    do_GET = do_POST = do_PUT = handle_any  # noqa: N815 (the names of http.server)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def grafana(monkeypatch) -> Iterator[Grafana]:
    monkeypatch.setenv(upload.TOKEN, TOKEN)
    with Grafana() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_source_folder_and_dashboards_are_put_and_put_again(grafana, capsys):
    for _ in range(2):
        assert upload.main([f"{grafana.url}/", "--prometheus", PROMETHEUS, "--sign-for", "eu-central-1"]) == DONE
    (source,) = grafana.sources.values()
    assert (source["url"], source["isDefault"], source["type"]) == (PROMETHEUS, True, "prometheus")
    assert source["jsonData"]["sigV4Region"] == "eu-central-1"
    assert len(grafana.folders) == 1
    assert grafana.dashboards.keys() == {"model-service", "model-data", "campaigns"}
    assert f"Service: {grafana.url}/d/model-service" in capsys.readouterr().out


def test_another_prometheus_takes_the_place_of_the_first_and_gets_no_signatures(grafana):
    upload.main([grafana.url, "--prometheus", PROMETHEUS, "--sign-for", "eu-central-1"])
    upload.main([grafana.url, "--prometheus", "http://prometheus:9090"])
    (source,) = grafana.sources.values()
    assert source["url"] == "http://prometheus:9090"
    assert "sigV4Auth" not in source["jsonData"]


def test_what_goes_wrong_is_said(grafana, monkeypatch, capsys):
    command = ["--prometheus", PROMETHEUS]
    grafana.broken = True
    assert upload.main([grafana.url, *command]) == FAILED
    assert "Grafana answers 500" in capsys.readouterr().err
    assert upload.main([f"http://127.0.0.1:{free_port()}", *command]) == FAILED
    assert "Grafana does not answer" in capsys.readouterr().err
    assert upload.main(["grafana.bank.example", *command]) == BAD_INPUT
    assert "expected an address" in capsys.readouterr().err
    monkeypatch.setenv(upload.TOKEN, "another")
    assert upload.main([grafana.url, *command]) == FAILED
    assert "refuses the token" in capsys.readouterr().err
    monkeypatch.delenv(upload.TOKEN)
    assert upload.main([grafana.url, *command]) == BAD_INPUT
    assert "GRAFANA_TOKEN is not set" in capsys.readouterr().err
