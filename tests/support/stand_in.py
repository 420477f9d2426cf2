"""A small model with the purchase model's signature and the files that the pipeline puts beside it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from analysis import profile
from tests.support.customers import CONTRACT, FEATURES

QUALITY = {"accuracy": 0.893, "majority_accuracy": 0.883, "auc": 0.8, "pr_auc": 0.45, "ece": 0.01, "log_loss": 0.28}


def push(models: Path, version: int, columns: dict[str, np.ndarray]) -> None:
    """Writes a version whose reference profile is that of the given rows, under its name only when complete."""
    import tensorflow as tf

    kinds = {name: tf.float32 if name in CONTRACT.numeric else tf.string for name in FEATURES}
    specs = {name: tf.TensorSpec([None], kind, name=name) for name, kind in kinds.items()}

    class Model(tf.Module):
        @tf.function(input_signature=[specs])
        def serve(self, inputs):
            logit = (inputs["age"] - 60) / 20 - tf.cast(inputs["contact"] == "unknown", tf.float32)
            probability = tf.sigmoid(logit + 0.5 * tf.cast(inputs["poutcome"] == "success", tf.float32))
            return {"probability": probability, "purchase": tf.cast(probability > 0.5, tf.int64)}

    models.mkdir(parents=True, exist_ok=True)
    partial, model = models / f"partial-{version}", Model()
    tf.saved_model.save(model, str(partial), signatures={"serving_default": model.serve})
    tensors = {name: tf.constant(column) for name, column in columns.items()}
    answers = {name: tensor.numpy() for name, tensor in model.serve(tensors).items()}
    extras = partial / "assets.extra"
    extras.mkdir()
    built = profile.build(columns, answers["probability"], CONTRACT, FEATURES)
    (extras / "profile.json").write_text(built.to_json())
    answer = {name: column[0].item() for name, column in answers.items()}
    golden = {"instances": instances(columns, np.arange(1)), "predictions": [answer]}
    (extras / "golden_request.json").write_text(json.dumps(golden))
    partial.rename(models / str(version))


def write_summary(runs: Path, version: int) -> None:
    """The part of a run's summary that the exporter reads."""
    summary = {
        "pushed": {"version": str(version)},
        "dataset": {"contract": "bank-full", "synthetic": False},
        "metrics": {"test": QUALITY},
    }
    (runs / "run").mkdir(parents=True)
    (runs / "run" / "summary.json").write_text(json.dumps(summary))


def instances(columns: dict[str, np.ndarray], rows: np.ndarray) -> list[dict]:
    """JSON instances of some rows."""
    values = [column[rows].tolist() for column in columns.values()]
    return [dict(zip(columns, row, strict=True)) for row in zip(*values, strict=True)]
