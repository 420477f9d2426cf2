"""Builds run summaries: a usual one, and changes to it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from analysis.figures import Interval, Metrics
from analysis.segmentation import Candidate, CandidateFigures
from analysis.trial_result import ChampionTrial, Trial
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
    SegmentRunSettings,
    SegmentShare,
    SegmentSummary,
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


def trial(**changes: Any) -> ChampionTrial:
    """A usual trial, in which the model ranks as well as the champion; changes as for :func:`changed`."""
    usual = ChampionTrial(
        champion=1795200000,
        trial=Trial(
            months=("2010-10", "2010-11"),
            rows=295,
            positives=140,
            champion_auc=0.664,
            challenger_auc=0.671,
            auc_gain=Interval(-0.02, 0.04),
            champion_log_loss=0.64,
            challenger_log_loss=0.63,
            log_loss_gain=Interval(-0.01, 0.02),
        ),
    )
    return changed(usual, **changes)


def compared(key: str, name: str, **changes: Any) -> ComparedModel:
    """A model of the comparison; changes are to its metrics."""
    return ComparedModel(key, name, metrics(**changes), threshold=0.25, train_seconds=12.3, score_microseconds=4.0)


def segment_summary(run_id: str = "20270101-000000", **changes: Any) -> SegmentSummary:
    """A usual run on fundfusion's demography whose model was pushed; changes as for :func:`changed`."""
    usual = SegmentSummary(
        run_id=run_id,
        dataset=Dataset(
            contract="fundfusion",
            source="/data/fundfusion.csv",
            read=28_129,
            rows=25_676,
            quarantined=0,
            synthetic=False,
            label_rate=None,
            split="random",
            distinct=25_676,
        ),
        features=("age", "children"),
        splits={"train": Split(17_973, None), "eval": Split(3_851, None), "test": Split(3_852, None)},
        stages=(Stage("SegmentSearch", 23.4, cached=False), Stage("Trainer", 4.5, cached=False)),
        seconds=61.2,
        chosen=figures(),
        segments=(
            SegmentShare("over 53, no children", {"train": 0.2512, "eval": 0.2498, "test": 0.2533}),
            SegmentShare("under 35", {"train": 0.4001, "eval": 0.4102, "test": 0.3994}),
            SegmentShare("35 to 53, children", {"train": 0.3487, "eval": 0.34, "test": 0.3473}),
        ),
        silhouette=0.4821,
        macro_silhouette=0.4712,
        agreement=None,
        gate=GateResult(
            blessed=True,
            checks=(
                Check("silhouette_above_shuffled", 0.1281, 0.01, True),
                Check("stability", 0.9312, 0.8, True),
                Check("smallest_segment", 0.2512, 0.02, True),
                Check("served_as_trained", True, True, True),
                Check("served_as_evaluated", True, True, True),
            ),
            probe="TF Serving's SavedModel loader in a fresh process",
        ),
        pushed=PushedVersion("1795239192", "artifacts/serving/segment-model/1795239192"),
        settings=SegmentRunSettings(
            view="demography", method="auto", fewest=2, most=10, seed=42, data_sha256="a" * 64, commit="b" * 40
        ),
    )
    return changed(usual, **changes)


def figures(**changes: Any) -> CandidateFigures:
    """The figures of a usual segmentation: three segments by K-Means on principal components."""
    usual = CandidateFigures(
        candidate=Candidate("kmeans", "pca", 3),
        loss=0.7123,
        silhouette=0.4907,
        macro_silhouette=0.4795,
        macro_error=0.0061,
        full_silhouette=0.4411,
        full_macro_silhouette=0.4302,
        null_silhouette=0.3514,
        null_deviation=0.0042,
        gap=0.5123,
        gap_error=0.0081,
        davies_bouldin=0.8122,
        calinski_harabasz=2345.6,
        stability=0.9312,
        seed_stability=0.9987,
        smallest=0.2512,
        largest=0.4001,
    )
    return replace(usual, **changes)


def write(run_folder: Path, summary: RunSummary) -> Path:
    """Writes a summary into a run's folder and returns the file."""
    run_folder.mkdir(parents=True, exist_ok=True)
    file = run_folder / SUMMARY
    file.write_text(summary.to_json(), encoding="utf-8")
    return file
