"""The folders of runs: where they are and what the files in them are called.

artifacts/runs/<model>/<run id>/     one run
artifacts/runs/<model>/latest        a link to the newest complete run
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from data.errors import NotReadyError, did_you_mean
from data.model_spec import PURCHASE_MODEL
from data.paths import ARTIFACTS, runs_folder

SUMMARY = "summary.json"
LOG = "pipeline.log"
REPORT = "report.html"
FIRST_SCREEN = "report.md"
QUARANTINE = "quarantine.csv"
LATEST = "latest"
METADATA = "metadata.sqlite"
"""In the artifacts folder: ML Metadata of all runs."""
_RUN_ID = re.compile(r"\d{8}-\d{6}(-\d+)?")


def run_folders(artifacts: Path, model: str) -> list[Path]:
    """The folders of a model's runs, newest first, whether or not a run came to its end."""
    folders = {path.name: path for path in runs_folder(artifacts, model).glob("*")}
    if model == PURCHASE_MODEL.name:
        # Runs were kept here before there was a folder for each model.
        folders |= {path.name: path for path in (artifacts / "runs").glob("*") if _RUN_ID.fullmatch(path.name)}
    return [path for _, path in sorted(folders.items(), reverse=True) if path.is_dir() and not path.is_symlink()]


def run_folder(artifacts: Path, model: str, run: str) -> Path:
    """The folder of one run.

    Args:
      artifacts: the folder that runs write to.
      model: the model's name.
      run: the run's id, or `latest`.

    Raises:
      NotReadyError: there is no such run.
    """
    folders = {path.name: path for path in run_folders(artifacts, model)}
    latest = runs_folder(artifacts, model) / LATEST
    if latest.is_dir():
        folders[LATEST] = latest.resolve()
    if run not in folders:
        where = runs_folder(artifacts, model)
        raise NotReadyError(f"there is no run {run!r} in {where}{did_you_mean(run, folders)}")
    return folders[run]


def artifacts_folder(run_folder: Path) -> Path:
    """The artifacts folder that a run's folder lies in."""
    return next(folder.parent for folder in run_folder.parents if folder.name == "runs")


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of every command that reads runs: `--artifacts` and `--model`."""
    parser.add_argument(
        "--artifacts", type=Path, default=ARTIFACTS, metavar="FOLDER", help="where runs are (default: artifacts/)"
    )
    parser.add_argument(
        "--model", default=PURCHASE_MODEL.name, metavar="NAME", help="whose runs (default: %(default)s)"
    )
