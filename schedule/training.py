"""The training of a challenger: a pipeline run in a process of its own, and how to find it again after a crash."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Container, Sequence
from datetime import datetime, timezone
from pathlib import Path

from data import spans
from data.errors import NotReadyError
from data.paths import ROOT
from data.span_folder import span_folder, version_folder
from runs.folder import run_folders
from runs.lock import exclusive
from runs.summary import RunSummary, read
from schedule import tethered
from schedule.policy import Month
from schedule.settings import Settings, schedule_folder


def calls_folder(settings: Settings) -> Path:
    """The folder that a training reads: the spans to learn from, as links."""
    return schedule_folder(settings.artifacts) / "calls" / settings.contract.name


def gather(settings: Settings, chosen: Sequence[Month]) -> None:
    """Makes the folder that a training reads anew, so that it reads what was decided, whatever comes meanwhile.

    Months that were set aside are there too, as such: their calls count in the size of lists.

    Args:
      settings: of the step.
      chosen: the months to learn from.
    """
    folder, calls = spans.folder(settings.artifacts, settings.contract.name), calls_folder(settings)
    shutil.rmtree(calls, ignore_errors=True)
    for month in chosen:
        link = version_folder(calls, month.name, month.version)
        link.parent.mkdir(parents=True)
        link.symlink_to(version_folder(folder, month.name, month.version))
    for span in spans.spans(folder):
        if spans.reason_set_aside(span) is not None:
            span_folder(calls, span.month).symlink_to(span.folder.parent)


def run(settings: Settings, say: Callable[[str], None]) -> int:
    """Trains on the calls, judges and pushes as `python -m pipeline.run` does; returns its exit code.

    Args:
      settings: of the step.
      say: gets each line that it prints.
    """
    data = calls_folder(settings)
    options = ["--data", str(data), "--contract", settings.contract_file, "--artifacts", str(settings.artifacts)]
    options += ["--model-name", settings.model, "--no-tune", "--no-benchmark"]
    if settings.mlflow:
        options += ["--mlflow", settings.mlflow]
    return tethered.run([*settings.trainer, *options], ROOT, say)


def wait(artifacts: Path, say: Callable[[str], None]) -> None:
    """Waits for a run that holds the pipeline's lock, which the system takes from a process that ended."""
    with exclusive(artifacts, lambda pid: say(f"waiting for a run that was begun before (process {pid})")):
        pass


def ended(settings: Settings, since: datetime, known: Container[str | None]) -> RunSummary | None:
    """The newest run of the schedule that began at a time or later and came to its end; None where there is none.

    Args:
      settings: of the step.
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
        if summary.dataset.source == str(calls_folder(settings)):
            return summary
    return None
