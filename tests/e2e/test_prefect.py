"""The schedule as a Prefect flow, on a real Prefect server. The step of the schedule itself is a stand-in here."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.server import free_port

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-orchestrate" / "bin" / "python"
STEP = """#!/bin/sh
# Stands in for `python -m schedule --once --json FILE`: notes when it runs, and ends as the file says.
echo "begin $(date +%s.%N)" >> "$(dirname "$0")/steps"
sleep "$(cat "$(dirname "$0")/seconds")"
code=$(head -1 "$(dirname "$0")/codes"); sed -i 1d "$(dirname "$0")/codes"
echo "end $(date +%s.%N)" >> "$(dirname "$0")/steps"
echo "the step said $code"
case "${code:-0}" in 0) kind=trained;; 1) kind=failed;; 2) kind="bad input";; 3) kind=refused;; esac
echo "{\\"kind\\": \\"$kind\\", \\"text\\": \\"the step said $code\\"}" > "$5"
exit "${code:-0}"
"""

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        not PYTHON.exists(), reason="Prefect's environment is not there: make .venv-orchestrate/installed"
    ),
]


class Prefect:
    """A server, and the process that serves the flow.

    Attributes:
      folder: of the server, the stand-in and its files.
    """

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        url = f"http://127.0.0.1:{port}/api"
        self._environment = {
            **os.environ,
            "PREFECT_HOME": str(folder / "home"),
            "PREFECT_API_URL": url,
            "PRODUCT_PYTHON": str(folder / "step"),
            "DO_NOT_TRACK": "1",
        }
        (folder / "step").write_text(STEP)
        (folder / "step").chmod(0o755)
        self.say_codes(seconds="0.2")
        self._processes: list[subprocess.Popen[bytes]] = []
        self._start("-m", "prefect", "server", "start", "--port", str(port))
        self._client = httpx.Client(base_url=url, timeout=30)
        self.wait(lambda: self._client.get("/health").is_success, "the server to answer")

    def say_codes(self, *codes: int, seconds: str) -> None:
        """The exit codes of the next steps, then 0, and how long a step takes."""
        (self.folder / "codes").write_text("".join(f"{code}\n" for code in codes))
        (self.folder / "seconds").write_text(seconds)

    def serve(self, *options: str) -> subprocess.Popen[bytes]:
        """Serves the flow, and waits until its deployment is there."""
        process = self._start("-m", "schedule.flow", *options)
        self.wait(lambda: self.post("/deployments/filter", {})[0]["status"] == "READY", "the deployment")
        return process

    def run_now(self) -> str:
        """Asks for a run; returns its id."""
        deployment = self.post("/deployments/filter", {})[0]["id"]
        return str(self.post(f"/deployments/{deployment}/create_flow_run", {"state": {"type": "SCHEDULED"}})["id"])

    def state(self, run: str) -> str:
        """The name of a run's state."""
        return str(self._ask("GET", f"/flow_runs/{run}")["state"]["name"])

    def wait_for(self, run: str, state: str) -> None:
        try:
            self.wait(lambda: self.state(run) == state, state)
        except AssertionError as error:
            raise AssertionError(f"{error}, the run is {self.state(run)}") from None

    def wait(self, done: Callable[[], Any], what: str, seconds: float = 120) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                if done():
                    return
            except (httpx.TransportError, IndexError):
                pass
            time.sleep(0.5)
        raise AssertionError(f"waited {seconds:.0f} s for {what}")

    def post(self, path: str, body: dict[str, Any]) -> Any:
        return self._ask("POST", path, json=body)

    def _ask(self, method: str, path: str, seconds: float = 60, **more: Any) -> Any:
        """The server's answer; it says 503 while its SQLite file is locked, and Prefect's own client asks again too."""
        end = time.monotonic() + seconds
        while (response := self._client.request(method, path, **more)).status_code == 503 and time.monotonic() < end:
            time.sleep(0.5)
        response.raise_for_status()
        return response.json()

    def close(self) -> None:
        for process in reversed(self._processes):
            kill(process)
        self._client.close()

    def _start(self, *command: str) -> subprocess.Popen[bytes]:
        log = (self.folder / "log").open("ab")
        process = subprocess.Popen(
            [PYTHON, *command], cwd=ROOT, env=self._environment, stdout=log, stderr=log, start_new_session=True
        )
        self._processes.append(process)
        return process


def kill(process: subprocess.Popen[bytes]) -> None:
    """Ends a process and its children without a word."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.fixture(scope="module")
def prefect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prefect]:
    running = Prefect(tmp_path_factory.mktemp("prefect"), free_port())
    yield running
    running.close()


def test_steps_run_on_time_and_one_at_a_time_and_a_lost_one_is_told(prefect: Prefect) -> None:
    # The clock starts no step yet: it would take the codes of the steps asked for.
    serving = prefect.serve("--cron", "0 0 29 2 *", "--retry-after", "1")

    # A failure that may pass is tried again; a refusal and bad input are not.
    prefect.say_codes(1, 3, 2, seconds="0.2")
    refused = prefect.run_now()
    prefect.wait_for(refused, "Refused")
    bad = prefect.run_now()
    prefect.wait_for(bad, "Failed")
    artifact = prefect.post("/artifacts/filter", {"sort": "CREATED_DESC"})[0]
    assert "the step said 2" in artifact["data"]

    # Two at once follow each other.
    prefect.say_codes(seconds="3")
    first, second = prefect.run_now(), prefect.run_now()
    prefect.wait_for(first, "Trained")
    prefect.wait_for(second, "Trained")
    words = [line.split()[0] for line in (prefect.folder / "steps").read_text().splitlines()]
    assert words == ["begin", "end"] * (len(words) // 2)

    # A killed process leaves a run that Prefect would show as running for ever.
    prefect.say_codes(seconds="60")
    lost = prefect.run_now()
    prefect.wait_for(lost, "Running")
    kill(serving)
    assert prefect.state(lost) == "Running"
    prefect.say_codes(seconds="0.2")
    prefect.serve("--cron", "* * * * *", "--retry-after", "1")
    prefect.wait_for(lost, "Crashed")
    prefect.wait_for(prefect.run_now(), "Trained")

    # The clock starts a step as well.
    def on_time() -> bool:
        body = {"flow_runs": {"state": {"type": {"any_": ["COMPLETED"]}}, "tags": {"all_": ["auto-scheduled"]}}}
        return bool(prefect.post("/flow_runs/filter", body))

    prefect.wait(on_time, "a run on time")
