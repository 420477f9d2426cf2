"""The Evaluator's metrics and slices.

TFMA's metric classes call Python for every row, slice and metric: 16 CPU seconds for 6,800 rows in 25 slices, twice
that with a baseline model, and in proportion to the rows. Here a batch of rows stays a set of arrays: there is one
extract for each batch and slice, and one metric that counts with numpy. The figures have the names of TFMA's and agree
with them.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.metrics.metric_types import MetricComputation, MetricKey, register_metric
from tensorflow_model_analysis.metrics.metric_util import merge_per_key_computations

from data.contract import Contract
from data.model_spec import EXAMPLE_SIGNATURE, PURCHASE_MODEL
from modules.purchase.gate import Gate

BUCKETS = 10_000
"""Number of equal-width buckets of the probability; the areas are computed from them, as in TFMA's AUC."""
AT_THRESHOLD = "_at_threshold"
"""Suffix of the figures at the model's own threshold; the others are at 0.5."""

_UNBATCH, _SLICE = "ExtractUnbatchedInputs", "ExtractSliceKeys"
"""TFMA's names of the extractors that work row by row."""


def eval_config(contract: Contract, gate: Gate, code: str = "") -> tfma.EvalConfig:
    """The Evaluator's configuration.

    The bounds hold over all rows, because a slice of fifty customers would fail them by chance. TFMA ignores the bounds
    against a baseline until there is a blessed model.

    Args:
      contract: names the label and the slices.
      gate: the bounds.
      code: fingerprint of this module, so that the cache notices a change; it has no other effect.
    """
    bounds = {
        "accuracy_gain": _bound(at_least=gate.min_accuracy_gain),
        "auc": _bound(at_least=gate.min_auc, most_lost=gate.max_auc_loss),
        "binary_accuracy": _bound(most_lost=gate.max_accuracy_loss),
    }
    return tfma.EvalConfig(
        model_specs=[tfma.ModelSpec(signature_name=EXAMPLE_SIGNATURE, label_key=contract.required_label.name)],
        metrics_specs=[
            tfma.MetricsSpec(
                metrics=[
                    tfma.MetricConfig(class_name="PurchaseMetrics", module=__name__, config=json.dumps({"code": code}))
                ],
                per_slice_thresholds={
                    name: tfma.PerSliceMetricThresholds(
                        thresholds=[tfma.PerSliceMetricThreshold(slicing_specs=[tfma.SlicingSpec()], threshold=bound)]
                    )
                    for name, bound in bounds.items()
                },
            )
        ],
        slicing_specs=[
            tfma.SlicingSpec(),
            *(tfma.SlicingSpec(feature_keys=[slice_key(contract, name)]) for name in contract.modelling.slices),
        ],
        options=tfma.Options(include_default_metrics={"value": False}),
    )


def slice_key(contract: Contract, name: str) -> str:
    """The key of a slice: the column's name, or `age [30.0, 40.0]` for the bands of a number.

    The edges are part of the key because the Evaluator passes its extractors nothing but the configuration.
    """
    return f"{name} {json.dumps(contract.numeric[name].bands)}" if name in contract.numeric else name


def band_labels(edges: Sequence[float]) -> list[str]:
    """`(30, 60)` -> `["below 30", "30 to below 60", "60 and above", "missing"]`."""
    inner = [f"{low:g} to below {high:g}" for low, high in itertools.pairwise(edges)]
    return [f"below {edges[0]:g}", *inner, f"{edges[-1]:g} and above", "missing"]


def custom_extractors(
    eval_shared_model: tfma.types.MaybeMultipleEvalSharedModels,
    eval_config: tfma.EvalConfig,
    tensor_adapter_config: object,
) -> list[tfma.extractors.Extractor]:
    """The Evaluator calls this: TFMA's extractors up to the predictions, then one that slices whole batches."""
    keys = [key for spec in eval_config.slicing_specs for key in spec.feature_keys]
    extractors = tfma.default_extractors(
        eval_shared_model=eval_shared_model,
        eval_config=eval_config,
        tensor_adapter_config=tensor_adapter_config,
    )
    return [
        *(extractor for extractor in extractors if extractor.stage_name not in (_UNBATCH, _SLICE)),
        tfma.extractors.Extractor(_SLICE, beam.FlatMap(slice_batch, keys=keys)),
    ]


def slice_batch(extracts: tfma.Extracts, keys: Sequence[str]) -> Iterator[tfma.Extracts]:
    """Yields all rows of a batch, then the rows of each value of each slice, as arrays."""
    features = extracts[tfma.FEATURES_KEY]
    outcomes = {key: extracts[key] for key in (tfma.LABELS_KEY, tfma.PREDICTIONS_KEY)}
    yield {**_take(outcomes, slice(None)), tfma.SLICE_KEY_TYPES_KEY: [()]}
    for key in keys:
        values = _slice_values(features, key)
        for value in np.unique(values):
            yield {**_take(outcomes, values == value), tfma.SLICE_KEY_TYPES_KEY: [((key, str(value)),)]}


def _take(values: Mapping[str, Any], rows: np.ndarray | slice) -> dict[str, Any]:
    """The given rows of all arrays, which TFMA nests in mappings by model and output."""
    return {
        name: _take(inner, rows) if isinstance(inner, Mapping) else np.ravel(inner)[rows]
        for name, inner in values.items()
    }


