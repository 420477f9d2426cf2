"""The gate's checks are those that TFMA made, whatever it refused a model for."""

from __future__ import annotations

import math

import pytest
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.evaluators.metrics_validator import validate_metrics
from tensorflow_model_analysis.proto import validation_result_pb2
from tensorflow_model_analysis.utils import config_util

from analysis.figures import Interval
from analysis.trial_result import ChampionTrial
from data import contract as contracts
from modules.purchase.evaluation import eval_config
from modules.purchase.gate import Gate
from pipeline.summarize.purchase import evaluator_checks, trial_checks
from runs.summary import Check
from tests.support.summaries import trial

GOOD = {"accuracy_gain": 0.01, "auc": 0.8, "binary_accuracy": 0.9, "auc_diff": 0.002, "binary_accuracy_diff": -0.001}


def config(has_baseline: bool) -> tfma.EvalConfig:
    config = eval_config(contracts.load("bank-full"), Gate(0.003, 0.7, 0.004, 0.01))
    return config_util.update_eval_config_with_defaults(config, has_baseline=has_baseline, rubber_stamp=True)


def validated(has_baseline: bool = True, **figures: float):
    """Checks of a model with these figures, as TFMA's validator judges them."""
    figures = {**GOOD, **figures}
    settings = config(has_baseline)
    key = {"example_weighted": None, "model_name": "candidate" if has_baseline else ""}
    metrics = {
        tfma.metrics.MetricKey(name=name.removesuffix("_diff"), is_diff=name.endswith("_diff"), **key): value
        for name, value in figures.items()
        if has_baseline or not name.endswith("_diff")
    }
    result = validate_metrics(((), metrics), settings)
    return evaluator_checks(settings, result, figures), result.validation_ok


def test_every_bound_of_a_good_model_has_its_value():
    checks, blessed = validated()
    assert blessed
    assert checks == [
        Check("accuracy_gain", 0.01, 0.003, True),
        Check("auc", 0.8, 0.7, True),
        Check("accuracy_against_last_blessed", -0.001, -0.004, True),
        Check("auc_against_last_blessed", 0.002, -0.01, True),
    ]


def test_a_first_model_has_no_bounds_against_another():
    checks, blessed = validated(has_baseline=False)
    assert blessed
    assert [check.metric for check in checks] == ["accuracy_gain", "auc"]


@pytest.mark.parametrize(
    ("figure", "value", "metric"),
    [
        ("accuracy_gain", 0.001, "accuracy_gain"),
        ("auc", 0.69, "auc"),
        ("auc", math.nan, "auc"),
        ("binary_accuracy_diff", -0.005, "accuracy_against_last_blessed"),
        ("auc_diff", -0.011, "auc_against_last_blessed"),
    ],
)
def test_the_bound_that_tfma_found_broken_is_named(figure, value, metric):
    checks, blessed = validated(**{figure: value})
    assert not blessed
    (failed,) = [check for check in checks if not check.passed]
    assert failed.metric == metric
    assert failed.value == (None if math.isnan(value) else value)


def test_a_refusal_for_any_other_reason_is_named_too():
    refused = validation_result_pb2.ValidationResult(validation_ok=False)
    group = refused.metric_validations_per_slice.add()
    group.slice_key.single_slice_keys.add(column="job", bytes_value=b"student")
    failure = group.failures.add()
    failure.metric_key.name = "calibration"
    failure.metric_value.double_value.value = 1.4
    failure.metric_threshold.value_threshold.lower_bound.value = 2.0
    *_, last = evaluator_checks(config(True), refused, GOOD)
    assert last == Check("calibration[job=student]", 1.4, 2.0, False)

    refused = validation_result_pb2.ValidationResult(validation_ok=False)
    refused.missing_slices.add(feature_keys=["job"])
    assert [c.metric for c in evaluator_checks(config(True), refused, GOOD) if not c.passed] == ["slices_with_rows"]

    refused = validation_result_pb2.ValidationResult(validation_ok=False, missing_thresholds=True)
    assert [c.metric for c in evaluator_checks(config(True), refused, GOOD) if not c.passed] == ["validated_by_tfma"]


def test_a_trial_is_checked_on_the_upper_ends_of_both_gains():
    rows = "295 calls of 2010-10 to 2010-11"
    assert trial_checks(trial()) == [
        Check("newest_months_auc_gain_upper", 0.04, 0.0, True, rows),
        Check("newest_months_log_loss_gain_upper", 0.02, 0.0, True, rows),
    ]
    worse = trial_checks(trial(trial__auc_gain=Interval(-0.2, -0.1), trial__log_loss_gain=Interval(-0.3, -0.01)))
    assert [(check.value, check.passed) for check in worse] == [(-0.1, False), (-0.01, False)]
    assert str(worse[0]) == "newest_months_auc_gain_upper on 295 calls of 2010-10 to 2010-11"


def test_a_trial_of_too_few_calls_for_a_ranking_is_checked_on_the_log_loss_alone():
    few = trial(trial__auc_gain=None, trial__champion_auc=None, trial__challenger_auc=None)
    assert [check.metric for check in trial_checks(few)] == ["newest_months_log_loss_gain_upper"]


def test_without_a_champion_there_is_nothing_to_check():
    assert trial_checks(ChampionTrial(None, None, "there is none yet")) == []
