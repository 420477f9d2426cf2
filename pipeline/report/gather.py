"""Reads what a report shows from a run's folder and from the artifacts that the run made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from data.contract import BadInputError
from monitoring.drift import Drift, measure

SPLITS = ("train", "eval", "test")
Scores = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Slice:
    """One group of test customers, with the Evaluator's figures by name."""

    column: str
    value: str
    figures: Mapping[str, float]


@dataclass(frozen=True)
class Made:
    """An artifact, for the lineage."""

    name: str
    number: int
    path: str


@dataclass(frozen=True)
class Material:
    """All that the page shows; what a run did not make is None or empty."""

    summary: Mapping[str, Any]
    previous: Mapping[str, Any] | None
    """Summary of the newest earlier run on the same kind of data that was blessed."""
    scores: Mapping[str, Scores]
    """Labels and probabilities, float64 [rows], by split."""
    history: Mapping[str, list[float]]
    best_epoch: int
    trials: list[Mapping[str, Any]]
    importance: Mapping[str, Any] | None
    slices: list[Slice]
    drift: Mapping[str, Drift]
    """Of eval and test against train."""
    anomalies: list[str]
    backtest: Mapping[str, Any] | None
    artifacts: list[Made]
    tensorboard: Path


def gather(run_folder: Path) -> Material:
    """Everything a report needs.

    Args:
      run_folder: `artifacts/runs/<id>` of a run that has a summary.

    Raises:
      BadInputError: there is no such run, it did not get to its summary, or its artifacts have been pruned.
    """
    summary = _summary(run_folder)
    artifacts = run_folder.parents[1]
    from pipeline.lineage import connect, outputs

    made = outputs(connect(artifacts / "metadata.sqlite"), summary["run_id"])
    uris = {name: Path(artifact.uri) for name, artifact in made.items()}
    if not (uris["Scorer.scores"] / "test.npz").is_file():
        raise BadInputError(f"run {summary['run_id']}: its artifacts are gone; a pruned run keeps the report it had")
    from modules.signatures import read_card, serving_folder
    from pipeline.components.anomaly_check import describe

    model = serving_folder(str(uris["Trainer.model"]))
    trials = _optional(uris.get("Tuner.tuner_results"), "tuner_results.json")
    return Material(
        summary=summary,
        previous=_last_blessed(run_folder, summary),
        scores={split: _scores(uris["Scorer.scores"] / f"{split}.npz") for split in SPLITS},
        history=json.loads((uris["Trainer.model_run"] / "history.json").read_text()),
        best_epoch=read_card(model)["best_epoch"],
        trials=trials or [],
        importance=_optional(uris.get("Importance.importance"), "importance.json"),
        slices=_slices(str(uris["Evaluator.evaluation"])),
        drift=_drift(model, uris["ContractExampleGen.examples"]),
        anomalies=describe(uris["ExampleValidator.anomalies"]),
        backtest=_optional(artifacts / "backtests" / _backtest_name(summary), "backtest.json"),
        artifacts=[
            Made(name, artifact.id, str(Path(artifact.uri).relative_to(artifacts))) for name, artifact in made.items()
        ],
        tensorboard=uris["Trainer.model_run"],
    )


def _summary(run_folder: Path) -> Mapping[str, Any]:
    if not run_folder.is_dir():
        raise BadInputError(f"no run {run_folder.name} in {run_folder.parent}")
    try:
        return json.loads((run_folder / "summary.json").read_text())
    except FileNotFoundError:
        raise BadInputError(f"run {run_folder.name} has no summary.json: it did not come to its end") from None
    except ValueError as error:
        raise BadInputError(f"{run_folder / 'summary.json'}: not JSON: {error}") from error


def _last_blessed(run_folder: Path, summary: Mapping[str, Any]) -> Mapping[str, Any] | None:
    for folder in sorted(run_folder.parent.glob("[0-9]*"), reverse=True):
        if folder.name >= run_folder.name:
            continue
        try:
            other = _summary(folder)
        except BadInputError:
            continue
        alike = all(other["dataset"][key] == summary["dataset"][key] for key in ("contract", "synthetic", "split"))
        if alike and other["features"] == summary["features"] and other["gate"]["blessed"]:
            return other
    return None


def _scores(file: Path) -> Scores:
    with np.load(file) as columns:
        return columns["label"].astype(np.float64), columns["probability"].astype(np.float64)


def _optional(folder: Path | None, name: str) -> Any:
    """The content of a JSON file that a run need not have made."""
    if folder is None or not (folder / name).is_file():
        return None
    return json.loads((folder / name).read_text())


def _backtest_name(summary: Mapping[str, Any]) -> str:
    data = summary["dataset"]
    parts = (data["contract"], "synthetic" * data["synthetic"], "with-duration" * summary["settings"]["with_duration"])
    return "-".join(filter(None, parts))


def _slices(evaluation: str) -> list[Slice]:
    """The groups of the test split, in the Evaluator's order of columns and by value."""
    import tensorflow_model_analysis as tfma

    candidate = next(spec for spec in tfma.load_eval_result(evaluation).config.model_specs if not spec.is_baseline)
    result = tfma.load_eval_result(evaluation, model_name=candidate.name)
    found = []
    for key, metrics in result.slicing_metrics:
        if key:
            ((column, value),) = key
            figures = {name: figure["doubleValue"] for name, figure in metrics[""][""].items()}
            found.append(Slice(column.split(" [")[0], str(value), figures))
    # The lowest band of a number is called "below ...", which the alphabet puts last.
    return sorted(found, key=lambda group: (group.column, not group.value.startswith("below "), group.value))


def _drift(model: Path, examples: Path) -> dict[str, Drift]:
    """The raw rows of eval and test against the reference profile of train, bin by bin."""
    import tensorflow as tf

    from data.profile import NumberBins, Profile
    from modules.examples import serialized
    from modules.signatures import PROFILE, extras

    profile = Profile.from_json((extras(str(model)) / PROFILE).read_bytes())
    spec = {
        name: tf.io.FixedLenFeature([], *((tf.float32, np.nan) if isinstance(bins, NumberBins) else (tf.string, "")))
        for name, bins in profile.features.items()
    }
    found = {}
    for split in SPLITS[1:]:
        counts = profile.counts()
        for batch in serialized([str(examples / f"Split-{split}" / "*")]):
            columns = tf.io.parse_example(batch, spec)
            counts.add({name: column.numpy() for name, column in columns.items()})
        found[split] = measure(profile, counts)
    return found
