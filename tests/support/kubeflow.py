"""Plays Kubeflow for a compiled job: starts each task's command with its input, and hands on what it put out.

Resolvers find nothing, as in a first run.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from tests.conftest import ROOT

TOGETHER = 2
"""Tasks that run at the same time."""


class Player:
    """Runs a job.

    Attributes:
      job: as it was compiled.
      tasks: of the job, by name.
      made: what tasks put out, by task and key: artifacts as Kubeflow describes them.
      commands: each container's commands that have run, by task.
    """

    def __init__(self, job: Mapping[str, Any], folder: Path, parameters: Mapping[str, Any]) -> None:
        self.job, self._folder, self._parameters = job, folder, parameters
        self.tasks = job["root"]["dag"]["tasks"]
        self.made: dict[tuple[str, str], list[dict[str, Any]]] = {}
        self.commands: dict[str, list[list[str]]] = {}

    def play(self) -> None:
        """Runs every task after those that it needs.

        Raises:
          AssertionError: a command failed; with what it wrote to standard error.
        """
        waiting, done = set(self.tasks), set[str]()
        running: dict[Future[None], str] = {}
        with ThreadPoolExecutor(TOGETHER) as pool:
            while waiting or running:
                for name in sorted(name for name in waiting if needed(self.tasks[name]) <= done):
                    waiting.remove(name)
                    running[pool.submit(self.run, name)] = name
                assert running, f"{sorted(waiting)} wait for each other"
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    done.add(running.pop(future))
                    if future.exception():
                        waiting.clear()
                    future.result()

    def run(self, name: str) -> None:
        """Runs one task, whose inputs must have been made.

        Raises:
          AssertionError: a command failed; with what it wrote to standard error.
        """
        component = self.job["components"][self.tasks[name]["componentRef"]["name"]]
        executor = self.job["deploymentSpec"]["executors"][component["executorLabel"]]
        outputs = component.get("outputDefinitions", {}).get("artifacts", {})
        if "resolver" in executor:
            self.made.update({(name, key): [] for key in outputs})
            return
        folder = self._folder / name
        for key in outputs:
            (folder / key).mkdir(parents=True)
        folder.mkdir(exist_ok=True)
        given = {
            key: {
                "artifacts": [
                    {"name": f"{name}-{key}", "uri": str(folder / key), "type": output["artifactType"]}
                    | ({"metadata": output["metadata"]} if "metadata" in output else {})
                ]
            }
            for key, output in outputs.items()
        }
        result = folder / "executor_output.json"
        message = {
            "inputs": {"artifacts": self._inputs(name), "parameterValues": self._values(name)},
            "outputs": {"artifacts": given, "outputFile": str(result)},
        }
        container = executor["container"]
        driver = container.get("lifecycle", {}).get("preCacheCheck")
        for command in filter(None, (driver, container)):
            self._start(name, [*command["command"], *command["args"]], json.dumps(message))
        found = json.loads(result.read_text()).get("artifacts", {})
        for key, one in given.items():
            (artifact,) = one["artifacts"]
            (written,) = found.get(key, one)["artifacts"]
            self.made[name, key] = [{**artifact, **{k: v for k, v in written.items() if k in ("uri", "metadata")}}]

    def _inputs(self, name: str) -> dict[str, Any]:
        found = {}
        for key, source in inputs(self.tasks[name]):
            if artifacts := self.made[source["producerTask"], source["outputArtifactKey"]]:
                found[key] = {"artifacts": artifacts}
        return found

    def _values(self, name: str) -> dict[str, Any]:
        values = self.tasks[name].get("inputs", {}).get("parameters", {})
        return {
            key: value["runtimeValue"]["constant"]
            if "runtimeValue" in value
            else self._parameters[value["componentInputParameter"]]
            for key, value in values.items()
        }

    def _start(self, name: str, command: list[str], message: str) -> None:
        program, *arguments = command
        assert program == "python"
        result = subprocess.run(
            [sys.executable, *(argument.replace("{{$}}", message) for argument in arguments)],
            cwd=ROOT,  # the image's working directory
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert result.returncode == 0, f"{name}: {result.stderr[-3000:]}"
        self.commands.setdefault(name, []).append(command)


def inputs(task: Mapping[str, Any]) -> list[tuple[str, dict[str, str]]]:
    """The input artifacts of a task by key, each with the task and the key that it comes from."""
    artifacts = task.get("inputs", {}).get("artifacts", {})
    return [(key, artifact["taskOutputArtifact"]) for key, artifact in sorted(artifacts.items())]


def needed(task: Mapping[str, Any]) -> set[str]:
    """The tasks that a task has to wait for."""
    return {*task.get("dependentTasks", ()), *(source["producerTask"] for _, source in inputs(task))}
