"""What the Evaluator measures and how it slices."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence

import apache_beam as beam
import numpy as np
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.metrics.confusion_matrix_metrics import ConfusionMatrixMetric

from data.contract import Contract
from modules.gate import Gate
from modules.signatures import EXAMPLE_SIGNATURE, PROBABILITY, PURCHASE

_COUNTS = ("TruePositives", "FalsePositives", "TrueNegatives", "FalseNegatives", "Precision", "Recall")


class AccuracyGain(ConfusionMatrixMetric):
    """BinaryAccuracy minus the accuracy of always answering with the larger class of the same rows."""

    def __init__(self, thresholds: float | list[float] | None = None, name: str = "accuracy_gain"):
        super().__init__(thresholds=thresholds, name=name)

    def result(self, tp: float, tn: float, fp: float, fn: float) -> float:
        """Between -1 and 0.5; nan without rows."""
        total = tp + tn + fp + fn
        return (tp + tn - max(tp + fn, tn + fp)) / total if total else float("nan")


def eval_config(contract: Contract, gate: Gate) -> tfma.EvalConfig:
    """Metrics at 0.5 (output `probability`) and at the model's own threshold (output `purchase`), by slice, gated.

    Bounds against a baseline are ignored by the Evaluator as long as no model was ever blessed.
    """
    label = contract.label.name
    at_half = [
        _metric("ExampleCount"),
        *(_metric(name) for name in _COUNTS),
        _metric("BinaryAccuracy", higher_than_baseline=-gate.max_accuracy_loss),
        _metric("AccuracyGain", module=__name__, at_least=gate.min_accuracy_gain),
        _metric("AUC", at_least=gate.min_auc, higher_than_baseline=-gate.max_auc_loss),
        _metric("AUCPrecisionRecall"),
        _metric("Calibration"),
        _metric("MeanLabel"),
        _metric("MeanPrediction"),
    ]
    at_threshold = [_metric(name) for name in (*_COUNTS, "BinaryAccuracy", "F1Score")]
    return tfma.EvalConfig(
        model_specs=[
            tfma.ModelSpec(signature_name=EXAMPLE_SIGNATURE, label_keys={PROBABILITY: label, PURCHASE: label})
        ],
        metrics_specs=[
            tfma.MetricsSpec(metrics=at_half, output_names=[PROBABILITY]),
            tfma.MetricsSpec(metrics=at_threshold, output_names=[PURCHASE]),
        ],
        slicing_specs=[
            tfma.SlicingSpec(),
            *(tfma.SlicingSpec(feature_keys=[slice_key(contract, name)]) for name in contract.slices),
        ],
    )


def slice_key(contract: Contract, name: str) -> str:
    """The feature a slice goes by: the column itself, or `age [30.0, 40.0]` for the bands of a number.

    The edges are part of the key because the Evaluator hands its extractors the configuration and nothing else.
    """
    return f"{name} {json.dumps(contract.numeric[name].bands)}" if name in contract.numeric else name


def band_labels(edges: Sequence[float]) -> list[str]:
    """`(30, 60)` -> `["below 30", "30 to below 60", "60 and above"]`."""
    inner = [f"{low:g} to below {high:g}" for low, high in itertools.pairwise(edges)]
    return [f"below {edges[0]:g}", *inner, f"{edges[-1]:g} and above"]


def custom_extractors(
    eval_shared_model: tfma.types.MaybeMultipleEvalSharedModels,
    eval_config: tfma.EvalConfig,
    tensor_adapter_config: object,
) -> list[tfma.extractors.Extractor]:
    """Called by the Evaluator: TFMA's own extractors, and before the slicing one that turns numbers into bands."""
    extractors = tfma.default_extractors(
        eval_shared_model=eval_shared_model,
        eval_config=eval_config,
        tensor_adapter_config=tensor_adapter_config,
    )
    keys = [key for spec in eval_config.slicing_specs for key in spec.feature_keys]
    bands = {key: json.loads(key.split(" ", 1)[1]) for key in keys if key.endswith("]")}
    extractors.insert(1, tfma.extractors.Extractor("ExtractBands", beam.Map(_add_bands, bands=bands)))
    return extractors


def _add_bands(extracts: tfma.Extracts, bands: Mapping[str, list[float]]) -> tfma.Extracts:
    features = dict(extracts[tfma.FEATURES_KEY])
    for key, edges in bands.items():
        values = features[key.split(" ", 1)[0]].ravel()
        labels = np.array([*band_labels(edges), "missing"])
        features[key] = labels[np.where(np.isnan(values), len(edges) + 1, np.digitize(values, edges))]
    return {**extracts, tfma.FEATURES_KEY: features}


def _metric(
    name: str,
    module: str = "",
    at_least: float | None = None,
    higher_than_baseline: float | None = None,
) -> tfma.MetricConfig:
    threshold = tfma.MetricThreshold()
    if at_least is not None:
        threshold.value_threshold.lower_bound.value = at_least
    if higher_than_baseline is not None:
        threshold.change_threshold.absolute.value = higher_than_baseline
        threshold.change_threshold.direction = tfma.MetricDirection.HIGHER_IS_BETTER
    config = tfma.MetricConfig(class_name=name, module=module)
    if at_least is not None or higher_than_baseline is not None:
        config.threshold.CopyFrom(threshold)
    return config
