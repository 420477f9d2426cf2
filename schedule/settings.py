"""What a step of the schedule is asked to do, typed and frozen."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from data.contract import Contract
from data.object_store import Location

TRAINER = (sys.executable, "-m", "pipeline.run")


@dataclass(frozen=True)
class Settings:
    """One step.

    Attributes:
      artifacts: the folder that everything is written to.
      contract: of the calls.
      contract_file: the same as `--contract` takes it: a name or a file.
      model: the model's name.
      inbox: folder, here or in an object store, whose new files are taken in; None without one.
      desk: the campaign desk's folder, whose outcomes are taken in; None without one.
      server: address of the model server on which a challenger is tried; None loads it here instead.
      prometheus: address that knows of drift alarms; None without one.
      mlflow: tracking URI of MLflow; None without it.
      push_to: the folder of models in an object store that gets what serves here; None without one.
      asked: whether a person asked for a training.
      trainer: the command that trains, to which its options are added.
    """

    artifacts: Path
    contract: Contract
    contract_file: str
    model: str
    inbox: str | None = None
    desk: Path | None = None
    server: str | None = None
    prometheus: str | None = None
    mlflow: str | None = None
    push_to: Location | None = None
    asked: bool = False
    trainer: tuple[str, ...] = TRAINER


def schedule_folder(artifacts: Path) -> Path:
    """Where the schedule keeps what is its own."""
    return artifacts / "schedule"
