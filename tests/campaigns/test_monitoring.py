"""The desk starts Prometheus where it is installed, and does without it elsewhere."""

from __future__ import annotations

import json
import os
import shutil
import socket
import time
import urllib.request
from pathlib import Path

import pytest

from campaigns import monitoring
from campaigns.settings import Settings
from data.errors import BadOptionError
from data.paths import models_folder
from tests.support.server import free_port


@pytest.fixture
def settings(tmp_path) -> Settings:
    """Of a desk whose model server nobody has started."""
    return Settings(f"http://127.0.0.1:{free_port()}", port=free_port(), artifacts=tmp_path)


def says(settings: Settings, port: int) -> str:
    with monitoring.started(settings, port) as text:
        return text


def test_prometheus_is_not_installed(settings, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "apt-get install prometheus" in says(settings, free_port())


@pytest.fixture
def installed(tmp_path, monkeypatch) -> Path:
    """A stand-in for Prometheus that ends at once."""
    program = tmp_path / "bin" / "prometheus"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    return program


@pytest.mark.usefixtures("installed")
def test_a_taken_port(settings):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"port {port} is taken; choose another --prometheus-port" in says(settings, port)


@pytest.mark.usefixtures("installed")
def test_prometheus_does_not_start(settings):
    text = says(settings, free_port())
    assert "nothing is monitored: the monitoring did not start" in text
    log = Path(text.split(" is in ")[1])
    assert "the prometheus did not start" in log.read_text()


@pytest.mark.parametrize("beyond", [{"host": "0.0.0.0"}, {"public": "https://desk.example"}])
def test_a_desk_for_others_is_watched_with_a_key_of_its_own(tmp_path, beyond):
    with pytest.raises(BadOptionError, match="--desk-key FILE"):
        says(Settings(artifacts=tmp_path, **beyond), free_port())


def scraped(port: int) -> dict[str, str]:
    """Addresses that Prometheus scrapes, by job."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/targets") as answer:
        targets = json.load(answer)["data"]["activeTargets"]
    return {target["labels"]["job"]: target["scrapeUrl"] for target in targets}


@pytest.mark.e2e
def test_prometheus_knows_desk_server_and_exporter(settings, tmp_path):
    if shutil.which("prometheus") is None:
        assert "CI" not in os.environ, "prometheus is needed in CI; it is Debian's package of that name"
        pytest.skip("prometheus is not installed")
    (models_folder(tmp_path) / "purchase-model" / "1").mkdir(parents=True)
    port = free_port()
    with monitoring.started(settings, port) as text:
        assert text == f"Prometheus is at http://127.0.0.1:{port}"
        deadline = time.monotonic() + 30
        while len(targets := scraped(port)) < 3:
            assert time.monotonic() < deadline, targets
            time.sleep(0.2)
    assert targets["campaign-desk"] == f"{settings.address}/metrics"
    assert targets["model-server"] == f"{settings.server}/monitoring/prometheus/metrics"
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready")
