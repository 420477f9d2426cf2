"""Builds run summaries: a usual one, and changes to it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from analysis.figures import Metrics
from runs.folder import SUMMARY
from runs.summary import (
    Check,
    ComparedModel,
    Dataset,
    GateResult,
    PurchaseRunSettings,
    PurchaseSummary,
    PushedVersion,
    RunSummary,
    Split,
    Stage,
    TrainedModel,
)

_Changed = TypeVar("_Changed")


def changed(document: _Changed, **changes: Any) -> _Changed:
    """A copy with other fields: `changed(summary, settings__seed=7)`; a step through a dict is written the same way."""
    for path, value in changes.items():
        name, _, rest = path.partition("__")
        if isinstance(document, dict):
            document = {**document, name: changed(document[name], **{rest: value}) if rest else value}
        else:
            document = replace(document, **{name: changed(getattr(document, name), **{rest: value}) if rest else value})
    return document


def metrics(**changes: Any) -> Metrics:
    """The figures of a usual split."""
    usual = Metrics(
        accuracy=0.8895,
        majority_accuracy=0.8755,
        auc=0.8276,
        pr_auc=0.4972,
        log_loss=0.2829,
        brier=0.0816,
        ece=0.0147,
        f1=0.3638,
        f1_at_threshold=0.4993,
        true_positives=236,
        false_positives=125,
        true_negatives=5816,
        false_negatives=609,
        lift_top_decile=4.52,
        gain_top_half=0.857,
    )
    return replace(usual, **changes)


def summary(run_id: str = "20270101-000000", **changes: Any) -> PurchaseSummary:
    """A usual run on bank-full whose model was pushed; changes as for :func:`changed`."""
    usual = PurchaseSummary(
        run_id=run_id,
        dataset=Dataset(
            contract="bank-full",
            source="/data/bank-full.csv",
            read=45_211,
            rows=45_211,
            quarantined=0,
            synthetic=False,
            label_rate=0.117,
            split="random",
            row_order="date",
        ),
        features=("age", "job"),
        splits={
            "train": Split(31_576, 0.1151),
            "eval": Split(6_849, 0.1183),
            "test": Split(6_786, 0.1245),
        },
        stages=(Stage("Tuner", 0.0, cached=True), Stage("Trainer", 12.345, cached=False)),
        seconds=80.4,
        model=TrainedModel({"width": 48, "dropout": 0.2}, parameters=91_731, members=3, threshold=0.25),
        metrics={"train": metrics(auc=0.9), "eval": metrics(auc=0.8), "test": metrics()},
        comparison=(
            compared("network", "Dense network"),
            compared("logistic_regression", "Logistic regression", auc=0.79),
        ),
        gate=GateResult(
            blessed=True,
            checks=(Check("auc", 0.8276, 0.7, True), Check("served_as_evaluated", True, True, True)),
            probe="TF Serving's SavedModel loader in a fresh process",
        ),
        pushed=PushedVersion("1795239191", "artifacts/serving/purchase-model/1795239191"),
        settings=PurchaseRunSettings(trials=8, seed=42, cost=10.0, margin=100.0, data_sha256="a" * 64, commit="b" * 40),
    )
    return changed(usual, **changes)


def compared(key: str, name: str, **changes: Any) -> ComparedModel:
    """A model of the comparison; changes are to its metrics."""
    return ComparedModel(key, name, metrics(**changes), threshold=0.25, train_seconds=12.3, score_microseconds=4.0)


def write(run_folder: Path, summary: RunSummary) -> Path:
    """Writes a summary into a run's folder and returns the file."""
    run_folder.mkdir(parents=True, exist_ok=True)
    file = run_folder / SUMMARY
    file.write_text(summary.to_json(), encoding="utf-8")
    return file
