"""How far rows have moved from those that a model learned from.

Counts of recent rows are compared, bin by bin, with the reference profile that is stored with the model. Needs numpy
only, so that the exporter stays small.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from analysis.bins import Bins, CategoryBins
from analysis.profile import Counts, Profile

RULE_OF_THUMB = 0.1
"""PSI above this is commonly called a shift; 0.25 a large one."""
MIN_ROWS = 200
"""With fewer rows the PSI of pure noise is no longer chi-squared, so no verdict is given."""
CONFIDENCE = 0.99
"""Of an alarm, for each feature: chance alone causes one in 100."""
PSEUDO_COUNT = 0.5
"""Added to every bin on both sides, so that an empty one does not make the PSI infinite."""
SHARES = ("missing", "unseen", "out_of_range")
"""Shares of rows that `Shift.shares` may have."""


@dataclass(frozen=True)
class Shift:
    """How one feature, or the score, of recent rows differs from the training split.

    Attributes:
      psi: population stability index, sum over bins of (q - p) ln(q / p).
      line: PSI above which an alarm is raised, for this many rows.
      l_infinity: largest difference between the shares of a bin.
      shares: shares of recent rows that are `missing`, `unseen` (categories) or `out_of_range` (numbers).
      alarm: whether the PSI is above its line; None where there are too few rows to say.
    """

    psi: float
    line: float
    l_infinity: float
    shares: dict[str, float]
    alarm: bool | None


@dataclass(frozen=True)
class TextShare:
    """How frequent one text of the watched output is, such as the name of a segment.

    Attributes:
      text: the value.
      training, recent: its shares of the rows.
    """

    text: str
    training: float
    recent: float


@dataclass(frozen=True)
class Drift:
    """How recent rows differ from the training split.

    Attributes:
      rows: number of recent rows.
      features: by name.
      score: None where the rows have no scores.
      mean_score: None where the rows have no scores and where scores are texts.
      reference_mean_score: of the training split; None where scores are texts.
      texts: in the order of the bins; empty where the rows have no scores and where scores are numbers.
    """

    rows: int
    features: dict[str, Shift]
    score: Shift | None
    mean_score: float | None
    reference_mean_score: float | None
    texts: tuple[TextShare, ...] = ()


def measure(profile: Profile, recent: Counts) -> Drift:
    """Compares recent rows with the model's training split."""
    reference = profile.reference
    features = {
        name: _shift(bins, reference.feature(name), recent.feature(name)) for name, bins in profile.features.items()
    }
    score: Shift | None = None
    texts: tuple[TextShare, ...] = ()
    if recent.score.any():
        score = _shift(profile.score, reference.score, recent.score)
        texts = _text_shares(profile.score, reference.score, recent.score)
    return Drift(recent.rows, features, score, recent.mean_score, reference.mean_score, texts)


def alarm_line(rows: int, reference_rows: int, bins: int) -> float:
    """PSI above which a shift is large and not due to chance.

    Without drift, PSI / (1/n + 1/m) follows a chi-squared distribution with bins - 1 degrees of freedom (Yurdakul and
    Naranjo 2020, Journal of Risk Model Validation 14). The usual fixed line of 0.1 is therefore wrong for short lists:
    with 10 bins it fires on 40 % of the lists of 100 rows.

    Args:
      rows: number n of recent rows, above 0.
      reference_rows: number m of rows in the training split, above 0.
      bins: number of bins with rows of the training split.

    Returns:
      The larger one of RULE_OF_THUMB and the quantile of the chi-squared distribution at CONFIDENCE.
    """
    noise = (1 / rows + 1 / reference_rows) * chi_squared_quantile(CONFIDENCE, bins - 1)
    return max(RULE_OF_THUMB, noise)


def chi_squared_quantile(probability: float, degrees: int) -> float:
    """Quantile of the chi-squared distribution by the approximation of Wilson and Hilferty (1931).

    Args:
      probability: from 0.95 up; the error is below 1 % there.
      degrees: of freedom; the quantile for 0 degrees is 0.
    """
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


def _text_shares(bins: Bins, reference: np.ndarray, recent: np.ndarray) -> tuple[TextShare, ...]:
    if not isinstance(bins, CategoryBins):
        return ()
    shares = zip(_shares(reference).tolist(), _shares(recent).tolist(), strict=True)
    return tuple(TextShare(text, then, now) for text, (then, now) in zip(bins.values, shares, strict=False))


def _shares(counts: np.ndarray, pseudo_count: float = 0.0) -> np.ndarray:
    counts = counts + pseudo_count
    return counts / max(counts.sum(), 1)
