"""A report with everything on its page, without a pipeline."""

import math
from dataclasses import replace

import numpy as np

from analysis.drift import Drift, Shift
from analysis.figures import Interval, Metrics, OverTime
from analysis.importance import FeatureImportance, ImportanceResult
from analysis.metrics import evaluate
from report.gather import ArtifactRecord, Records
from report.purchase.gather import PurchaseReport, Slice, Trial
from runs.backtest_result import MODELS, BacktestResult, Decided, Model, MonthResult, Period
from runs.summary import Check, GateResult, PurchaseSummary, PushedVersion, Split
from tests.support import summaries

ATTACK = "<script>alert(1)</script>&\"'.csv"


def scores(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    probabilities = generator.beta(1, 6, rows)
    return (generator.random(rows) < probabilities).astype(float), probabilities


def metrics(rows: tuple[np.ndarray, np.ndarray]) -> Metrics:
    return evaluate(*rows, 0.22)


def slice_of(column: str, value: str, positives: int, others: int) -> Slice:
    auc = 0.71 if positives and others else math.nan
    return Slice(column, value, positives + others, positives, auc, 1.0 if positives else math.nan)


def summary(rows: dict[str, tuple[np.ndarray, np.ndarray]]) -> PurchaseSummary:
    measured = {split: metrics(scored) for split, scored in rows.items()}
    network = summaries.compared("network", "Dense network")
    auc = measured["test"].auc
    assert auc is not None
    return summaries.summary(
        "20260101-120000",
        dataset__source=f"/data/{ATTACK}",
        dataset__read=3_003,
        dataset__rows=3_000,
        dataset__quarantined=3,
        settings__quarantine=True,
        splits={split: Split(len(y), float(y.mean())) for split, (y, _) in rows.items()},
        metrics=measured,
        model__threshold=0.22,
        comparison=(
            replace(network, metrics=measured["test"]),
            replace(network, key="knn", name="Nearest neighbours", metrics=measured["eval"]),
        ),
        gate__checks=(Check("auc", auc, 0.7, True),),
    )


def records() -> Records:
    """Drift of two columns, one of which shifted, and an artifact."""
    shift = Shift(0.012, 0.1, 0.031, {"missing": 0.0, "unseen": 0.0}, False)
    drift = Drift(500, {"age": shift, "job": replace(shift, psi=0.4, alarm=True)}, None, 0.1, 0.1)
    return Records(
        drift={"eval": drift, "test": drift},
        artifacts=[ArtifactRecord("Trainer.model", 22, "tfx/bank-full/Trainer/model/22")],
    )


def not_blessed(report: PurchaseReport) -> PurchaseReport:
    """The same report of a model that failed the gate."""
    checks = (Check("auc", 0.6123, 0.7, False), Check("accuracy_gain", None, 0.003, False))
    return replace(report, summary=replace(report.summary, pushed=None, gate=GateResult(False, checks, "-")))


def with_words(report: PurchaseReport, one: str, many: str) -> PurchaseReport:
    """The same report on a label with other words."""
    changed = {"dataset__words__one": one, "dataset__words__many": many}
    assert report.previous is not None
    assert report.backtest is not None
    return replace(
        report,
        summary=summaries.changed(report.summary, **changed),
        previous=summaries.changed(report.previous, **changed),
        backtest=summaries.changed(report.backtest, words__one=one, words__many=many),
    )


def backtest() -> BacktestResult:
    """Two periods of a month each, the second one after a refusal."""
    months = [
        _month("2009-07", 0.2, Decided("first", ("there is no model yet",))),
        _month("2009-08", 0.4, Decided("refused", ("on 2009-07 its log loss is 0.5 against 0.4",))),
    ]
    periods = {
        name: Period(month, month, dict.fromkeys(MODELS, over_time()))
        for name, month in (("dev", "2009-07"), ("confirm", "2009-08"))
    }
    return BacktestResult(
        source=f"/data/{ATTACK}",
        synthetic=False,
        contract="bank-full",
        with_after_call=False,
        with_calendar=False,
        past_volume_only=False,
        seeds=(42,),
        rows=3_000,
        cost=10.0,
        margin=100.0,
        dated=True,
        periods={**periods, "all": Period("2009-07", "2009-08", dict.fromkeys(MODELS, over_time()))},
        months=tuple(months),
        random_split=replace(over_time(), within_month_auc=0.6312, pooled_auc=0.8034),
        spans=(),
        verdict="Rely on the first kind.",
    )


def over_time() -> OverTime:
    """The figures of a usual period."""
    return OverTime(
        rows=500,
        months=1,
        within_month_auc=0.6738,
        better_half_share=0.6261,
        pooled_auc=0.6852,
        log_loss=0.6343,
        ece=0.0316,
        profit=1_234.0,
        within_month_auc_interval=Interval(0.6535, 0.6902),
        better_half_share_interval=Interval(0.6075, 0.6404),
        pooled_auc_interval=Interval(0.6683, 0.6996),
    )


def _month(name: str, rate: float, decided: Decided) -> MonthResult:
    auc: dict[Model, float | None] = {model: 0.6 + place / 100 for place, model in enumerate(MODELS)}
    return MonthResult(name, 500, rate, auc, (decided,))


def whole() -> PurchaseReport:
    """A run with everything, of 3,000 customers."""
    rows = {"train": scores(2_000, 0), "eval": scores(500, 1), "test": scores(500, 2)}
    history = {"loss": [0.4, 0.3], "average_log_loss": [0.4, 0.3], "accuracy": [0.85, 0.9]}
    now = summary(rows)
    return PurchaseReport(
        summary=now,
        records=records(),
        previous=summaries.changed(
            now,
            run_id="20251231-120000",
            model__hyperparameters__width=64,
            pushed=PushedVersion("1795000000", "artifacts/serving/purchase-model/1795000000"),
        ),
        scores=rows,
        history={**history, **{f"val_{name}": values for name, values in history.items()}},
        best_epoch=1,
        trials=[Trial("0", 0.2871, {"width": 48}), Trial("1", 0.2902, {"width": 64})],
        importance=ImportanceResult(
            rows=500,
            repeats=5,
            auc=0.8,
            features=(FeatureImportance("job", 0.0512, 0.002), FeatureImportance("age", -0.0003, 0.001)),
        ),
        slices=[
            slice_of("age", "below 30", 40, 160),
            slice_of("job", ATTACK, 2, 10),
            slice_of("job", "student", 0, 50),
        ],
        backtest=backtest(),
        model_run="/runs/Trainer/model_run/9",
    )
