"""Reads what a report shows from a run's folder and from the artifacts that the run made."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from data.errors import NotReadyError, UserError

if TYPE_CHECKING:
    from ml_metadata.proto.metadata_store_pb2 import Artifact

    from analysis.drift import Drift
    from analysis.economics import Scores

SPLITS = ("train", "eval", "test")


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
    scores: Mapping[str, Scores]
    """By split."""
    previous: Mapping[str, Any] | None = None
    """Summary of the newest earlier run on the same kind of data that was blessed."""
    card: Mapping[str, Any] = field(default_factory=dict)
    """What the Trainer noted about the model."""
    history: Mapping[str, list[float]] | None = None
    trials: list[Mapping[str, Any]] | None = None
    importance: Mapping[str, Any] | None = None
    slices: list[Slice] = field(default_factory=list)
    drift: Mapping[str, Drift] = field(default_factory=dict)
    """Of eval and test against train."""
    anomalies: list[str] = field(default_factory=list)
    quarantine: Path | None = None
    """The rows set aside, each with its reason."""
    backtest: Mapping[str, Any] | None = None
    artifacts: list[Made] = field(default_factory=list)
    model_run: Path | None = None
    """Where the TensorBoard logs are."""


def gather(run_folder: Path) -> Material:
    """Everything a report needs.

    Args:
      run_folder: `artifacts/runs/<id>` of a run that has a summary.

    Raises:
      NotReadyError: there is no such run, it did not get to its summary, or its artifacts have been pruned.
    """
    summary = read_summary(run_folder)
    artifacts = run_folder.parents[1]
    metadata = artifacts / "metadata.sqlite"
    if not metadata.is_file():
        raise NotReadyError(f"run {summary['run_id']}: there is no {metadata}, which knows where its artifacts are")
    from modules import artifacts as artifact_files
    from modules.anomalies import describe
    from runs.outputs import connect, outputs

    made = outputs(connect(metadata), summary["run_id"])
    uris = {name: Path(artifact.uri) for name, artifact in made.items()}
    scores = uris["Scorer.scores"]
    if not (scores / "test.npz").is_file():
        raise NotReadyError(f"run {summary['run_id']}: its artifacts are gone from {scores}")
    model = made["Trainer.model"].uri
    quarantine = run_folder / "quarantine.csv"
    return Material(
        summary=summary,
        scores={split: _scores(scores / f"{split}.npz") for split in SPLITS},
        previous=last_blessed(run_folder, summary),
        card=dataclasses.asdict(artifact_files.model_card(model)),
        history=_optional(uris["Trainer.model_run"], "history.json"),
        trials=_optional(uris.get("Tuner.tuner_results"), "tuner_results.json"),
        importance=_optional(uris.get("Importance.importance"), "importance.json"),
        slices=_slices(str(uris["Evaluator.evaluation"])),
        drift=_drift(model, uris["ContractExampleGen.examples"]),
        anomalies=describe(uris["ExampleValidator.anomalies"]),
        quarantine=quarantine if quarantine.is_file() else None,
        backtest=_backtest(artifacts, summary),
        artifacts=_lineage(made, artifacts),
        model_run=uris["Trainer.model_run"],
    )


def read_summary(run_folder: Path) -> dict[str, Any]:
    """The run's `summary.json`; raises NotReadyError where there is none."""
    if not run_folder.is_dir():
        raise NotReadyError(f"there is no run {run_folder.name} in {run_folder.parent}")
    try:
        return json.loads((run_folder / "summary.json").read_text())
    except FileNotFoundError:
        raise NotReadyError(f"run {run_folder.name} has no summary.json: it did not come to its end") from None
    except ValueError as error:
        raise NotReadyError(f"{run_folder / 'summary.json'}: not JSON: {error}") from error


def last_blessed(run_folder: Path, summary: Mapping[str, Any]) -> dict[str, Any] | None:
    """Summary of the newest run before this one that was blessed and whose figures mean the same."""
    for folder in sorted(run_folder.parent.glob("[0-9]*"), reverse=True):
        if folder.name >= summary["run_id"] or not (folder / "summary.json").is_file():
            continue
        try:
            other = read_summary(folder)
        except UserError:
            continue
        alike = all(other["dataset"][key] == summary["dataset"][key] for key in ("contract", "synthetic", "split"))
        if alike and set(other["features"]) == set(summary["features"]) and other["gate"]["blessed"]:
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


def _backtest(artifacts: Path, summary: Mapping[str, Any]) -> Any:
    """The walk through the run's data, if there is one; that of another file of the same contract is none."""
    found = _optional(artifacts / "backtests" / _backtest_name(summary), "backtest.json")
    return found if found and found["source"] == summary["dataset"]["source"] else None


def _backtest_name(summary: Mapping[str, Any]) -> str:
    data = summary["dataset"]
    with_duration = summary.get("settings", {}).get("with_duration", "duration" in summary["features"])
    return "-".join(filter(None, (data["contract"], "synthetic" * data["synthetic"], "with-duration" * with_duration)))


def _slices(evaluation: str) -> list[Slice]:
    """The groups of the test split, by column and value."""
    import tensorflow_model_analysis as tfma

    from modules.purchase.evaluation import band_labels

    candidate = next(spec for spec in tfma.load_eval_result(evaluation).config.model_specs if not spec.is_baseline)
    result = tfma.load_eval_result(evaluation, model_name=candidate.name)
    found = []
    for key, metrics in result.slicing_metrics:
        if key:
            ((column, value),) = key
            # What cannot be computed is the text NaN.
            figures = {name: float(figure["doubleValue"]) for name, figure in metrics[""][""].items()}
            # The key of a banded number carries its edges, see modules.purchase.evaluation.slice_key.
            name, _, edges = column.partition(" ")
            bands = band_labels(json.loads(edges)) if edges else [value]
            found.append(((name, bands.index(value), value), Slice(name, str(value), figures)))
    return [group for _, group in sorted(found, key=lambda entry: entry[0])]


def _drift(model: str, examples: Path) -> dict[str, Drift]:
    """The raw rows of eval and test against the reference profile of train, bin by bin."""
    import tensorflow as tf

    from analysis.drift import measure
    from analysis.profile import NumberBins, Profile
    from data.model_folder import EXTRAS, PROFILE
    from modules.artifacts import read_bytes, saved_model
    from modules.examples import serialized

    profile = Profile.from_json(read_bytes(saved_model(model), EXTRAS, PROFILE))
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


def _lineage(made: Mapping[str, Artifact], artifacts: Path) -> list[Made]:
    def short(uri: str) -> str:
        return str(Path(uri).relative_to(artifacts)) if Path(uri).is_relative_to(artifacts) else uri

    return [Made(name, artifact.id, short(artifact.uri)) for name, artifact in made.items()]
