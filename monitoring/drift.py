"""How far customers have moved from those the model learned from: `python -m monitoring.drift customers.csv`.

Counts of recent customers are compared, bin by bin, with the reference profile that is stored with the model. The
exporter imports this module and has little memory, so that it does without scipy and Arrow.
"""

from __future__ import annotations

import argparse
import csv
import sys
from itertools import islice
from pathlib import Path

import numpy as np

from analysis.drift import SHARES, Drift, measure
from analysis.profile import Counts, NumberBins, Profile
from data.errors import BadFileError, UserError
from monitoring import pushed

SCORE = "probability"
"""The column of a customer list, if there is one, that holds the model's score."""
BATCH_ROWS = 2000


def read(file: Path, profile: Profile) -> Counts:
    """Counts the customers of a CSV file, in constant memory.

    Args:
      file: UTF-8 with a header; cells separated by `,`, `;`, tab or `|`. It needs the columns that the profile has, in
        any order, and may have `probability` if the customers have been scored. Other columns are ignored.
      profile: of the model that the customers are for.

    Raises:
      BadFileError: the file cannot be read, lacks a column or rows, or a cell that should be a number is none.
    """
    counts = profile.counts()
    try:
        with open(file, encoding="utf-8-sig", newline="") as stream:
            header = stream.readline()
            delimiter = max(",;\t|", key=header.count)
            names = next(csv.reader([header], delimiter=delimiter), [])
            lacking = [name for name in profile.features if name not in names]
            if lacking:
                raise BadFileError(f"{file}:1: the model takes columns that are not there: {', '.join(lacking)}")
            rows = csv.reader(stream, delimiter=delimiter)
            while batch := list(islice(rows, BATCH_ROWS)):
                where = f"{file}:{rows.line_num + 2 - len(batch)}"
                columns = _columns(batch, names, profile, where)
                counts.add(columns, columns.get(SCORE))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadFileError(f"{file}: cannot be read: {error}") from error
    if not counts.rows:
        raise BadFileError(f"{file}: the file has no rows")
    return counts


def _columns(batch: list[list[str]], names: list[str], profile: Profile, where: str) -> dict[str, np.ndarray]:
    """The wanted columns of some rows; `where` is the place of the first one, right if no cell has a line break."""
    try:
        texts = dict(zip(names, zip(*batch, strict=True), strict=True))
    except ValueError as error:
        raise BadFileError(f"{where}: expected {len(names)} cells in this row and the following ones") from error
    columns = {}
    for name in [*profile.features, *([SCORE] if SCORE in texts else [])]:
        if name == SCORE or isinstance(profile.features[name], NumberBins):
            try:
                columns[name] = np.array([text.strip() or "nan" for text in texts[name]], np.float32)
            except ValueError as error:
                raise BadFileError(f"{where}: column {name!r}, here or below: {error}, expected a number") from error
        else:
            columns[name] = np.array(texts[name], object)
    return columns


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m monitoring.drift", description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, help="CSV file of customers")
    parser.add_argument("--model", type=Path, help="version folder; default: the newest that was pushed")
    arguments = parser.parse_args()
    version = arguments.model or pushed.newest()
    try:
        profile = pushed.profile(version) if version else None
        if profile is None:
            raise BadFileError(f"{version or pushed.MODELS}: no model with a reference profile; run the pipeline first")
        found = measure(profile, read(arguments.file, profile))
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    _show(found, arguments.file, version)
    return 0


def _show(found: Drift, file: Path, version: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table(title=f"{file.name}: {found.rows:,} customers against the training split of version {version.name}")
    for heading in ("feature", "PSI", "line", "L-inf", "missing", "unseen", "out of range", ""):
        table.add_column(heading, justify="left" if heading in ("feature", "") else "right", no_wrap=True)
    shifts = sorted(found.features.items(), key=lambda item: -item[1].psi)
    for name, shift in [*shifts, *([("(score)", found.score)] if found.score else [])]:
        shares = [f"{shift.shares[kind]:.1%}" if kind in shift.shares else "" for kind in SHARES]
        verdict = {None: "too few rows", True: "[red]moved", False: ""}[shift.alarm]
        table.add_row(name, f"{shift.psi:.3f}", f"{shift.line:.3f}", f"{shift.l_infinity:.3f}", *shares, verdict)
    console.print(table)
    if found.score:
        console.print(f"Mean score {found.mean_score:.4f}, in training {found.reference_mean_score:.4f}")


if __name__ == "__main__":
    sys.exit(main())
