"""What a run is asked to do, typed and frozen: on which rows, for which model, and where."""

from __future__ import annotations

import hashlib
import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from analysis.figures import COST, MARGIN
from data.contract import Contract
from data.model_spec import PURCHASE_MODEL, ModelSpec
from data.paths import ARTIFACTS, ROOT, runs_folder, serving_folder
from modules.purchase.gate import Gate
from pipeline.options import SEED
from runs.folder import METADATA


@dataclass(frozen=True)
class TrainingData:
    """The rows that a run learns from.

    Attributes:
      path: a CSV file, or a folder of them.
      contract: what the columns mean.
      synthetic: whether the rows are the synthetic sample; every screen and summary then says so.
      split: 70/15/15 at random by a hash of the row, or by file order with the newest rows as test.
      quarantine: whether bad rows are set aside while they are below 1 %.
      last_row: whether of rows with the same identifiers only the last one counts.
    """

    path: Path
    contract: Contract
    synthetic: bool = False
    split: Literal["random", "time"] = "random"
    quarantine: bool = False
    last_row: bool = False


@dataclass(frozen=True)
class PurchaseSettings:
    """How the purchase model is trained, judged and pushed.

    Attributes:
      model: its name and outputs.
      with_after_call: whether columns known only after the call are features too.
      trials: hyperparameter sets to try; 0 reuses the best of the newest run, or the contract's.
      members: nets in the ensemble; None leaves it to the contract.
      seed: of everything random.
      benchmark: whether the baselines are trained and measured beside the network.
      gate: the bounds for a blessing.
      push: whether a blessed model is pushed.
      replace_inputs: whether it is pushed although its inputs differ from those of the newest version.
      keep: pushed versions to leave on disk, the new one included.
    """

    model: ModelSpec = PURCHASE_MODEL
    with_after_call: bool = False
    trials: int = 8
    members: int | None = None
    seed: int = SEED
    benchmark: bool = True
    gate: Gate = field(default_factory=Gate)
    push: bool = True
    replace_inputs: bool = False
    keep: int = 5


@dataclass(frozen=True)
class Settings:
    """One run of the pipeline on this machine.

    Attributes:
      data: the rows.
      spec: the model.
      run_id: names the run.
      artifacts: the folder that everything is written to.
      cache: whether unchanged stages are taken from the cache.
      cost, margin: of a call, and of a positive row before the cost of the call, in euros, for the report.
      commit: the code's git commit, see :func:`code_commit`.
      tracking: the MLflow server or folder that the run is logged to; None logs it nowhere.
    """

    data: TrainingData
    run_id: str
    spec: PurchaseSettings = PurchaseSettings()
    artifacts: Path = ARTIFACTS
    cache: bool = True
    cost: float = COST
    margin: float = MARGIN
    commit: str | None = None
    tracking: str | None = None

    @property
    def pipeline_name(self) -> str:
        """Runs of the same name share caches, hyperparameters and the baseline that a new model is compared with.

        Another split or other columns make another name: a baseline that was trained on rows of today's test split, or
        that reads other columns, cannot be compared.
        """
        columns = sorted(self.features)
        parts = [
            self.spec.model.name if self.spec.model != PURCHASE_MODEL else "",
            self.data.contract.name,
            "synthetic" if self.data.synthetic else "",
            "with-after-call" if self.spec.with_after_call else "",
            self.data.split,
            hashlib.sha256(json.dumps(columns).encode()).hexdigest()[:6],
        ]
        return "-".join(part for part in parts if part)

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the model's inputs."""
        return self.data.contract.features(with_after_call=self.spec.with_after_call)

    @property
    def metadata(self) -> Path:
        """The ML Metadata database that all runs share."""
        return self.artifacts / METADATA

    @property
    def serving(self) -> Path:
        """The model's folder that servers watch."""
        return serving_folder(self.artifacts, self.spec.model.name)

    @property
    def run_folder(self) -> Path:
        """Where this run's summary, log, report and quarantined rows go."""
        return runs_folder(self.artifacts, self.spec.model.name) / self.run_id


def code_commit() -> str | None:
    """This project's git commit, with a `+` where files differ from it; None without git or outside a repository."""
    command = ["git", "describe", "--always", "--dirty=+", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
