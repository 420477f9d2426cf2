"""Labels of `models.config` with the server as a process: trial, promotion and roll back under load."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest

from data.model_spec import PURCHASE_MODEL
from data.paths import serving_folder
from runs.versions import canary, promote, restore, roll_back
from tests.support.predictions import load
from tests.support.server import ServerProcess

pytestmark = pytest.mark.e2e

NAME = PURCHASE_MODEL.name
STABLE, CANARY, UNLABELLED = "/labels/stable", "/labels/canary", ""


def push(artifacts: Path, source: Path, version: int, model: str = NAME) -> None:
    staged = serving_folder(artifacts, model) / f"staged-{version}"
    shutil.copytree(source, staged)
    (staged / "note").write_text(f"version {version}")
    staged.rename(serving_folder(artifacts, model) / str(version))


def version_at(server: ServerProcess, path: str) -> int | None:
    """The version that answers; None where none does."""
    status, body, _ = server.request("GET", f"/v1/models/{NAME}{path}/metadata")
    return int(json.loads(body)["model_spec"]["version"]) if status == 200 else None


def wait_for(server: ServerProcess, **versions: int) -> None:
    """Waits until `stable`, `canary` and requests without a label (`newest`) are answered by these versions."""
    paths = {"stable": STABLE, "canary": CANARY, "newest": UNLABELLED}
    deadline = time.monotonic() + 60
    while (found := {name: version_at(server, paths[name]) for name in versions}) != versions:
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


@pytest.fixture
def artifacts(tmp_path, purchase_model) -> Path:
    """Versions 1 and 2."""
    artifacts = tmp_path / "artifacts"
    serving_folder(artifacts, NAME).mkdir(parents=True)
    for version in (1, 2):
        push(artifacts, purchase_model, version)
    return artifacts


def test_trial_promotion_and_roll_back_under_load_fail_no_request(artifacts, tmp_path, purchase_model):
    with ServerProcess([], tmp_path / "log", cwd=tmp_path) as server:
        assert version_at(server, UNLABELLED) == 2
        assert version_at(server, STABLE) is None
        canary(artifacts, NAME, 2)
        wait_for(server, stable=1, canary=2, newest=2)
        with load(server, STABLE, CANARY, UNLABELLED):
            promote(artifacts, NAME, 2)
            wait_for(server, stable=2, canary=2, newest=2)
            push(artifacts, purchase_model, 3)
            canary(artifacts, NAME, 3)
            wait_for(server, stable=2, canary=3, newest=3)
            assert roll_back(artifacts, NAME) == 2
            wait_for(server, stable=2, canary=2, newest=2)
            assert roll_back(artifacts, NAME) == 1
            wait_for(server, stable=1, canary=1, newest=1)
            back = promote(artifacts, NAME, 3)
            wait_for(server, stable=back, canary=back, newest=back)
            elsewhere = restore(artifacts, NAME, purchase_model)
            wait_for(server, stable=elsewhere, canary=elsewhere, newest=elsewhere)
    assert "Traceback" not in server.log.read_text()


def test_a_server_that_starts_with_labels_has_them(artifacts, tmp_path):
    canary(artifacts, NAME, 2)
    with ServerProcess([f"--models_folder={artifacts / 'serving'}"], tmp_path / "log") as server:
        wait_for(server, stable=1, canary=2, newest=2)


def test_a_model_that_is_not_in_the_file_is_served_too(artifacts, tmp_path, segment_model):
    promote(artifacts, NAME, 2)
    with ServerProcess([], tmp_path / "log", cwd=tmp_path) as server:
        serving_folder(artifacts, "segment-model").mkdir()
        push(artifacts, segment_model, 1, "segment-model")
        server.wait_for("/v1/models/segment-model/versions/1")
        wait_for(server, stable=2, newest=2)


def test_labels_hold_in_a_copy_of_the_folder(artifacts, tmp_path):
    canary(artifacts, NAME, 2)
    copy = shutil.copytree(artifacts, tmp_path / "copy" / "artifacts")
    shutil.rmtree(artifacts)
    with ServerProcess([], tmp_path / "log", cwd=copy.parent) as server:
        wait_for(server, stable=1, canary=2)
