"""What the labels of a new month say: about themselves, and about the version that serves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from analysis.poisson_binomial import interval
from analysis.trial import ENOUGH, compare
from data import columns as tables
from data.contract import CALL_DAY, Contract
from data.model_folder import ModelFolder
from data.spans import Span
from schedule.policy import Month, doubt


@dataclass(frozen=True)
class NewMonth:
    """The labelled calls of a month that no model has learned from.

    Attributes:
      span: the month.
      labels: 0 or 1, [rows].
      champion: probabilities by the version that serves, [rows]; None where there is none.
      predecessor: likewise by the champion before it.
      days: of the calls, since 1970-01-01, [rows]; None where rows have no dates.
      doubt: why the labels are not to be believed, in words; None where they are.
    """

    span: Span
    labels: np.ndarray
    champion: np.ndarray | None
    predecessor: np.ndarray | None
    days: np.ndarray | None
    doubt: str | None

    @property
    def rate_outside(self) -> bool:
        """Whether the number of positive rows lies outside the interval that the champion's probabilities allow."""
        if self.champion is None:
            return False
        low, high = interval(self.champion.astype(np.float64))
        return not low <= self.labels.sum() <= high

    def faults(self) -> tuple[str, ...]:
        """In what the champion is worse than its predecessor beyond chance, in words."""
        few = min(self.labels.sum(), (1 - self.labels).sum()) < ENOUGH
        if self.champion is None or self.predecessor is None or self.days is None or few:
            return ()
        return compare(self.labels, self.predecessor, self.champion, self.days).faults


def finished(spans: Sequence[Span], today: datetime) -> list[Span]:
    """The spans whose month is over; those without dates are whole."""
    return [span for span in spans if "-" not in span.month or span.month < f"{today:%Y-%m}"]


def month_of(span: Span) -> Month:
    return Month(span.month, span.version)


def look_at(
    spans: Sequence[Span], contract: Contract, champion: ModelFolder | None, predecessor: ModelFolder | None
) -> list[NewMonth]:
    """Scores new months and judges their labels. TensorFlow is imported here, which takes seconds.

    Args:
      spans: the new months.
      contract: of the calls.
      champion: the version that serves.
      predecessor: the champion before it.
    """
    from modules.purchase.month_evidence import evidence

    now, before = _scorer(champion, contract), _scorer(predecessor, contract)
    found = []
    for span in spans:
        columns = tables.read(span.file, contract)
        scores = now(columns) if now else None
        seen = evidence(columns, scores, contract)
        found.append(
            NewMonth(
                span=span,
                labels=columns[contract.required_label.name],
                champion=scores,
                predecessor=before(columns) if before else None,
                days=columns.get(CALL_DAY),
                doubt=doubt(span.month, seen.champion, seen.inside),
            )
        )
    return found


def _scorer(folder: ModelFolder | None, contract: Contract) -> Callable[[Mapping[str, np.ndarray]], np.ndarray] | None:
    """The model as a function of raw columns; None without one, or where the calls lack an input of it."""
    if folder is None:
        return None
    from modules.purchase.predictor import scorer

    features = folder.card().features
    if not {*features} <= {*contract.features(with_after_call=True)}:
        return None
    return scorer(str(folder.path), features)
