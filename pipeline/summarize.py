"""Gathers the result of a run from its artifacts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import tensorflow_model_analysis as tfma
from ml_metadata.proto.metadata_store_pb2 import Artifact
from tensorflow_model_analysis.proto import validation_result_pb2

from analysis.figures import Metrics
from data.model_folder import PurchaseCard
from modules import artifacts
from modules.evaluation_result import slice_figures
from pipeline.components import benchmark, example_gen, pusher, scorer, serving_probe
from pipeline.settings import Settings
from runs import outputs as of_run
from runs.outputs import RunOutputs
from runs.summary import (
    Check,
    ComparedModel,
    Dataset,
    GateResult,
    LabelWords,
    PurchaseRunSettings,
    PurchaseSummary,
    PushedVersion,
    Split,
    Stage,
    TrainedModel,
)

CHECKS = {
    "accuracy_gain": "accuracy_gain",
    "auc": "auc",
    "binary_accuracy_diff": "accuracy_against_last_blessed",
    "auc_diff": "auc_against_last_blessed",
}
"""Names of the gate's checks by TFMA's figure; `_diff` is the difference to the last blessed model."""


def summarize(settings: Settings, outputs: RunOutputs, stages: Sequence[Stage], seconds: float) -> PurchaseSummary:
    """The summary of a run that reached its end.

    Args:
      settings: the run's.
      outputs: the run's artifacts.
      stages: what each component did.
      seconds: wall time of the whole run.
    """
    ingest = artifacts.read_json(outputs.uri(of_run.EXAMPLES), example_gen.SUMMARY)
    card = artifacts.model_card(outputs.uri(of_run.MODEL), PurchaseCard)
    metrics = artifacts.read_json(outputs.uri(of_run.SCORES), scorer.METRICS)
    splits = {
        name: Split(rows=split["rows"], label_rate=split["positives"] / split["rows"])
        for name, split in ingest["splits"].items()
    }
    return PurchaseSummary(
        run_id=settings.run_id,
        dataset=_dataset(settings, ingest),
        features=card.features,
        splits=splits,
        stages=tuple(Stage(stage.name, round(stage.seconds, 3), stage.cached) for stage in stages),
        seconds=round(seconds, 3),
        model=TrainedModel(card.hyperparameters, card.parameters, card.members, card.threshold),
        metrics={name: Metrics(**split) for name, split in metrics.items()},
        comparison=_comparison(outputs),
        gate=_gate(outputs),
        pushed=_pushed(outputs),
        settings=_settings(settings, outputs[of_run.EXAMPLES]),
        model_name=settings.spec.model.name,
    )


def _dataset(settings: Settings, ingest: Mapping) -> Dataset:
    label = settings.data.contract.required_label
    positives = sum(split["positives"] for split in ingest["splits"].values())
    return Dataset(
        contract=settings.data.contract.name,
        source=str(settings.data.path),
        read=ingest["read"],
        rows=ingest["kept"],
        quarantined=ingest["quarantined"],
        synthetic=settings.data.synthetic,
        label_rate=positives / ingest["kept"],
        split=settings.data.split,
        row_order=settings.data.contract.row_order,
        words=LabelWords(label.one, label.many),
    )


def _settings(settings: Settings, examples: Artifact) -> PurchaseRunSettings:
    return PurchaseRunSettings(
        with_duration=settings.spec.with_after_call,
        quarantine=settings.data.quarantine,
        trials=settings.spec.trials,
        members=settings.spec.members,
        seed=settings.spec.seed,
        benchmark=settings.spec.benchmark,
        cost=settings.cost,
        margin=settings.margin,
        data_sha256=examples.custom_properties["input_fingerprint"].string_value,
        commit=settings.commit,
    )


def _comparison(outputs: RunOutputs) -> tuple[ComparedModel, ...] | None:
    """The network and the baselines; None where the user left the baselines out."""
    if of_run.COMPARISON not in outputs:
        return None
    models = artifacts.read_json(outputs.uri(of_run.COMPARISON), benchmark.COMPARISON)["models"]
    return tuple(ComparedModel(**{**model, "metrics": Metrics(**model["metrics"])}) for model in models)


def _gate(outputs: RunOutputs) -> GateResult:
    """The Evaluator's verdict and the serving probe's, check by check."""
    evaluation = outputs.uri(of_run.EVALUATION)
    validation = tfma.load_validation_result(evaluation)
    checks = evaluator_checks(tfma.load_eval_result(evaluation).config, validation, slice_figures(evaluation)[()])
    served = _blessed(outputs[of_run.SERVING_BLESSING])
    reason = (outputs.uri(of_run.SERVING_BLESSING), serving_probe.NOT_BLESSED)
    checks.append(Check("served_as_evaluated", served, True, served))
    if of_run.PUSHED_MODEL in outputs and outputs[of_run.PUSHED_MODEL].custom_properties[pusher.REFUSED].string_value:
        checks.append(Check("same_inputs_as_serving", False, True, False))
    return GateResult(
        blessed=_blessed(outputs[of_run.BLESSING]) and served,
        checks=tuple(checks),
        probe="TF Serving's SavedModel loader in a fresh process" if served else artifacts.read_bytes(*reason).decode(),
    )


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


def _blessed(blessing: Artifact) -> bool:
    return blessing.custom_properties["blessed"].int_value == 1


def _pushed(outputs: RunOutputs) -> PushedVersion | None:
    if of_run.PUSHED_MODEL not in outputs:
        return None
    properties = outputs[of_run.PUSHED_MODEL].custom_properties
    if not properties["pushed"].int_value:
        return None
    return PushedVersion(
        version=properties["pushed_version"].string_value, path=properties["pushed_destination"].string_value
    )
