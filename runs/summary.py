"""The result of a run, typed: the content of `summary.json`.

A run writes its `RunSummary` once, at its end. The terminal, the report, `python -m runs`, MLflow and the exporter read
it. This module imports nothing heavy.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analysis.figures import Metrics
from analysis.segmentation import CandidateFigures, strict_json
from analysis.trial_result import ChampionTrial
from data.errors import NotReadyError
from data.model_spec import PURCHASE_MODEL, SEGMENT_MODEL
from runs import decisions
from runs.folder import LOG, SUMMARY

SCHEMA = 1
"""Counted up when a field changes its meaning or is removed; a new field with a default needs no new number."""


@dataclass(frozen=True)
class LabelWords:
    """How to speak of a row whose label is positive."""

    one: str = "buyer"
    many: str = "buyers"


@dataclass(frozen=True)
class Dataset:
    """The rows of a run.

    Attributes:
      contract: name of the data contract.
      source: the file or folder they came from.
      read, rows, quarantined: rows read, kept and quarantined.
      synthetic: whether they are the synthetic sample.
      row_order: `date` or `none`, as in the contract.
      label_rate: share of positive rows among those kept; None without a label.
      split: `random` or `time`.
      words: how to speak of positive rows.
      superseded: rows left out because a later row has the same identifiers.
      distinct: different customers by the contract's identifiers; None where it has none.
    """

    contract: str
    source: str
    read: int
    rows: int
    quarantined: int
    synthetic: bool
    label_rate: float | None
    split: str
    row_order: str = "none"
    words: LabelWords = LabelWords()
    superseded: int = 0
    distinct: int | None = None


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """The user's settings for any kind of model, and the data and code they were used with.

    Attributes:
      quarantine: whether bad rows were quarantined instead of stopping the run.
      last_row: whether of rows with the same identifiers only the last one counted.
      seed: of all random numbers.
      data_sha256: of the input.
      commit: git commit of the code, with a `+` where files differed from it; None outside a repository.
    """

    quarantine: bool = False
    last_row: bool = False
    seed: int | None = None
    data_sha256: str | None = None
    commit: str | None = None


@dataclass(frozen=True, kw_only=True)
class PurchaseRunSettings(RunSettings):
    """The settings of a run that trained a purchase model.

    Attributes:
      with_duration: whether columns known only after the call were features.
      with_calendar: whether columns that say when the call was were features.
      trials: hyperparameter sets tried by the Tuner.
      members: nets in the ensemble; None leaves it to the contract.
      benchmark: whether the baselines were measured.
      cost, margin: of a call and of a positive row, in euros.
    """

    with_duration: bool = False
    with_calendar: bool = False
    trials: int | None = None
    members: int | None = None
    benchmark: bool = True
    cost: float | None = None
    margin: float | None = None


@dataclass(frozen=True, kw_only=True)
class SegmentRunSettings(RunSettings):
    """The settings of a run that segmented customers.

    Attributes:
      view: name of the contract's view.
      method: `auto`, or the one method that was tried.
      fewest, most: numbers of clusters tried.
    """

    view: str
    method: str
    fewest: int
    most: int


@dataclass(frozen=True)
class Split:
    """Size of a split, and the share of positive rows in it; None without a label."""

    rows: int
    label_rate: float | None


@dataclass(frozen=True)
class Stage:
    """One component of the run: its seconds, and whether its result came from the cache."""

    name: str
    seconds: float
    cached: bool


@dataclass(frozen=True)
class TrainedModel:
    """The network that was trained."""

    hyperparameters: dict[str, Any]
    parameters: int
    members: int
    threshold: float


@dataclass(frozen=True)
class ComparedModel:
    """The network or a baseline, measured on the same test rows."""

    key: str
    name: str
    metrics: Metrics
    threshold: float
    train_seconds: float
    score_microseconds: float
    train_rows: int | None = None
    """Rows it learned from; None in runs of before, where that was the whole train split."""


@dataclass(frozen=True)
class SegmentShare:
    """A segment's name, and its share of the customers by split."""

    name: str
    shares: dict[str, float]


@dataclass(frozen=True)
class Check:
    """One bound of the gate.

    Attributes:
      metric: what is checked.
      value: None where it cannot be computed; then the check fails.
      bound: the smallest value that passes, or the only one.
      passed: whether the value does.
      rows: on which rows, where not on the whole test split: `295 calls of 2010-10 to 2010-11`.
    """

    metric: str
    value: float | bool | None
    bound: float | bool
    passed: bool
    rows: str = ""

    def __str__(self) -> str:
        return f"{self.metric} on {self.rows}" if self.rows else self.metric


