"""Reads what a report shows, from a run's folder and from the run's artifacts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.importance import ImportanceResult
from data.model_folder import PurchaseCard
from report.gather import Records, check_files, find_outputs, last_blessed_run, optional, records
from runs.backtest_result import FILE, BacktestResult, backtest_folder
from runs.folder import artifacts_folder
from runs.summary import PurchaseSummary

if TYPE_CHECKING:
    from analysis.economics import Scores


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
class PurchaseReport:
    """All that the page shows; what a run did not produce is None or empty.

    Attributes:
      summary: of the run.
      records: of the run's data and artifacts.
      scores: labels and probabilities by split.
      previous: summary of the run of the last blessed model, which the Evaluator compared with.
      history: metrics by name and epoch.
      best_epoch: the epoch, from 0, whose weights were kept.
      trials: of the Tuner, the best first.
      importance: of the columns.
      slices: groups of test customers, by column.
      backtest: on the same data and columns.
      model_run: where the TensorBoard logs are.
    """

    summary: PurchaseSummary
    records: Records
    scores: Mapping[str, Scores]
    previous: PurchaseSummary | None = None
    history: Mapping[str, list[float]] | None = None
    best_epoch: int | None = None
    trials: list[Trial] = field(default_factory=list)
    importance: ImportanceResult | None = None
    slices: list[Slice] = field(default_factory=list)
    backtest: BacktestResult | None = None
    model_run: str | None = None


def gather(run_folder: Path, summary: PurchaseSummary) -> PurchaseReport:
    """Everything a report needs.

    Args:
      run_folder: the run's folder.
      summary: of the run.

    Raises:
      NotReadyError: the run's artifacts have been pruned.
    """
    outputs = find_outputs(run_folder, summary.run_id)
    from modules import artifacts as files
    from runs import outputs as of_run

    scores, model = outputs.uri(of_run.SCORES), outputs.uri(of_run.MODEL)
    check_files(summary.run_id, scores, *(f"{split}.npz" for split in summary.splits))
    importance = optional(outputs, of_run.IMPORTANCE, files.IMPORTANCE)
    return PurchaseReport(
        summary=summary,
        records=records(run_folder, summary, outputs),
        scores={split: _scores(scores, split) for split in summary.splits},
        previous=last_blessed_run(run_folder, summary, outputs),
        history=optional(outputs, of_run.MODEL_RUN, files.HISTORY),
        best_epoch=files.model_card(model, PurchaseCard).best_epoch,
        trials=[_trial(**trial) for trial in optional(outputs, of_run.TUNER_RESULTS, files.TRIALS) or ()],
        importance=importance and ImportanceResult.from_dict(importance),
        slices=_slices(outputs.uri(of_run.EVALUATION)),
        backtest=_backtest(artifacts_folder(run_folder), summary),
        model_run=outputs.uri(of_run.MODEL_RUN),
    )


def _scores(folder: str, split: str) -> Scores:
    from modules.artifacts import read_arrays

    columns = read_arrays(folder, f"{split}.npz")
    return columns["label"].astype(np.float64), columns["probability"].astype(np.float64)


def _trial(trial_id: str, score: float, **hyperparameters: Any) -> Trial:
    return Trial(trial_id, score, hyperparameters)


def _backtest(artifacts: Path, summary: PurchaseSummary) -> BacktestResult | None:
    """The backtest with the same contract and columns, if it was made on the same file."""
    data, settings = summary.dataset, summary.settings
    columns = (settings.with_duration, settings.with_calendar)
    file = backtest_folder(artifacts, data.contract, data.synthetic, *columns) / FILE
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
