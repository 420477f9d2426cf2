"""What a run came to: gathered from its artifacts, written as `summary.json`, shown as a table."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow_model_analysis as tfma
from ml_metadata.proto.metadata_store_pb2 import Artifact

from modules import artifacts
from modules.examples import SPLITS
from modules.purchase.gate import Gate
from pipeline.settings import Settings
from runs.summary import Stage

ASKED = ("with_duration", "quarantine", "trials", "members", "seed", "benchmark", "cost", "margin")
"""What of the settings `summary.json` repeats as it is."""


def summarize(
    settings: Settings, made: Mapping[str, Artifact], stages: Sequence[Stage], seconds: float
) -> dict[str, Any]:
    """The content of `summary.json`; the README describes its keys.

    Args:
      settings: the run's.
      made: the run's artifacts, from `runs.outputs.outputs`.
      stages: what each component did.
      seconds: wall time of the whole run.
    """
    ingest = json.loads(Path(made["ContractExampleGen.examples"].uri, "ingest.json").read_text())
    metrics = json.loads(Path(made["Scorer.scores"].uri, "metrics.json").read_text())
    card = artifacts.model_card(made["Trainer.model"].uri)
    splits = {
        name: {
            "rows": ingest["splits"][name]["rows"],
            "label_rate": ingest["splits"][name]["positives"] / ingest["splits"][name]["rows"],
        }
        for name in SPLITS
    }
    positives = sum(ingest["splits"][name]["positives"] for name in SPLITS)
    return {
        "run_id": settings.run_id,
        "dataset": {
            "contract": settings.contract.name,
            "source": str(settings.data),
            "read": ingest["read"],
            "rows": ingest["kept"],
            "quarantined": ingest["quarantined"],
            "synthetic": settings.synthetic,
            "row_order": settings.contract.row_order,
            "label_rate": positives / ingest["kept"],
            "split": settings.split,
        },
        "settings": {
            **{name: getattr(settings, name) for name in ASKED},
            "data_sha256": made["ContractExampleGen.examples"].custom_properties["input_fingerprint"].string_value,
            "commit": settings.commit,
        },
        "features": list(card.features),
        "splits": splits,
        "stages": [{"name": s.name, "seconds": round(s.seconds, 3), "cached": s.cached} for s in stages],
        "seconds": round(seconds, 3),
        "model": {key: getattr(card, key) for key in ("hyperparameters", "parameters", "members", "threshold")},
        "metrics": metrics,
        "comparison": _comparison(made),
        "gate": _gate(made, settings.gate),
        "pushed": _pushed(made["AtomicPusher.pushed_model"]),
    }


def _comparison(made: Mapping[str, Artifact]) -> list[dict[str, Any]] | None:
    """The network and the usual models; none if the run was asked not to measure them."""
    if "Benchmark.comparison" not in made:
        return None
    return json.loads(Path(made["Benchmark.comparison"].uri, "comparison.json").read_text())["models"]


def _gate(made: Mapping[str, Artifact], gate: Gate) -> dict[str, Any]:
    """The Evaluator's verdict and the serving probe's, bound by bound."""
    evaluation = made["Evaluator.evaluation"].uri
    figures = _overall(evaluation)
    checks = [
        _check("accuracy_gain", figures["accuracy_gain"], gate.min_accuracy_gain),
        _check("auc", figures["auc"], gate.min_auc),
    ]
    if "auc_diff" in figures:
        checks += [
            _check("accuracy_against_last_blessed", figures["binary_accuracy_diff"], -gate.max_accuracy_loss),
            _check("auc_against_last_blessed", figures["auc_diff"], -gate.max_auc_loss),
        ]
    probe = made["ServingProbe.blessing"]
    served = probe.custom_properties["blessed"].int_value == 1
    checks.append({"metric": "served_as_evaluated", "value": served, "bound": True, "passed": served})
    blessed = made["Evaluator.blessing"].custom_properties["blessed"].int_value == 1
    reason = Path(probe.uri, "INFRA_NOT_BLESSED")
    return {
        "blessed": blessed and served,
        "checks": checks,
        "probe": "TF Serving's SavedModel loader in a fresh process" if served else reason.read_text(),
    }


def _overall(evaluation: str) -> dict[str, float]:
    """The candidate's figures over the whole split; those ending in `_diff` are its lead over the baseline."""
    candidate = next(spec for spec in tfma.load_eval_result(evaluation).config.model_specs if not spec.is_baseline)
    result = tfma.load_eval_result(evaluation, model_name=candidate.name)
    figures = dict(result.slicing_metrics)[()][""][""]
    # TFMA writes a figure that cannot be computed as the text "NaN".
    return {name: float(value["doubleValue"]) for name, value in figures.items()}


def _check(metric: str, value: float, bound: float) -> dict[str, Any]:
    """A figure that cannot be computed, such as the AUC of rows with one label, passes nothing and is null in JSON."""
    return {"metric": metric, "value": None if math.isnan(value) else value, "bound": bound, "passed": value >= bound}


def _pushed(artifact: Artifact) -> dict[str, str] | None:
    properties = artifact.custom_properties
    if not properties["pushed"].int_value:
        return None
    return {
        "version": properties["pushed_version"].string_value,
        "path": properties["pushed_destination"].string_value,
    }
