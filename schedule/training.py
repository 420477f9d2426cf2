"""The training of a challenger: a pipeline run in a process of its own, and how to find it again after a crash."""

from __future__ import annotations

from collections.abc import Callable, Container
from datetime import datetime, timezone
from pathlib import Path

from data.errors import NotReadyError
from data.paths import ROOT
from runs.folder import run_folders
from runs.lock import exclusive
from runs.summary import RunSummary, read
from schedule import tethered
from schedule.settings import Settings


def run(settings: Settings, folder: Path, say: Callable[[str], None]) -> int:
    """Trains, judges and pushes as `python -m pipeline.run` does; returns its exit code.

    Args:
      settings: of the step.
      folder: of the spans.
      say: gets each line that it prints.
    """
    options = ["--data", str(folder), "--contract", settings.contract_file, "--artifacts", str(settings.artifacts)]
    options += ["--model-name", settings.model, "--no-tune", "--no-benchmark"]
    if settings.mlflow:
        options += ["--mlflow", settings.mlflow]
    return tethered.run([*settings.trainer, *options], ROOT, say)


def wait(artifacts: Path, say: Callable[[str], None]) -> None:
    """Waits for a run that holds the pipeline's lock, which the system takes from a process that ended."""
    with exclusive(artifacts, lambda pid: say(f"waiting for a run that was begun before (process {pid})")):
        pass


def ended(settings: Settings, folder: Path, since: datetime, known: Container[str | None]) -> RunSummary | None:
    """The newest run on the spans that began at a time or later and came to its end; None where there is none.

    Args:
      settings: of the step.
      folder: of the spans.
      since: when the training was decided.
      known: ids of the runs of earlier trainings.
    """
    first = since.astimezone(timezone.utc).strftime("%Y%m%d-%H%M%S")
    for one in run_folders(settings.artifacts, settings.model):
        if one.name < first or one.name in known:
            return None
        try:
            summary = read(one)
        except NotReadyError:
            continue
        if summary.dataset.source == str(folder):
            return summary
    return None
