"""The Evaluator's figures agree with TFMA's own and with scikit-learn's, slice by slice."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow_model_analysis as tfma
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference
from tensorflow_model_analysis.metrics import metric_types

from data import contract as contracts
from modules.purchase import evaluation
from modules.purchase.gate import Gate


def figures(label, probability, threshold=0.2, batches=3):
    """What comes out for rows that go in as batches."""
    combiner = evaluation._Combiner("")
    parts = []
    for rows in np.array_split(np.arange(len(label)), batches):
        element = metric_types.StandardMetricInputs(
            {
                tfma.LABELS_KEY: label[rows],
                tfma.PREDICTIONS_KEY: {
                    "probability": probability[rows],
                    "purchase": (probability[rows] > threshold).astype(np.int64),
                },
            }
        )
        parts.append(combiner.add_input(combiner.create_accumulator(), element))
    output = combiner.extract_output(combiner.merge_accumulators(parts))
    return {key.name: value for key, value in output.items()}


@pytest.fixture
def rows():
    generator = np.random.default_rng(3)
    probability = generator.beta(1, 7, 3_000).astype(np.float32)
    return (generator.random(3_000) < probability).astype(np.int64), probability


def test_figures_agree_with_scikit_learn(rows):
    label, probability = rows
    result = figures(label, probability)
    assert result["example_count"] == len(label)
    assert result["auc"] == pytest.approx(reference.roc_auc_score(label, probability), abs=1e-4)
    assert result["auc_precision_recall"] == pytest.approx(
        reference.average_precision_score(label, probability), abs=1e-3
    )
    assert result["calibration"] == pytest.approx(probability.sum() / label.sum(), rel=1e-5)
    for ending, threshold in (("", 0.5), ("_at_threshold", 0.2)):
        called = probability > threshold
        assert result[f"binary_accuracy{ending}"] == pytest.approx(reference.accuracy_score(label, called))
        assert result[f"precision{ending}"] == pytest.approx(reference.precision_score(label, called))
        assert result[f"recall{ending}"] == pytest.approx(reference.recall_score(label, called))
        assert result[f"f1_score{ending}"] == pytest.approx(reference.f1_score(label, called))
        counts = [
            f"{side}_{kind}s{ending}"
            for side, kind in (("true", "negative"), ("false", "positive"), ("false", "negative"), ("true", "positive"))
        ]
        assert [result[name] for name in counts] == reference.confusion_matrix(label, called).ravel().tolist()


def test_figures_agree_with_tfma(rows):
    import pandas as pd

    label, probability = rows
    names = ("ExampleCount", "TruePositives", "FalsePositives", "TrueNegatives", "FalseNegatives", "BinaryAccuracy")
    config = tfma.EvalConfig(
        model_specs=[tfma.ModelSpec(label_key="label", prediction_key="prediction")],
        metrics_specs=[
            tfma.MetricsSpec(
                metrics=[tfma.MetricConfig(class_name=n) for n in (*names, "AUC", "Calibration", "Precision", "Recall")]
            )
        ],
        slicing_specs=[tfma.SlicingSpec()],
    )
    frame = pd.DataFrame({"label": label[:800], "prediction": probability[:800].astype(float)})
    (_, theirs), *_ = tfma.analyze_raw_data(frame, config).slicing_metrics
    ours = figures(label[:800], probability[:800])
    for name, value in theirs[""][""].items():
        assert ours[name] == pytest.approx(value["doubleValue"], abs=2e-3 if name == "auc" else 1e-6), name


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1, width=32)), min_size=1, max_size=60), st.integers(1, 5))
def test_no_rows_are_lost_and_batches_make_no_difference(pairs, batches):
    label = np.array([pair[0] for pair in pairs], np.int64)
    probability = np.array([pair[1] for pair in pairs], np.float32)
    result = figures(label, probability, batches=batches)
    for ending in ("", "_at_threshold"):
        kinds = ("true_positives", "false_positives", "true_negatives", "false_negatives")
        assert sum(result[f"{kind}{ending}"] for kind in kinds) == len(pairs)
    assert result == pytest.approx(figures(label, probability, batches=1), nan_ok=True)
    assert -1 <= result["accuracy_gain"] <= 0.5


def test_always_answering_no_gains_nothing():
    label = np.array([0] * 88 + [1] * 12)
    assert figures(label, np.full(100, 0.1, np.float32))["accuracy_gain"] == 0


def test_slices_are_values_of_categories_and_bands_of_numbers():
    contract = contracts.load("hackerearth")
    keys = [evaluation.slice_key(contract, name) for name in ("job_type", "customer_age")]
    extracts = {
        tfma.FEATURES_KEY: {
            "job_type": np.array([[b"student"], [b"retired"], [b"student"]]),
            "customer_age": np.array([[25.0], [30.0], [np.nan]], np.float32),
        },
        tfma.LABELS_KEY: np.array([[1], [0], [0]]),
        tfma.PREDICTIONS_KEY: {"probability": np.array([0.9, 0.2, 0.1]), "purchase": np.array([1, 0, 0])},
    }
    probabilities = {
        slices[tfma.SLICE_KEY_TYPES_KEY][0]: slices[tfma.PREDICTIONS_KEY]["probability"].tolist()
        for slices in evaluation.slice_batch(extracts, keys)
    }
    assert probabilities == {
        (): [0.9, 0.2, 0.1],
        (("job_type", "retired"),): [0.2],
        (("job_type", "student"),): [0.9, 0.1],
        ((keys[1], "below 30"),): [0.9],
        ((keys[1], "30 to below 40"),): [0.2],
        ((keys[1], "missing"),): [0.1],
    }


def test_values_of_a_slice_may_be_written_in_any_letters():
    extracts = {
        tfma.FEATURES_KEY: {"town": np.array([["Zürich".encode()], ["東京".encode()]], object)},
        tfma.LABELS_KEY: np.array([[1], [0]]),
        tfma.PREDICTIONS_KEY: {"probability": np.array([0.9, 0.2])},
    }
    slice_keys = [slices[tfma.SLICE_KEY_TYPES_KEY][0] for slices in evaluation.slice_batch(extracts, ["town"])]
    assert sorted(slice_keys) == [(), (("town", "Zürich"),), (("town", "東京"),)]


def test_bounds_are_those_of_the_gate():
    config = evaluation.eval_config(contracts.load("bank-full"), Gate(min_auc=0.6, max_auc_loss=0.02))
    bound = config.metrics_specs[0].per_slice_thresholds["auc"].thresholds[0]
    assert bound.threshold.value_threshold.lower_bound.value == 0.6
    assert bound.threshold.change_threshold.absolute.value == -0.02
    assert list(bound.slicing_specs) == [tfma.SlicingSpec()]
