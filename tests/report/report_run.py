"""A run with everything on its page, without a pipeline."""

import copy
import math
from dataclasses import replace
from pathlib import Path

import numpy as np

from analysis.drift import Drift, Shift
from analysis.metrics import evaluate
from report.gather import Made, Material, Slice

ATTACK = "<script>alert(1)</script>&\"'.csv"


def scores(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    probabilities = generator.beta(1, 6, rows)
    return (generator.random(rows) < probabilities).astype(float), probabilities


def metrics(found: tuple[np.ndarray, np.ndarray]) -> dict:
    return evaluate(*found, 0.22)


def slice_of(column: str, value: str, buyers: int, others: int) -> Slice:
    figures = {
        "true_positives": buyers,
        "false_negatives": 0,
        "example_count": buyers + others,
        "auc": 0.71 if buyers and others else math.nan,
        "calibration": 1.0 if buyers else math.nan,
    }
    return Slice(column, value, figures)


def summary(found: dict) -> dict:
    measured = {split: metrics(rows) for split, rows in found.items()}
    model = {
        "key": "network",
        "name": "Dense network",
        "threshold": 0.22,
        "train_seconds": 12.3,
        "score_microseconds": 4.0,
    }
    return {
        "run_id": "20260101-120000",
        "dataset": {
            "contract": "bank-full",
            "source": f"/data/{ATTACK}",
            "read": 3_003,
            "rows": 3_000,
            "quarantined": 3,
            "synthetic": False,
            "label_rate": 0.14,
            "split": "random",
        },
        "settings": {
            "with_duration": False,
            "quarantine": True,
            "trials": 2,
            "members": None,
            "seed": 42,
            "benchmark": True,
            "data_sha256": "ab" * 32,
            "commit": "cd" * 20,
        },
        "features": ["age", "job"],
        "splits": {split: {"rows": len(y), "label_rate": float(y.mean())} for split, (y, _) in found.items()},
        "stages": [
            {"name": "Trainer", "seconds": 12.345, "cached": False},
            {"name": "Tuner", "seconds": 0.0, "cached": True},
        ],
        "seconds": 99.5,
        "model": {"hyperparameters": {"width": 48}, "parameters": 91_731, "members": 3, "threshold": 0.22},
        "metrics": measured,
        "comparison": [
            {**model, "metrics": measured["test"]},
            {**model, "key": "knn", "name": "Nearest neighbours", "metrics": measured["eval"]},
        ],
        "gate": {
            "blessed": True,
            "checks": [{"metric": "auc", "value": measured["test"]["auc"], "bound": 0.7, "passed": True}],
            "probe": "TF Serving's SavedModel loader in a fresh process",
        },
        "pushed": {"version": "1795245739", "path": "artifacts/serving/purchase-model/1795245739"},
    }


def whole() -> Material:
    """A run with everything, of 3,000 customers."""
    found = {"train": scores(2_000, 0), "eval": scores(500, 1), "test": scores(500, 2)}
    shift = Shift(0.012, 0.1, 0.031, {"missing": 0.0, "unseen": 0.0}, False)
    history = {"loss": [0.4, 0.3], "average_log_loss": [0.4, 0.3], "accuracy": [0.85, 0.9]}
    now = summary(found)
    before = copy.deepcopy(now)
    before["run_id"], before["model"]["hyperparameters"]["width"] = "20251231-120000", 64
    span = {"number": 1, "first_row": 1, "last_row": 500, "rows": 500, "label_rate": 0.2}
    span |= {"train_rows": dict.fromkeys(("static", "expanding", "rolling"), 1_000)}
    span |= dict.fromkeys(("static", "expanding", "rolling"), metrics(found["eval"]))
    return Material(
        summary=now,
        previous=before,
        scores=found,
        history={**history, **{f"val_{name}": values for name, values in history.items()}},
        card={"best_epoch": 1},
        trials=[{"trial_id": "0", "score": 0.2871, "width": 48}, {"trial_id": "1", "score": 0.2902, "width": 64}],
        importance={
            "split": "test",
            "rows": 500,
            "repeats": 5,
            "auc": 0.8,
            "features": [
                {"name": "job", "auc_drop": 0.0512, "std": 0.002},
                {"name": "age", "auc_drop": -0.0003, "std": 0.001},
            ],
        },
        slices=[
            slice_of("age", "below 30", 40, 160),
            slice_of("job", ATTACK, 2, 10),
            slice_of("job", "student", 0, 50),
        ],
        drift={
            split: Drift(500, {"age": shift, "job": replace(shift, psi=0.4, alarm=True)}, None, 0.1, 0.1)
            for split in ("eval", "test")
        },
        anomalies=[],
        backtest={
            "spans": [span, {**span, "number": 2, "label_rate": 0.4}],
            "random_split": metrics(found["test"]),
            "mean": dict.fromkeys(("static", "expanding", "rolling"), metrics(found["eval"])),
            "verdict": "Believe the latter.",
            "rows": 3_000,
            "source": f"/data/{ATTACK}",
        },
        artifacts=[Made("Trainer.model", 22, "tfx/bank-full/Trainer/model/22")],
        model_run=Path("/runs/Trainer/model_run/9"),
    )
