"""The baselines: scikit-learn pipelines on the same raw columns as the network.

A number is used as it is, and is missing where it is NaN or the contract's marker. A category becomes its index among
the contract's values, -1 where it is not one of them.

    logistic_regression     standardised numbers, with the median and an indicator where missing; one-hot categories
    knn                     the same features
    hist_gradient_boosting  the columns themselves, since it splits on missing numbers and on sets of categories

The settings are scikit-learn's defaults, as in most comparisons, except for the number of neighbours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute
from sklearn.base import ClassifierMixin
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from data.contract import MISSING_NUMBER, Contract

LOGISTIC_REGRESSION, KNN, HIST_GRADIENT_BOOSTING = "logistic_regression", "knn", "hist_gradient_boosting"
MODELS: Mapping[str, str] = {
    LOGISTIC_REGRESSION: "Logistic regression",
    KNN: "Nearest neighbours",
    HIST_GRADIENT_BOOSTING: "Gradient boosting",
}
"""The display name of each baseline."""

NEIGHBOURS = 100
"""With 100 neighbours probabilities come in steps of one percent. With scikit-learn's 5 they come in steps of 20, which
ranks and calibrates worse on every data set here."""
REFERENCE_ROWS = 32_768
"""Most training rows that nearest neighbours keep, drawn at random where there are more: the time to score a row is
proportional to them. All training rows of bank-full fit."""
MOST_CATEGORIES = 255
"""Number of bins of gradient boosting's histograms; a column with more values is split as a number."""


@dataclass(frozen=True)
class Baseline:
    """A fitted baseline."""

    model: ClassifierMixin
    contract: Contract
    features: tuple[str, ...]

    def score(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """Probabilities of label 1, float64 [rows], of raw columns as for :func:`fit`; categories may be unknown."""
        with threadpool_limits(1):
            probabilities = self.model.predict_proba(matrix(columns, self.contract, self.features))
        return probabilities @ self.model.classes_.astype(np.float64)


def fit(
    key: str, columns: Mapping[str, np.ndarray], contract: Contract, features: Sequence[str], seed: int
) -> Baseline:
    """Trains one baseline. Where a label has fewer than two rows, it learns only the shares of the labels.

    It uses one thread. OpenMP's threads wait for each other in busy loops, so on a machine with other work to do
    several threads make gradient boosting ten times slower.

    Args:
      key: one of MODELS.
      columns: raw features and the label by name, [rows] each: float32 numbers, texts as bytes objects, int64 labels.
      contract: what the columns mean.
      features: the columns to learn from.
      seed: of gradient boosting's early-stopping rows, and of the rows that nearest neighbours keep.
    """
    labels = columns[contract.required_label.name]
    rows = matrix(columns, contract, features)
    if key == KNN and len(labels) > REFERENCE_ROWS:
        kept = np.random.default_rng(seed).choice(len(labels), REFERENCE_ROWS, replace=False)
        rows, labels = rows[kept], labels[kept]
    enough = np.bincount(labels, minlength=2).min() >= 2
    model = _model(key, contract, features, len(labels), seed) if enough else DummyClassifier()
    with threadpool_limits(1):
        return Baseline(model.fit(rows, labels), contract, tuple(features))


def _model(key: str, contract: Contract, features: Sequence[str], rows: int, seed: int) -> ClassifierMixin:
    domains = {i: contract.categorical[name].domain for i, name in enumerate(features) if name in contract.categorical}
    sizes = {i: len(domain) for i, domain in domains.items()}
    if key == HIST_GRADIENT_BOOSTING:
        categories = [i for i, size in sizes.items() if size <= MOST_CATEGORIES]
        return HistGradientBoostingClassifier(categorical_features=categories, random_state=seed)
    if key == KNN:
        classifier = KNeighborsClassifier(min(NEIGHBOURS, rows), algorithm="brute")
        return make_pipeline(_encoder(sizes, len(features)), classifier)
    return logistic(contract, features)


def logistic(contract: Contract, features: Sequence[str], inverse_penalty: float = 1.0) -> Pipeline:
    """Logistic regression, not fitted, on the rows that :func:`matrix` makes; `inverse_penalty` is scikit-learn's C."""
    sizes = {
        i: len(contract.categorical[name].domain) for i, name in enumerate(features) if name in contract.categorical
    }
    return make_pipeline(_encoder(sizes, len(features)), LogisticRegression(C=inverse_penalty, max_iter=1000))


def _encoder(sizes: Mapping[int, int], columns: int) -> ColumnTransformer:
    """Standardised numbers and one-hot categories; `sizes` is the number of values of each categorical column."""
    impute = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
    one_hot = OneHotEncoder(
        categories=[np.arange(count) for count in sizes.values()],
        handle_unknown="ignore",
        sparse_output=False,
        dtype=np.float32,
    )
    numbers = [i for i in range(columns) if i not in sizes]
    return make_column_transformer((make_pipeline(impute, StandardScaler()), numbers), (one_hot, [*sizes]))


def matrix(columns: Mapping[str, np.ndarray], contract: Contract, features: Sequence[str]) -> np.ndarray:
    """float32 [rows, features]: numbers with NaN where missing, categories as their index in the contract, or -1."""
    return np.column_stack([_column(columns[name], contract, name) for name in features])


def _column(values: np.ndarray, contract: Contract, name: str) -> np.ndarray:
    if name in contract.numeric:
        marker = contract.numeric[name].missing
        values = np.asarray(values, np.float32)
        return values if marker is None else np.where(values == np.float32(marker), np.float32(MISSING_NUMBER), values)
    domain = pa.array([value.encode() for value in contract.categorical[name].domain], pa.binary())
    indices = pa.compute.index_in(pa.array(values, pa.binary()), domain)
    return indices.fill_null(-1).to_numpy().astype(np.float32)
