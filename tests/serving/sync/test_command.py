"""The sidecar as a process: exit codes, health, metrics, and its end."""

from __future__ import annotations

import socket
import time

import pytest

from data import store_versions
from data.object_store import locate
from serving.sync.__main__ import main
from tests.support.sidecar import Sidecar


@pytest.fixture
def store(tmp_path):
    """A store with version 1 of a model."""
    folder = tmp_path / "pushed" / "1"
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_text("graph")
    store = locate((tmp_path / "store").as_uri())
    store_versions.push(folder, store / "m" / "1")
    return store


def wait_until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_once_says_what_is_there(store, tmp_path, capsys):
    assert main([store.url, str(tmp_path / "served"), "--once"]) == 0
    assert capsys.readouterr().out == "m: versions 1 (new 1)\n"
    assert main([store.url, str(tmp_path / "served"), "--once"]) == 0
    assert capsys.readouterr().out == "m: versions 1\n"


def test_once_ends_with_an_error_where_a_version_is_damaged(store, tmp_path, capsys):
    (store / "m" / "1" / "saved_model.pb").write(b"grapH")
    assert main([store.url, str(tmp_path / "served"), "--once"]) == 2
    shown = capsys.readouterr()
    assert shown.out == "m: versions none\n"
    assert "the file is damaged" in shown.err


@pytest.mark.parametrize(
    ("source", "said"), [("models", "expected s3://bucket/key"), ("s3://M/x", "expected s3://bucket/key")]
)
def test_a_wrong_source_ends_at_once(source, said, tmp_path, capsys):
    assert main([source, str(tmp_path)]) == 2
    assert said in capsys.readouterr().err


def test_a_port_in_use_is_told(store, tmp_path, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main([store.url, str(tmp_path), "--port", str(taken.getsockname()[1])]) == 2
    assert "cannot listen on 127.0.0.1 port" in capsys.readouterr().err


def test_it_is_ready_after_a_pass_and_says_what_it_did(store, tmp_path):
    started = time.time()
    with Sidecar(store.url, tmp_path / "served", tmp_path / "log") as sidecar:
        sidecar.wait_for("/readyz")
        assert sidecar.status("/elsewhere") == 404
        assert sidecar.metric('model_sync_versions{model_name="m"}') == 1
        assert sidecar.metric("model_sync_downloaded_bytes_total") == len("graph")
        assert sidecar.metric("model_sync_failures_total") == 0
        assert started <= sidecar.metric("model_sync_last_success_timestamp_seconds") <= time.time()
        (store / "m" / "2" / "manifest.json").write(b"no manifest")
        wait_until(lambda: sidecar.metric("model_sync_failures_total") > 1)
        last = sidecar.metric("model_sync_last_success_timestamp_seconds")
        wait_until(lambda: sidecar.metric("model_sync_failures_total") > 3)
        assert sidecar.metric("model_sync_last_success_timestamp_seconds") == last
        assert sidecar.status("/readyz") == 200, "what is there can be served"
        assert sidecar.stop() == 0
    assert "manifest.json: not a manifest" in (tmp_path / "log").read_text()


def test_sigterm_ends_it_while_the_store_does_not_answer(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        with Sidecar("s3://bucket/models", tmp_path / "served", tmp_path / "log") as sidecar:
            silent.accept()
            assert sidecar.status("/readyz") == 503
            assert sidecar.stop() == 0
    assert "ended early" not in (tmp_path / "log").read_text(), "it was still asking"
