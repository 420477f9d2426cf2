"""A real run of the pipeline that the end-to-end tests share, how to start others, and a real browser."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from playwright.sync_api import Browser, sync_playwright

from data import contract as contracts
from data.model_spec import PURCHASE_MODEL
from data.paths import runs_folder
from runs.summary import RunSummary, read
from tests.conftest import ROOT


def command(artifacts: Path, *arguments: str | Path, module: str = "pipeline.run") -> list[str]:
    return [sys.executable, "-m", module, "--artifacts", str(artifacts), *map(str, arguments)]


def run(artifacts: Path, *arguments: str | Path, module: str = "pipeline.run") -> subprocess.CompletedProcess:
    """Runs a pipeline to its end."""
    return subprocess.run(
        command(artifacts, *arguments, module=module),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def start(artifacts: Path, *arguments: str | Path) -> subprocess.Popen:
    """The same without waiting for its end; Ctrl-C reaches it even where the tests themselves run in the background."""
    return subprocess.Popen(
        command(artifacts, *arguments),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def latest(artifacts: Path, model: str = PURCHASE_MODEL.name) -> Path:
    """The folder of a model's newest run."""
    return (runs_folder(artifacts, model) / "latest").resolve()


def summary(artifacts: Path, model: str = PURCHASE_MODEL.name) -> RunSummary:
    """What the newest run of a model came to."""
    return read(latest(artifacts, model))


@pytest.fixture(scope="session")
def contract_file(tmp_path_factory) -> Path:
    """bank-full with hyperparameters that fit in seconds."""
    document = yaml.safe_load(
        (contracts.CONTRACTS / "bank-full.yaml").read_text().replace("[no, yes]", '["no", "yes"]')
    )
    document["label"] = {"name": "y", "positive": "yes", "negative": "no"}
    document["hyperparameters"] = {"width": 16, "depth": 1, "epochs": 8, "members": 2}
    file = tmp_path_factory.mktemp("contract") / "quick.yaml"
    file.write_text(yaml.safe_dump(document))
    return file


@pytest.fixture(scope="session")
def first(tmp_path_factory, worker_id, sample_csv, contract_file):
    """A first run: its artifacts folder, what it printed and its summary. Nobody may write to the folder.

    Processes that run the tests together share the run; whoever comes first makes it.
    """
    shared = tmp_path_factory.getbasetemp().parent if worker_id != "master" else tmp_path_factory.getbasetemp()
    artifacts, output = shared / "first-run", shared / "first-run.json"
    with (shared / "first-run.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not output.exists():
            result = run(artifacts, "--data", sample_csv, "--contract", contract_file, "--trials", "2")
            output.write_text(json.dumps([result.returncode, result.stdout, result.stderr]))
    returncode, stdout, stderr = json.loads(output.read_text())
    assert returncode == 0, stdout
    return artifacts, subprocess.CompletedProcess([], returncode, stdout, stderr), summary(artifacts)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    if chromium is None:
        message = "Chromium is not installed"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()
