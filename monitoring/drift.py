"""How far customers have moved from those the model learned from: `python -m monitoring.drift customers.csv`.

Counts of recent customers are compared, bin by bin, with the reference profile that is stored with the model. The
exporter imports this module and has little memory, so that it does without scipy and Arrow.
"""

from __future__ import annotations

import argparse
import csv
import sys
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import NormalDist

import numpy as np

from analysis.profile import Bins, Counts, NumberBins, Profile
from data.errors import BadFileError, UserError
from monitoring import pushed

RULE_OF_THUMB = 0.1
"""PSI above this is commonly called a shift; 0.25 a large one."""
MIN_ROWS = 200
"""With fewer rows the PSI of pure noise is no longer chi-squared, so no verdict is given."""
CONFIDENCE = 0.99
"""How sure an alarm is that it is not chance, per feature."""
PSEUDO_COUNT = 0.5
"""Added to every bin on both sides, so that an empty one does not make the PSI infinite."""

SCORE = "probability"
"""The column of a customer list, if there is one, that holds the model's score."""
SHARES = ("missing", "unseen", "out_of_range")
BATCH_ROWS = 2000


@dataclass(frozen=True)
class Shift:
    """One feature, or the score, now against then.

    Attributes:
      psi: population stability index, sum over bins of (q - p) ln(q / p).
      line: alarm line of the PSI for this many rows.
      l_infinity: largest difference of a bin's share.
      shares: shares of recent rows that are `missing`, `unseen` (categories) or `out_of_range` (numbers).
      alarm: whether the PSI is above its line; None where there are too few rows to say.
    """

    psi: float
    line: float
    l_infinity: float
    shares: dict[str, float]
    alarm: bool | None


@dataclass(frozen=True)
class Drift:
    """All features and, where rows carry scores, the score."""

    rows: int
    features: dict[str, Shift]
    score: Shift | None
    mean_score: float
    """NaN where rows carry no scores."""
    reference_mean_score: float


def measure(profile: Profile, recent: Counts) -> Drift:
    """Compares recent customers with the model's training split."""
    reference = profile.reference
    features = {
        name: _shift(bins, reference.feature(name), recent.feature(name)) for name, bins in profile.features.items()
    }
    score = _shift(profile.score, reference.score, recent.score) if recent.score.any() else None
    return Drift(recent.rows, features, score, recent.mean_score, reference.mean_score)


def alarm_line(rows: int, reference_rows: int, bins: int) -> float:
    """PSI above which a shift is neither small nor chance.

    Without any drift PSI / (1/n + 1/m) follows a chi-squared distribution with bins - 1 degrees of freedom
    (Yurdakul and Naranjo 2020, Journal of Risk Model Validation 14), so that the fixed line of 0.1 fires on 40 % of
    100-row lists with 10 bins.

    Args:
      rows: of the recent customers, above 0.
      reference_rows: of the training split, above 0.
      bins: that the training split fills.
    """
    noise = (1 / rows + 1 / reference_rows) * chi_squared_quantile(CONFIDENCE, bins - 1)
    return max(RULE_OF_THUMB, noise)


def chi_squared_quantile(probability: float, degrees: int) -> float:
    """Within 1 % of `scipy.stats.chi2.ppf` from 0.95 up; 0 for 0 degrees (Wilson and Hilferty 1931)."""
    if degrees < 1:
        return 0.0
    variance = 2 / (9 * degrees)
    return degrees * (1 - variance + NormalDist().inv_cdf(probability) * variance**0.5) ** 3


def _shift(bins: Bins, reference: np.ndarray, recent: np.ndarray) -> Shift:
    then, now = bins.comparable(reference), bins.comparable(recent)
    rows, filled = int(now.sum()), int((then > 0).sum())
    line = alarm_line(max(rows, 1), max(int(then.sum()), 1), filled)
    p, q = _shares(then, PSEUDO_COUNT), _shares(now, PSEUDO_COUNT)
    psi = float(((q - p) * np.log(q / p)).sum())
    l_infinity = float(np.abs(_shares(now) - _shares(then)).max())
    return Shift(psi, line, l_infinity, bins.shares(recent), psi > line if rows >= MIN_ROWS else None)


def _shares(counts: np.ndarray, pseudo_count: float = 0.0) -> np.ndarray:
    counts = counts + pseudo_count
    return counts / max(counts.sum(), 1)


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