@dataclass(frozen=True)
class GateResult:
    """The verdict on a model: every bound, and what the serving probe said."""

    blessed: bool
    checks: tuple[Check, ...]
    probe: str

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that the model did not pass."""
        return tuple(check for check in self.checks if not check.passed)


@dataclass(frozen=True)
class PushedVersion:
    """The version and the folder of a pushed model."""

    version: str
    path: str


@dataclass(frozen=True, kw_only=True)
class RunSummary:
    """The result of a run of any kind; the fields are those of `summary.json`."""

    run_id: str
    dataset: Dataset
    features: tuple[str, ...]
    splits: dict[str, Split]
    stages: tuple[Stage, ...]
    seconds: float
    gate: GateResult
    pushed: PushedVersion | None
    settings: RunSettings
    model_name: str
    schema: int = SCHEMA

    def to_json(self) -> str:
        """The content of `summary.json`."""
        return strict_json(dataclasses.asdict(self))

    @staticmethod
    def from_json(text: str | bytes) -> RunSummary:
        """Reads what `to_json` wrote, as the class that it was. Files from before there was a schema lack some fields,
        which have defaults.

        Raises:
          ValueError: the text is not a summary, or its schema is newer than this code.
        """
        document = json.loads(text)
        if not isinstance(document, dict) or "run_id" not in document:
            raise ValueError("not the summary of a run")
        try:
            if document.get("schema", SCHEMA) > SCHEMA:
                raise ValueError(f"schema {document['schema']} is newer than this program, which knows {SCHEMA}")
            common = {
                **document,
                "dataset": _dataset(document["dataset"]),
                "features": tuple(document["features"]),
                "splits": {name: Split(**split) for name, split in document["splits"].items()},
                "stages": tuple(Stage(**stage) for stage in document["stages"]),
                "gate": _gate(document["gate"]),
                "pushed": document["pushed"] and PushedVersion(**document["pushed"]),
            }
            if "segments" in document:
                return SegmentSummary(**{**common, **_of_segments(document)})
            return PurchaseSummary(**{**common, **_of_purchase(document)})
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not the summary of a run: {error}") from error


@dataclass(frozen=True, kw_only=True)
class PurchaseSummary(RunSummary):
    """The result of a run that trained a purchase model.

    Attributes:
      model: the network.
      metrics: by split.
      comparison: the network and the baselines; None where these were left out.
      trial: against the champion on the newest months; None where the rows have no dates.
    """

    model: TrainedModel
    metrics: dict[str, Metrics]
    comparison: tuple[ComparedModel, ...] | None = None
    trial: ChampionTrial | None = None
    settings: PurchaseRunSettings = field(default_factory=PurchaseRunSettings)
    model_name: str = PURCHASE_MODEL.name


@dataclass(frozen=True, kw_only=True)
class SegmentSummary(RunSummary):
    """The result of a run that segmented customers.

    Attributes:
      chosen: the figures of the segmentation that was chosen, on a sample of the training split.
      segments: by number.
      silhouette, macro_silhouette: of the exported model on the test split.
      agreement: adjusted Rand index with the last blessed model on the test split; None where there is none.
    """

    chosen: CandidateFigures
    segments: tuple[SegmentShare, ...]
    silhouette: float
    macro_silhouette: float
    agreement: float | None
    settings: SegmentRunSettings
    model_name: str = SEGMENT_MODEL.name


def read(run_folder: Path) -> RunSummary:
    """The summary of a run.

    Raises:
      NotReadyError: the run did not come to its end, or its summary cannot be read.
    """
    file = run_folder / SUMMARY
    try:
        return RunSummary.from_json(file.read_bytes())
    except FileNotFoundError:
        raise NotReadyError(
            f"there is no {file}: the run failed, was stopped or is still running, see {run_folder / LOG}"
        ) from None
    except (OSError, ValueError) as error:
        raise NotReadyError(f"{file} cannot be read: {error}") from error


def of_version(runs: Path, version: str) -> RunSummary | None:
    """The summary of the newest run that trained a version, or None.

    A version that was pushed once and promoted later has another number then, which the ledger of decisions knows.

    Args:
      runs: the folder of a model's runs.
      version: its number.
    """
    files = sorted(runs.glob(f"*/{SUMMARY}"), reverse=True)
    run_id = _promoted(runs, version)
    for file in files:
        try:
            summary = RunSummary.from_json(file.read_bytes())
        except (OSError, ValueError):
            continue
        if summary.run_id == run_id or (summary.pushed and summary.pushed.version == version):
            return summary
    return None


def _promoted(runs: Path, version: str) -> str | None:
    """The run of a version that was promoted."""
    try:
        ledger = decisions.read(runs / decisions.FILE)
    except (OSError, ValueError):
        return None
    return next((one.run_id for one in ledger if one.action == "promote" and str(one.champion) == version), None)


def _dataset(document: Mapping[str, Any]) -> Dataset:
    return Dataset(**{**document, "words": LabelWords(**document.get("words", {}))})


def _of_purchase(document: Mapping[str, Any]) -> dict[str, Any]:
    comparison = document.get("comparison")
    return {
        "model": TrainedModel(**document["model"]),
        "metrics": {name: Metrics(**metrics) for name, metrics in document["metrics"].items()},
        "comparison": comparison
        and tuple(ComparedModel(**{**model, "metrics": Metrics(**model["metrics"])}) for model in comparison),
        "trial": document.get("trial") and ChampionTrial.from_dict(document["trial"]),
        "settings": PurchaseRunSettings(**document.get("settings", {})),
    }


def _of_segments(document: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "chosen": CandidateFigures.from_dict(document["chosen"]),
        "segments": tuple(SegmentShare(**segment) for segment in document["segments"]),
        "settings": SegmentRunSettings(**document["settings"]),
    }


def _gate(document: Mapping[str, Any]) -> GateResult:
    return GateResult(**{**document, "checks": tuple(Check(**check) for check in document["checks"])})
