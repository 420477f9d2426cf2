"""What a run is asked to do, typed and frozen: on which rows, for which model, and where."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Literal, TypeVar

from analysis.figures import COST, MARGIN
from data.contract import Contract
from data.model_spec import PURCHASE_MODEL, SEGMENT_MODEL, ModelSpec
from data.object_store import Location
from data.paths import ARTIFACTS, ROOT, runs_folder, serving_folder
from modules.purchase.gate import Gate
from pipeline.engine import Engine
from pipeline.options import SEED
from runs.folder import METADATA
from runs.publish import KEEP


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


@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """How a model of any kind is trained and pushed.

    Attributes:
      model: its name and outputs.
      seed: of everything random.
      push: whether a blessed model is pushed.
      replace_inputs: whether it is pushed although its inputs differ from those of the newest version.
      keep: pushed versions to leave on disk, the new one included.
    """

    model: ModelSpec
    seed: int = SEED
    push: bool = True
    replace_inputs: bool = False
    keep: int = KEEP

    def features(self, contract: Contract) -> tuple[str, ...]:
        """Names of the model's inputs."""
        raise NotImplementedError

    @property
    def variant(self) -> str:
        """What sets runs apart that must not share caches and baselines although the data are the same."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class PurchaseSettings(ModelSettings):
    """How the purchase model is trained, judged and pushed.

    Attributes:
      with_after_call: whether columns known only after the call are features too.
      with_calendar: whether columns that say when the call was are features too; the contract of the rows says so as
        well.
      trials: hyperparameter sets to try; 0 reuses the best of the newest run, or the contract's.
      members: nets in the ensemble; None leaves it to the contract.
      benchmark: whether the baselines are trained and measured beside the network.
      gate: the bounds for a blessing.
      cost, margin: of a call, and of a positive row before the cost of the call, in euros, for the report.
    """

    model: ModelSpec = PURCHASE_MODEL
    with_after_call: bool = False
    with_calendar: bool = False
    trials: int = 8
    members: int | None = None
    benchmark: bool = True
    gate: Gate = field(default_factory=Gate)
    cost: float = COST
    margin: float = MARGIN

    def features(self, contract: Contract) -> tuple[str, ...]:
        return contract.features(with_after_call=self.with_after_call)

    @property
    def variant(self) -> str:
        return "-".join(["with-after-call"] * self.with_after_call + ["with-calendar"] * self.with_calendar)


@dataclass(frozen=True, kw_only=True)
class SegmentSettings(ModelSettings):
    """How customers are segmented.

    Attributes:
      view: name of the contract's view.
      method: `auto` tries all methods; or the one method to try.
      fewest, most: numbers of clusters to try.
      names: the marketing team's names: generated name to new name.
    """

    model: ModelSpec = SEGMENT_MODEL
    view: str
    method: Literal["auto", "kmeans", "kmedoids"] = "auto"
    fewest: int = 2
    most: int = 10
    names: Mapping[str, str] = field(default_factory=dict)

    def features(self, contract: Contract) -> tuple[str, ...]:
        _, view = contract.view(self.view)
        return view.columns

    @property
    def variant(self) -> str:
        return self.view


Spec = TypeVar("Spec", bound=ModelSettings)


@dataclass(frozen=True)
class Settings(Generic[Spec]):
    """One run of a pipeline on this machine.

    Attributes:
      data: the rows.
      run_id: names the run.
      spec: the model.
      artifacts: the folder that everything is written to.
      cache: whether unchanged stages are taken from the cache.
      commit: the code's git commit, see :func:`code_commit`.
      engine: what runs Beam's part.
      tracking: the MLflow server or folder that the run is logged to; None logs it nowhere.
      push_to: where a pushed model goes besides, see `data.object_store`; None keeps it on this machine.
      archive: where the summary and the report go besides.
    """

    data: TrainingData
    run_id: str
    spec: Spec
    artifacts: Path = ARTIFACTS
    cache: bool = True
    commit: str | None = None
    tracking: str | None = None
    push_to: Location | None = None
    archive: Location | None = None
    engine: Engine = field(default_factory=Engine)

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
            self.spec.variant,
            self.data.split,
            hashlib.sha256(json.dumps(columns).encode()).hexdigest()[:6],
        ]
        return "-".join(part for part in parts if part)

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the model's inputs."""
        return self.spec.features(self.data.contract)

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
