"""Gathers the result of a run that trained a purchase model from its artifacts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.proto import validation_result_pb2

from analysis.figures import Metrics
from analysis.trial_result import ChampionTrial
from data.model_folder import PurchaseCard
from modules import artifacts
from modules.evaluation_result import slice_figures
from pipeline.components import benchmark, scorer
from pipeline.settings import PurchaseSettings, Settings
from pipeline.summarize import shared
from runs import outputs as of_run
from runs.outputs import RunOutputs
from runs.summary import Check, ComparedModel, PurchaseRunSettings, PurchaseSummary, Stage, TrainedModel

CHECKS = {
    "accuracy_gain": "accuracy_gain",
    "auc": "auc",
    "binary_accuracy_diff": "accuracy_against_last_blessed",
    "auc_diff": "auc_against_last_blessed",
}
"""Names of the gate's checks by TFMA's figure; `_diff` is the difference to the last blessed model."""


def summarize(
    settings: Settings[PurchaseSettings], outputs: RunOutputs, stages: Sequence[Stage], seconds: float
) -> PurchaseSummary:
    """The summary of a run that reached its end.

    Args:
      settings: the run's.
      outputs: the run's artifacts.
      stages: what each component did.
      seconds: wall time of the whole run.
    """
    card = artifacts.model_card(outputs.uri(of_run.MODEL), PurchaseCard)
    metrics = artifacts.read_json(outputs.uri(of_run.SCORES), scorer.METRICS)
    evaluation = outputs.uri(of_run.EVALUATION)
    validation = tfma.load_validation_result(evaluation)
    checks = evaluator_checks(tfma.load_eval_result(evaluation).config, validation, slice_figures(evaluation)[()])
    trial, blessings = None, [of_run.BLESSING]
    if of_run.TRIAL in outputs:
        trial = ChampionTrial.from_dict(artifacts.read_json(outputs.uri(of_run.TRIAL), artifacts.TRIAL))
        blessings.append(of_run.TRIAL_BLESSING)
        checks += trial_checks(trial)
    spec = settings.spec
    return PurchaseSummary(
        **shared.common(settings, outputs, stages, seconds),
        model=TrainedModel(card.hyperparameters, card.parameters, card.members, card.threshold),
        metrics={name: Metrics(**split) for name, split in metrics.items()},
        comparison=_comparison(outputs),
        trial=trial,
        gate=shared.gate(outputs, blessings, checks),
        settings=PurchaseRunSettings(
            **shared.common_settings(settings, outputs),
            with_duration=spec.with_after_call,
            with_calendar=spec.with_calendar,
            trials=spec.trials,
            members=spec.members,
            benchmark=spec.benchmark,
            cost=spec.cost,
            margin=spec.margin,
        ),
    )


def _comparison(outputs: RunOutputs) -> tuple[ComparedModel, ...] | None:
    """The network and the baselines; None where the user left the baselines out."""
    if of_run.COMPARISON not in outputs:
        return None
    models = artifacts.read_json(outputs.uri(of_run.COMPARISON), benchmark.COMPARISON)["models"]
    return tuple(ComparedModel(**{**model, "metrics": Metrics(**model["metrics"])}) for model in models)


def trial_checks(result: ChampionTrial) -> list[Check]:
    """The checks of the trial against the champion, none where there was no trial.

    The value is the upper end of the interval of the gain: below 0 the model is worse beyond chance.
    """
    trial = result.trial
    if trial is None:
        return []
    rows = f"{trial.rows} calls of {trial.period}"
    checks = [
        Check("newest_months_log_loss_gain_upper", trial.log_loss_gain.high, 0.0, not trial.predicts_worse, rows),
    ]
    if trial.auc_gain:
        checks.insert(0, Check("newest_months_auc_gain_upper", trial.auc_gain.high, 0.0, not trial.ranks_worse, rows))
    return checks


def evaluator_checks(
    config: tfma.EvalConfig, validation: validation_result_pb2.ValidationResult, figures: Mapping[str, float]
) -> list[Check]:
    """The Evaluator's checks; they are passed if and only if TFMA validated the model.

    Args:
      config: holds the bounds.
      validation: names the bounds that TFMA found broken.
      figures: of all rows, by name, for the values of the bounds that were kept.
    """
    broken = dict(_failures(validation))
    checks = []
    for figure, bound in sorted(_bounds(config).items(), key=lambda item: _place(item[0])):
        value = figures.get(figure, math.nan)
        passed = broken.pop(figure, None) is None
        checks.append(Check(CHECKS.get(figure, figure), None if math.isnan(value) else value, bound, passed))
    checks += [Check(name, value, bound, False) for name, (value, bound) in broken.items()]
    if not validation.validation_ok and all(check.passed for check in checks):
        checks.append(Check("validated_by_tfma", False, True, False))
    return checks


def _bounds(config: tfma.EvalConfig) -> dict[str, float]:
    """The bounds on all rows, by figure."""
    bounds = {}
    for specs in config.metrics_specs:
        for name, thresholds in specs.per_slice_thresholds.items():
            for threshold in (entry.threshold for entry in thresholds.thresholds):
                if threshold.HasField("value_threshold"):
                    bounds[name] = threshold.value_threshold.lower_bound.value
                if threshold.HasField("change_threshold"):
                    bounds[f"{name}_diff"] = threshold.change_threshold.absolute.value
    return bounds


def _failures(
    validation: validation_result_pb2.ValidationResult,
) -> Iterator[tuple[str, tuple[float | bool | None, float | bool]]]:
    """Value and bound of whatever TFMA refused the model for, by figure."""
    for validated in validation.metric_validations_per_slice:
        where = "".join(f"[{key.column}={key.bytes_value.decode()}]" for key in validated.slice_key.single_slice_keys)
        for failure in validated.failures:
            key, threshold = failure.metric_key, failure.metric_threshold
            value = failure.metric_value.double_value.value
            bound = threshold.change_threshold.absolute if key.is_diff else threshold.value_threshold.lower_bound
            name = f"{key.name}{'_diff' if key.is_diff else ''}{where}"
            yield name, (None if math.isnan(value) else value, bound.value)
    if validation.missing_slices or validation.missing_cross_slices:
        yield "slices_with_rows", (False, True)


def _place(figure: str) -> int:
    return [*CHECKS].index(figure) if figure in CHECKS else len(CHECKS)
