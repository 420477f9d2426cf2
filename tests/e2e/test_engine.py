"""The whole graph and bulk scoring on an engine: Beam's own job server and a worker, in processes of their own.

It takes the flags of a Flink cluster, and goes over the same job service, data plane and pickling. The job server runs
in an empty folder and knows nothing of this project.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pyarrow.parquet
import pytest

from data import sample
from tests.conftest import ROOT
from tests.e2e.conftest import run, start, summary
from tests.support.server import free_port

pytestmark = pytest.mark.e2e

QUICK = ("--no-tune", "--no-benchmark")


class Portable:
    """Beam's job server and a worker.

    Attributes:
      file: the description of this engine.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server_port, self._worker_port = free_port(), free_port()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.file = folder / "portable.yaml"
        text = (ROOT / "deploy" / "engines" / "portable.yaml").read_text()
        self.file.write_text(text.replace("8099", str(self._server_port)).replace("50000", str(self._worker_port)))
        (folder / "empty").mkdir()
        module = "apache_beam.runners.portability.local_job_service_main"
        self._start("server", module, "--port", self._server_port, "--staging_dir", folder / "staging")

    def start_worker(self, with_project: bool = True) -> None:
        """Starts a worker in place of the one before, with this project on its path or without."""
        self.stop("worker")
        if with_project:
            self._start("worker", "pipeline.worker", "--port", self._worker_port, cwd=ROOT)
        else:
            self._start("worker", "apache_beam.runners.worker.worker_pool_main", "--service_port", self._worker_port)

    def stop(self, name: str) -> None:
        """Kills `server` or `worker` with all processes that it started."""
        process = self._processes.pop(name, None)
        if process:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def close(self) -> None:
        for name in [*self._processes]:
            self.stop(name)

    def _start(self, name: str, module: str, *arguments: object, cwd: Path | None = None) -> None:
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
        log = (self._folder / f"{name}.log").open("wb")
        self._processes[name] = subprocess.Popen(
            [sys.executable, "-m", module, *map(str, arguments)],
            cwd=cwd or self._folder / "empty",
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        _wait_for_port(self._server_port if name == "server" else self._worker_port)


def _wait_for_port(port: int) -> None:
    import socket

    end = time.monotonic() + 120
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"nothing listens at port {port}")


@pytest.fixture(scope="module")
def portable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portable]:
    engine = Portable(tmp_path_factory.mktemp("portable"))
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("calls") / "synthetic-calls.csv"
    sample.write(file, 4_000)
    return file


def test_the_whole_graph_and_bulk_scoring_give_the_same_on_an_engine(portable, calls, tmp_path):
    portable.start_worker()
    here, there = tmp_path / "here", tmp_path / "there"
    assert run(here, "--data", calls, *QUICK).returncode == 0
    ended = run(there, "--data", calls, *QUICK, "--engine", portable.file)
    assert ended.returncode == 0, ended.stdout
    ours, theirs = summary(here), summary(there)
    for split, metrics in ours.metrics.items():
        assert asdict(theirs.metrics[split]) == pytest.approx(asdict(metrics), abs=1e-12)
    assert {check.metric: check.value for check in theirs.gate.checks} == pytest.approx(
        {check.metric: check.value for check in ours.gate.checks}, abs=1e-12
    )

    tables = []
    for name, options in (("one", ()), ("two", ("--engine", str(portable.file)))):
        out = tmp_path / name
        command = [sys.executable, "-m", "pipeline.score", "--data", str(calls), "--out", str(out)]
        command += ["--model", ours.pushed.path, *options]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=600)
        tables.append(pyarrow.parquet.read_table(out / "part-00000.parquet"))
    assert tables[0].equals(tables[1])


def test_a_worker_that_is_killed_ends_a_run_with_nothing_pushed(portable, calls, tmp_path):
    portable.start_worker()
    process = start(tmp_path, "--data", calls, *QUICK, "--engine", portable.file)
    for line in process.stdout:
        if "ContractExampleGen" in line:
            break
    portable.stop("worker")
    said, _ = process.communicate(timeout=600)
    assert process.returncode == 1, said
    assert "failed" in said
    assert not (tmp_path / "serving").exists() or not any((tmp_path / "serving").rglob("saved_model.pb"))


def test_a_worker_without_the_project_is_told_before_anything_runs(portable, calls, tmp_path):
    portable.stop("worker")
    portable.start_worker(with_project=False)
    ended = run(tmp_path, "--data", calls, *QUICK, "--engine", portable.file)
    assert ended.returncode == 1
    assert "its worker has no module `pipeline`; start it with `python -m pipeline.worker`" in ended.stdout
    assert "ContractExampleGen" not in ended.stdout


def test_a_job_server_that_is_gone_is_told(portable, calls, tmp_path):
    portable.stop("server")
    ended = run(tmp_path, "--data", calls, *QUICK, "--engine", portable.file)
    assert ended.returncode == 1
    assert "no job server at localhost:" in ended.stdout
