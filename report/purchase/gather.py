"""Reads what a report shows, from a run's folder and from the run's artifacts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.importance import ImportanceResult
from data.errors import NotReadyError
from data.model_folder import PurchaseCard
from runs.backtest_result import FILE, BacktestResult, backtest_folder
from runs.folder import METADATA, QUARANTINE, artifacts_folder
from runs.summary import PurchaseSummary, read

if TYPE_CHECKING:
    from analysis.drift import Drift
    from analysis.economics import Scores
    from runs.outputs import RunOutputs


@dataclass(frozen=True)
class Slice:
    """One group of test customers, as the Evaluator measured it.

    Attributes:
      column, value: which group.
      rows: customers in it.
      positives: positive rows among them.
      auc: NaN where all rows have one label.
      calibration: sum of the probabilities over the number of positive rows.
    """

    column: str
    value: str
    rows: float
    positives: float
    auc: float
    calibration: float


@dataclass(frozen=True)
class Trial:
    """A set of hyperparameters that the Tuner tried; the score is the log loss on eval after a short fit."""

    number: str
    score: float
    hyperparameters: Mapping[str, Any]


@dataclass(frozen=True)
class ArtifactRecord:
    """An artifact in ML Metadata: the output it is, its id and its folder."""

    output: str
    number: int
    folder: str


@dataclass(frozen=True)
class ReportData:
    """All that the page shows; what a run did not produce is None or empty.

    Attributes:
      summary: of the run.
      scores: labels and probabilities by split.
      previous: summary of the run of the last blessed model, which the Evaluator compared with.
      history: metrics by name and epoch.
      best_epoch: the epoch, from 0, whose weights were kept.
      trials: of the Tuner, the best first.
      importance: of the columns.
      slices: groups of test customers, by column.
      drift: of the other splits against train.
      anomalies: one line each.
      quarantine: the file with the quarantined rows.
      backtest: on the same data and columns.
      artifacts: of the run.
      model_run: where the TensorBoard logs are.
    """

    summary: PurchaseSummary
    scores: Mapping[str, Scores]
    previous: PurchaseSummary | None = None
    history: Mapping[str, list[float]] | None = None
    best_epoch: int | None = None
    trials: list[Trial] = field(default_factory=list)
    importance: ImportanceResult | None = None
    slices: list[Slice] = field(default_factory=list)
    drift: Mapping[str, Drift] = field(default_factory=dict)
    anomalies: list[str] = field(default_factory=list)
    quarantine: Path | None = None
    backtest: BacktestResult | None = None
    artifacts: list[ArtifactRecord] = field(default_factory=list)
    model_run: str | None = None


def gather(run_folder: Path) -> ReportData:
    """Everything a report needs.

    Args:
      run_folder: the folder of a run that has a summary.

    Raises:
      NotReadyError: the run has no summary, or its artifacts have been pruned.
    """
    summary = read(run_folder)
    artifacts = artifacts_folder(run_folder)
    metadata = artifacts / METADATA
    if not metadata.is_file():
        raise NotReadyError(f"run {summary.run_id}: there is no {metadata}, which says where its artifacts are")
    from modules import artifacts as files
    from modules.anomalies import describe
    from runs import outputs as of_run

    outputs = of_run.outputs(of_run.connect(metadata), summary.run_id)
    scores, model = outputs.uri(of_run.SCORES), outputs.uri(of_run.MODEL)
    if not all(files.exists(scores, f"{split}.npz") for split in summary.splits):
        raise NotReadyError(f"run {summary.run_id}: its artifacts are gone from {scores}")
    importance = _optional(outputs, of_run.IMPORTANCE, files.IMPORTANCE)
    quarantine = run_folder / QUARANTINE
    return ReportData(
        summary=summary,
        scores={split: _scores(scores, split) for split in summary.splits},
        previous=_last_blessed(run_folder, summary, outputs),
        history=_optional(outputs, of_run.MODEL_RUN, files.HISTORY),
        best_epoch=files.model_card(model, PurchaseCard).best_epoch,
        trials=[_trial(**trial) for trial in _optional(outputs, of_run.TUNER_RESULTS, files.TRIALS) or ()],
        importance=importance and ImportanceResult.from_dict(importance),
        slices=_slices(outputs.uri(of_run.EVALUATION)),
        drift=_drift(model, outputs.uri(of_run.EXAMPLES), [split for split in summary.splits if split != "train"]),
        anomalies=describe(Path(outputs.uri(of_run.ANOMALIES))),
        quarantine=quarantine if quarantine.is_file() else None,
        backtest=_backtest(artifacts, summary),
        artifacts=_records(outputs, artifacts),
        model_run=outputs.uri(of_run.MODEL_RUN),
    )


def _last_blessed(run_folder: Path, summary: PurchaseSummary, outputs: RunOutputs) -> PurchaseSummary | None:
    """Summary of the newest earlier run with the model that the Evaluator compared with."""
    for run in reversed(outputs.last_blessed):
        if run < summary.run_id:
            try:
                return read(run_folder.parent / run)
            except NotReadyError:
                continue
    return None


def _scores(folder: str, split: str) -> Scores:
    from modules.artifacts import read_arrays

    columns = read_arrays(folder, f"{split}.npz")
    return columns["label"].astype(np.float64), columns["probability"].astype(np.float64)


def _optional(outputs: RunOutputs, output: Any, file: str) -> Any:
    """The content of a JSON file in an artifact that not every run has."""
    from modules.artifacts import exists, read_json

    if output not in outputs or not exists(outputs.uri(output), file):
        return None
    return read_json(outputs.uri(output), file)


def _trial(trial_id: str, score: float, **hyperparameters: Any) -> Trial:
    return Trial(trial_id, score, hyperparameters)


def _backtest(artifacts: Path, summary: PurchaseSummary) -> BacktestResult | None:
    """The backtest with the same contract and columns, if it was made on the same file."""
    data = summary.dataset
    file = backtest_folder(artifacts, data.contract, data.synthetic, summary.settings.with_duration) / FILE
    try:
        result = BacktestResult.from_json(file.read_bytes())
    except (OSError, ValueError):
        return None
    return result if result.source == data.source else None


def _slices(evaluation: str) -> list[Slice]:
    """The groups of the test split, by column and in the order of bands and values."""
    from modules.evaluation_result import slice_figures
    from modules.purchase.evaluation import band_labels

    slices = []
    for key, figures in slice_figures(evaluation).items():
        if key:
            ((column, value),) = key
            # The key of a banded number contains its edges, see modules.purchase.evaluation.slice_key.
            name, _, edges = column.partition(" ")
            bands = band_labels(json.loads(edges)) if edges else [value]
            group = Slice(
                name,
                str(value),
                rows=figures["example_count"],
                positives=figures["true_positives"] + figures["false_negatives"],
                auc=figures["auc"],
                calibration=figures["calibration"],
            )
            slices.append(((name, bands.index(value), value), group))
    return [group for _, group in sorted(slices, key=lambda entry: entry[0])]


def _drift(model: str, examples: str, splits: list[str]) -> dict[str, Drift]:
    """The raw rows of some splits against the reference profile of train, bin by bin."""
    import tensorflow as tf

    from analysis.bins import NumberBins
    from analysis.drift import measure
    from analysis.profile import Profile
    from data.model_folder import EXTRAS, PROFILE
    from modules.artifacts import join, read_bytes, saved_model
    from modules.examples import serialized

    profile = Profile.from_json(read_bytes(saved_model(model), EXTRAS, PROFILE))
    spec = {
        name: tf.io.FixedLenFeature([], *((tf.float32, np.nan) if isinstance(bins, NumberBins) else (tf.string, "")))
        for name, bins in profile.features.items()
    }
    drift = {}
    for split in splits:
        counts = profile.counts()
        for batch in serialized([join(examples, f"Split-{split}", "*")]):
            columns = tf.io.parse_example(batch, spec)
            counts.add({name: column.numpy() for name, column in columns.items()})
        drift[split] = measure(profile, counts)
    return drift


def _records(outputs: RunOutputs, artifacts: Path) -> list[ArtifactRecord]:
    def short(uri: str) -> str:
        return str(Path(uri).relative_to(artifacts)) if Path(uri).is_relative_to(artifacts) else uri

    return [
        ArtifactRecord(str(output), artifact.id, short(artifact.uri)) for output, artifact in outputs.artifacts.items()
    ]
