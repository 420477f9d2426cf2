"""Whether the labels of a month can be ranked at all: what `schedule.policy.doubt` judges.

Both figures are an AUC minus 0.5 in standard errors of a random ranking (Mann and Whitney 1947, without ties).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from threadpoolctl import threadpool_limits

from analysis.over_time import ranking, ranks
from analysis.trial import ENOUGH
from data.contract import Contract
from modules.purchase import baselines

FOLDS = 5
INVERSE_PENALTY = 0.1
"""scikit-learn's C of the logistic regression: a month may have few rows."""


@dataclass(frozen=True)
class Evidence:
    """How far two rankings of a month's customers lie above chance, in standard errors.

    Attributes:
      champion: of the model of before; None without one, or where the month has too few rows of a label.
      inside: of a logistic regression by cross-validation inside the month; None where it has too few.
    """

    champion: float | None
    inside: float | None


def evidence(columns: Mapping[str, np.ndarray], champion_scores: np.ndarray | None, contract: Contract) -> Evidence:
    """Measures both rankings. A month with fewer than `analysis.trial.ENOUGH` rows of a label has no evidence.

    Args:
      columns: the labelled rows of one month, as `data.columns.read` gives them.
      champion_scores: of the model that served before the month's labels were known, [rows]; None where there is none.
      contract: what the columns mean.
    """
    labels = columns[contract.required_label.name]
    if np.bincount(labels, minlength=2).min() < ENOUGH:
        return Evidence(None, None)
    features = contract.features()
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    with threadpool_limits(1):
        scores = cross_val_predict(
            baselines.logistic(contract, features, INVERSE_PENALTY),
            baselines.matrix(columns, contract, features),
            labels,
            cv=folds,
            method="predict_proba",
        )[:, 1]
    champion = None if champion_scores is None else above_chance(labels, champion_scores)
    return Evidence(champion, above_chance(labels, scores))


def above_chance(labels: np.ndarray, scores: np.ndarray) -> float:
    """AUC minus 0.5, in standard errors of a random ranking; both labels must be there."""
    area, _ = ranking(labels, ranks(scores), np.ones(len(labels)))
    positives, negatives = int(labels.sum()), int((1 - labels).sum())
    return (area - 0.5) / math.sqrt((positives + negatives + 1) / (12 * positives * negatives))
