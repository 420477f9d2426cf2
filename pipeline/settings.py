"""What a run is asked to do, typed and frozen."""

from __future__ import annotations

import hashlib
import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from analysis.figures import COST, MARGIN
from data.contract import Contract
from data.model_spec import PURCHASE_MODEL
from data.paths import ARTIFACTS, ROOT, runs_folder, serving_folder
from modules.purchase.gate import Gate


@dataclass(frozen=True)
class Settings:
    """One run of the pipeline."""

    data: Path
    """A CSV file, or a folder of them."""
    contract: Contract
    run_id: str
    synthetic: bool = False
    """Whether the rows are the synthetic sample; every screen and summary then says so."""
    split: Literal["random", "time"] = "random"
    quarantine: bool = False
    with_duration: bool = False
    """Whether columns known only after the call are features too."""
    trials: int = 8
    """Hyperparameter sets to try; 0 reuses the best of the newest run, or the contract's."""
    members: int | None = None
    """Nets in the average; None leaves it to the contract."""
    seed: int = 42
    benchmark: bool = True
    """Whether the usual models are trained and measured beside the network."""
    cache: bool = True
    keep: int = 5
    """Pushed versions to leave on disk, the new one included."""
    gate: Gate = field(default_factory=Gate)
    cost: float = COST
    """Of a call, in euros, for the report's profit curve; a call pays from a score of cost / margin on."""
    margin: float = MARGIN
    """Of a deposit before the cost of the call, likewise."""
    artifacts: Path = ARTIFACTS
    commit: str | None = None
    """The code's git commit, see :func:`code_commit`."""
    tracking: str | None = None
    """The MLflow server or folder that the run is logged to; None logs it nowhere."""

    @property
    def pipeline_name(self) -> str:
        """Runs of the same name share caches, hyperparameters and the baseline that a new model has to hold.

        Another split or another set of columns makes another name: a baseline trained on rows of today's test split,
        or one that reads other columns, cannot be compared.
        """
        columns = sorted(self.features)
        parts = [
            self.contract.name,
            "synthetic" if self.synthetic else "",
            "with-duration" if self.with_duration else "",
            self.split,
            hashlib.sha256(json.dumps(columns).encode()).hexdigest()[:6],
        ]
        return "-".join(part for part in parts if part)

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the model's inputs."""
        return self.contract.features(with_after_call=self.with_duration)

    @property
    def metadata(self) -> Path:
        """The ML Metadata database that all runs share."""
        return self.artifacts / "metadata.sqlite"

    @property
    def serving(self) -> Path:
        """The folder that a model server polls for versions."""
        return serving_folder(self.artifacts, PURCHASE_MODEL.name)

    @property
    def run_folder(self) -> Path:
        """Where this run's summary, log and quarantined rows go."""
        return runs_folder(self.artifacts, PURCHASE_MODEL.name) / self.run_id


def code_fingerprint(*parts: str) -> str:
    """sha256 over the named Python files and folders of this project, so that TFX's cache notices changed code.

    TFX compares a component's parameters, not the code behind an import path.
    """
    digest = hashlib.sha256()
    for part in parts:
        path = ROOT / part
        for file in [path] if path.is_file() else sorted(path.rglob("*.py")):
            digest.update(f"{file.relative_to(ROOT)}\0".encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()


def code_commit() -> str | None:
    """This project's git commit, with a `+` where files differ from it; None without git or outside a repository."""
    command = ["git", "describe", "--always", "--dirty=+", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
