"""Makes the best blessed model the champion: `python -m runs.promote --by accuracy,f1`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from data.command import DONE, guarded
from data.errors import BadOptionError, NotReadyError, did_you_mean
from data.model_folder import ModelFolder
from data.paths import runs_folder, serving_folder
from runs import decisions, summary, tracking, versions
from runs.compare import newest
from runs.decisions import Decision
from runs.folder import METADATA, add_options
from runs.tracking import Figures

LESS_IS_BETTER = frozenset({"log_loss", "brier", "ece"})
_TEST_ROWS = ("dataset.contract", "dataset.rows", "dataset.split", "settings.data_sha256", "settings.quarantine")
"""Parameters that runs with the same test rows share."""


@dataclass(frozen=True)
class Choice:
    """The best of some runs.

    Attributes:
      run: the best.
      of: how many there were.
      figures: those that it was chosen by, in words.
      same_rows: whether all runs are known to have the same test rows.
    """

    run: Figures
    of: int
    figures: str
    same_rows: bool


def best(runs: Sequence[Figures], by: Sequence[str]) -> Choice:
    """The best run by its metrics on the test split; each further metric decides between equals, then the run's age.

    Args:
      runs: to choose from.
      by: names of metrics, such as `accuracy`; with a slash as MLflow has them, such as `sample/stability`.

    Raises:
      BadOptionError: no run has such a metric.
    """
    names = [name if "/" in name else f"test/{name}" for name in by]
    known = {name for run in runs for name in run.metrics}
    for name, asked in zip(names, by, strict=True):
        if name not in known:
            choices = sorted(one.removeprefix("test/") for one in known if one.startswith("test/"))
            hint = did_you_mean(asked, choices)
            raise BadOptionError(f"--by: got {asked!r}{hint}, expected metrics such as {', '.join(choices)}")
    measured = [run for run in runs if set(names) <= run.metrics.keys()]
    if not measured:
        raise BadOptionError(f"--by: no run has all of {', '.join(by)}")

    def worth(run: Figures) -> tuple[float, ...]:
        return tuple(run.metrics[n] * (-1 if n.partition("/")[2] in LESS_IS_BETTER else 1) for n in names)

    run = max(measured, key=lambda run: (worth(run), run.tags["run_id"]))
    rows = {tuple(run.parameters.get(name) for name in _TEST_ROWS) for run in measured}
    figures = ", ".join(f"{asked} {run.metrics[name]:.4f}" for asked, name in zip(by, names, strict=True))
    return Choice(run, len(measured), figures, len(rows) == 1)


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m runs.promote",
        description="Makes a model the champion: the version that answers requests with the label `stable` and those "
        "without a label. --by chooses the best blessed run by its metrics on the test split, among the runs with the "
        "contract and the columns of the present champion. A model that was pruned or withdrawn comes back under a new "
        "number. The decision and its reasons are written to the ledger.",
        epilog="example: python -m runs.promote --by accuracy,f1",
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument(
        "--by",
        metavar="METRICS",
        help="names of metrics, comma-separated, such as accuracy,f1 or auc,log_loss: the first one decides, each "
        "further one between equals",
    )
    which.add_argument("--version", type=int, metavar="N", help="this version, also one that was pruned or withdrawn")
    parser.add_argument("--mlflow", metavar="URI", help="choose among the runs that this MLflow server or folder knows")
    add_options(parser)
    options = parser.parse_args(arguments)
    if options.mlflow and options.version:
        parser.error("--mlflow goes with --by")
    return guarded(lambda: _promote(options))


def _promote(options: argparse.Namespace) -> int:
    artifacts, model = options.artifacts.resolve(), options.model
    uri = tracking.check(options.mlflow) if options.mlflow else None
    if options.by:
        names = [name.strip() for name in options.by.split(",") if name.strip()]
        choice = best(_comparable(artifacts, model, _candidates(artifacts, model, uri)), names)
        run: Figures | None = choice.run
        reason = f"best of {choice.of} blessed runs by {choice.figures}"
        sys.stdout.write(f"run {choice.run.tags['run_id']} is the {reason}\n")
        if not choice.same_rows:
            sys.stdout.write("the runs may have different test rows, so their figures may not be comparable\n")
        version = int(choice.run.tags["version"])
    else:
        version, reason = options.version, "asked for by command"
        found = summary.of_version(runs_folder(artifacts, model), str(version))
        run = Figures.of(found) if found else None
    number = _serve(artifacts, model, version, run, uri)
    _note(
        artifacts, model, Decision(_now(), "promote", (reason,), run.tags["run_id"] if run else None, version, number)
    )
    again = "" if number == version else f"; it is version {version} under a number above all others"
    sys.stdout.write(f"version {number} of {model} is the champion{again}\n")
    return DONE


def _serve(artifacts: Path, model: str, version: int, run: Figures | None, uri: str | None) -> int:
    """Makes a version the champion, wherever its model is; returns the number under which it serves."""
    base = serving_folder(artifacts, model)
    if any((folder / str(version)).is_dir() for folder in (base, base / versions.WITHDRAWN)):
        return versions.promote(artifacts, model, version)
    pushed = _pushed_copy(artifacts, run)
    if pushed is not None:
        return versions.restore(artifacts, model, pushed)
    if uri and run:
        with tempfile.TemporaryDirectory() as folder:
            return versions.restore(artifacts, model, tracking.download_model(uri, run, Path(folder)))
    raise NotReadyError(f"version {version} of {model} is neither in {base} nor among the artifacts of a run")


def _pushed_copy(artifacts: Path, run: Figures | None) -> Path | None:
    """The copy of its model that a run left, or None if there is none any more."""
    database = artifacts / METADATA
    if run is None or not database.is_file():
        return None
    from runs import outputs

    try:
        folder = Path(outputs.outputs(outputs.connect(database), run.tags["run_id"]).uri(outputs.PUSHED_MODEL))
    except (NotReadyError, KeyError):
        return None
    return folder if folder.is_dir() else None


def _note(artifacts: Path, model: str, decision: Decision) -> None:
    """Adds a decision, unless the ledger knows this champion already."""
    ledger = decisions.ledger(artifacts, model)
    champions = [one.champion for one in decisions.read(ledger) if one.champion is not None]
    if champions[-1:] != [decision.champion]:
        decisions.append(ledger, decision)


def _now() -> datetime:
    return datetime.now(timezone.utc)


def _candidates(artifacts: Path, model: str, uri: str | None) -> list[Figures]:
    """The runs whose model was blessed and pushed.

    Raises:
      NotReadyError: there are none.
    """
    if uri:
        found = tracking.blessed(uri, model)
    else:
        runs = [run.summary for run in newest(artifacts, model)]
        found = [Figures.of(run) for run in runs if run and run.gate.blessed and run.pushed]
    if not found:
        raise NotReadyError(f"{uri or runs_folder(artifacts, model)}: no run of {model} was blessed and pushed")
    return found


def _comparable(artifacts: Path, model: str, runs: Sequence[Figures]) -> list[Figures]:
    """The runs with contract, kind of data and columns of the champion, or of the newest run where there is none."""
    number = versions.champion(artifacts, model)
    try:
        card = ModelFolder(serving_folder(artifacts, model) / str(number)).card()
        wanted = (card.contract, card.synthetic, {*card.features})
    except (OSError, ValueError):
        wanted = _kind(max(runs, key=lambda run: run.tags["run_id"]))
    alike = [run for run in runs if _kind(run) == wanted]
    if not alike:
        raise NotReadyError(
            f"none of the {len(runs)} blessed runs of {model} has the contract and the columns of the champion, "
            f"version {number}; --version promotes one all the same"
        )
    return alike


def _kind(run: Figures) -> tuple[str, bool, set[str]]:
    return run.tags["contract"], run.tags["synthetic"] == "true", {*run.parameters["features"].split(", ")}


if __name__ == "__main__":
    sys.exit(main())
