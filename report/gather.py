"""What the report of every model shows of a run, read from the run's folder and from its artifacts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from data.errors import NotReadyError
from runs.folder import METADATA, QUARANTINE, artifacts_folder
from runs.summary import RunSummary, read

if TYPE_CHECKING:
    from analysis.drift import Drift
    from runs.outputs import Output, RunOutputs

Kind = TypeVar("Kind", bound=RunSummary)


@dataclass(frozen=True)
class ArtifactRecord:
    """An artifact in ML Metadata: the output it is, its id and its folder."""

    output: str
    number: int
    folder: str


@dataclass(frozen=True)
class Records:
    """What a run recorded, whatever model it trained; what a run did not produce is None or empty.

    Attributes:
      drift: of the other splits against train.
      anomalies: one line each.
      quarantine: the file with the quarantined rows.
      artifacts: of the run.
    """

    drift: Mapping[str, Drift] = field(default_factory=dict)
    anomalies: list[str] = field(default_factory=list)
    quarantine: Path | None = None
    artifacts: list[ArtifactRecord] = field(default_factory=list)


def find_outputs(run_folder: Path, run_id: str) -> RunOutputs:
    """The artifacts of a run, by ML Metadata.

    Raises:
      NotReadyError: there is no metadata, or it does not know the run.
    """
    metadata = artifacts_folder(run_folder) / METADATA
    if not metadata.is_file():
        raise NotReadyError(f"run {run_id}: there is no {metadata}, which says where its artifacts are")
    from runs.outputs import connect, outputs

    return outputs(connect(metadata), run_id)


def check_files(run_id: str, folder: str, *names: str) -> None:
    """Raises NotReadyError where an artifact lacks files that a report cannot do without."""
    from modules.artifacts import exists

    if not all(exists(folder, name) for name in names):
        raise NotReadyError(f"run {run_id}: its artifacts are gone from {folder}")


def records(run_folder: Path, summary: RunSummary, outputs: RunOutputs) -> Records:
    """Drift, anomalies, quarantined rows and artifacts of a run."""
    from modules.anomalies import describe
    from runs.outputs import ANOMALIES, EXAMPLES, MODEL

    quarantine = run_folder / QUARANTINE
    others = [split for split in summary.splits if split != "train"]
    return Records(
        drift=_drift(outputs.uri(MODEL), outputs.uri(EXAMPLES), others),
        anomalies=describe(outputs.uri(ANOMALIES)),
        quarantine=quarantine if quarantine.is_file() else None,
        artifacts=_artifacts(outputs, artifacts_folder(run_folder)),
    )


def last_blessed_run(run_folder: Path, summary: Kind, outputs: RunOutputs) -> Kind | None:
    """Summary of the newest earlier run with the last blessed model, which the run's model was compared with."""
    for run in reversed(outputs.last_blessed):
        if run < summary.run_id:
            try:
                found = read(run_folder.parent / run)
            except NotReadyError:
                continue
            if isinstance(found, type(summary)):
                return found
    return None


def optional(outputs: RunOutputs, output: Output, file: str) -> Any:
    """The content of a JSON file in an artifact that not every run has; None where there is none."""
    from modules.artifacts import exists, read_json

    if output not in outputs or not exists(outputs.uri(output), file):
        return None
    return read_json(outputs.uri(output), file)


def _drift(model: str, examples: str, splits: list[str]) -> dict[str, Drift]:
    """The raw rows of some splits against the reference profile of train, bin by bin."""
    import tensorflow as tf

    from analysis.drift import measure
    from analysis.profile import NumberBins, Profile
    from data.model_folder import EXTRAS, PROFILE
    from modules.artifacts import join, read_bytes, saved_model
    from modules.examples import serialized

    profile = Profile.from_json(read_bytes(saved_model(model), EXTRAS, PROFILE))
    spec = {
        name: tf.io.FixedLenFeature([], *((tf.float32, np.nan) if isinstance(bins, NumberBins) else (tf.string, "")))
        for name, bins in profile.features.items()
    }
    drift = {}
    for split in splits:
        counts = profile.counts()
        for batch in serialized([join(examples, f"Split-{split}", "*")]):
            columns = tf.io.parse_example(batch, spec)
            counts.add({name: column.numpy() for name, column in columns.items()})
        drift[split] = measure(profile, counts)
    return drift


def _artifacts(outputs: RunOutputs, artifacts: Path) -> list[ArtifactRecord]:
    def short(uri: str) -> str:
        return str(Path(uri).relative_to(artifacts)) if Path(uri).is_relative_to(artifacts) else uri

    return [
        ArtifactRecord(str(output), artifact.id, short(artifact.uri)) for output, artifact in outputs.artifacts.items()
    ]