def _slice_values(features: Mapping[str, np.ndarray], key: str) -> np.ndarray:
    if not key.endswith("]"):
        return np.char.decode(np.ravel(features[key]).astype(bytes), "utf-8")
    name, edges = key.split(" ", 1)
    numbers, edges = np.ravel(features[name]), json.loads(edges)
    band = np.where(np.isnan(numbers), len(edges) + 1, np.digitize(numbers, edges))
    return np.array(band_labels(edges))[band]


class PurchaseMetrics(tfma.metrics.Metric):
    """All figures of one slice: counts and rates at 0.5 and at the model's threshold, areas, calibration."""

    def __init__(self, name: str = "purchase_metrics", code: str = ""):
        super().__init__(merge_per_key_computations(_computations), name=name)


register_metric(PurchaseMetrics)


def _computations(name: str, model_name: str = "", **_: object) -> list[MetricComputation]:
    combiner = _Combiner(model_name)
    keys = list(combiner.extract_output(combiner.create_accumulator()))
    return [MetricComputation(keys=keys, preprocessors=None, combiner=combiner)]


class _Combiner(beam.CombineFn):
    """Adds up the arguments of :func:`figures` over all batches of a slice."""

    def __init__(self, model_name: str):
        self._model_name = model_name

    def create_accumulator(self):
        return np.zeros(3), np.zeros((2, BUCKETS))

    def add_input(self, accumulator, element):
        label = element.get_labels(self._model_name).astype(bool)
        prediction = element.get_predictions(self._model_name)
        probability, purchase = prediction[PURCHASE_MODEL.score], prediction[PURCHASE_MODEL.decision].astype(bool)
        sums, histogram = accumulator
        sums += [probability.sum(dtype=np.float64), (purchase & label).sum(), (purchase & ~label).sum()]
        bucket = np.minimum(np.ceil(probability.astype(np.float64) * BUCKETS).astype(int) - 1, BUCKETS - 1).clip(0)
        for row, rows in enumerate((~label, label)):
            histogram[row] += np.bincount(bucket[rows], minlength=BUCKETS)
        return accumulator

    def merge_accumulators(self, accumulators):
        sums, histograms = zip(*accumulators, strict=True)
        return np.sum(sums, axis=0), np.sum(histograms, axis=0)

    def extract_output(self, accumulator):
        return {
            # TFMA finds the figure of a bound only where the figure's key leaves the weighting open.
            MetricKey(name=name, model_name=self._model_name, example_weighted=None): value
            for name, value in figures(*accumulator).items()
        }


def figures(sums: np.ndarray, histogram: np.ndarray) -> dict[str, float]:
    """The figures of one slice.

    Args:
      sums: sum of probabilities, and true and false positives at the model's threshold.
      histogram: number of rows by label and bucket of the probability, [2, BUCKETS]; a bucket includes its upper edge,
        so that 0.5 does not count as above 0.5.

    Returns:
      The figures by name; a rate of no rows is NaN. AUC follows the trapezoidal rule over the buckets, PR-AUC is the
      average precision.
    """
    negative, positive = histogram
    total = histogram.sum()
    half = BUCKETS // 2
    result = {"example_count": total}
    counts = {"": (positive[half:].sum(), negative[half:].sum()), AT_THRESHOLD: (sums[1], sums[2])}
    for ending, (true_positives, false_positives) in counts.items():
        false_negatives = positive.sum() - true_positives
        true_negatives = negative.sum() - false_positives
        result |= {
            f"true_positives{ending}": true_positives,
            f"false_positives{ending}": false_positives,
            f"true_negatives{ending}": true_negatives,
            f"false_negatives{ending}": false_negatives,
            f"binary_accuracy{ending}": _ratio(true_positives + true_negatives, total),
            f"precision{ending}": _ratio(true_positives, true_positives + false_positives),
            f"recall{ending}": _ratio(true_positives, positive.sum()),
            f"f1_score{ending}": _ratio(2 * true_positives, 2 * true_positives + false_positives + false_negatives),
        }
    majority = max(positive.sum(), negative.sum())
    above_positive, above_negative = np.cumsum(positive[::-1]), np.cumsum(negative[::-1])
    pairs = np.sum(negative[::-1] * (above_positive - positive[::-1] / 2))
    with np.errstate(invalid="ignore"):
        precision = np.nan_to_num(above_positive / (above_positive + above_negative))
    return result | {
        "accuracy_gain": result["binary_accuracy"] - _ratio(majority, total),
        "auc": _ratio(pairs, positive.sum() * negative.sum()),
        "auc_precision_recall": _ratio(np.sum(positive[::-1] * precision), positive.sum()),
        "calibration": _ratio(sums[0], positive.sum()),
    }


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else float("nan")


def _bound(at_least: float | None = None, most_lost: float | None = None) -> tfma.MetricThreshold:
    bound = tfma.MetricThreshold()
    if at_least is not None:
        bound.value_threshold.lower_bound.value = at_least
    if most_lost is not None:
        bound.change_threshold.absolute.value = -most_lost
        bound.change_threshold.direction = tfma.MetricDirection.HIGHER_IS_BETTER
    return bound
