"""The usual models beside the network: scikit-learn pipelines on the same raw columns.

A number enters as it is, missing where it is NaN or the contract's marker; a category as its place among the
contract's values, -1 where it is none of them.

    logistic_regression     numbers standardised, the median and an indicator where missing; categories one-hot
    knn                     the same features
    hist_gradient_boosting  as they enter: it splits on missing numbers and on sets of categories by itself

Settings are scikit-learn's defaults, as in most comparisons, except the number of neighbours.
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
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from data.contract import MISSING_NUMBER, Contract

LOGISTIC_REGRESSION, KNN, HIST_GRADIENT_BOOSTING = "logistic_regression", "knn", "hist_gradient_boosting"
MODELS: Mapping[str, str] = {
    LOGISTIC_REGRESSION: "Logistic regression",
    KNN: "Nearest neighbours",
    HIST_GRADIENT_BOOSTING: "Gradient boosting",
}
"""What each model is called."""

NEIGHBOURS = 100
"""Shares of 100 rows are probabilities in steps of a percent; of scikit-learn's 5, in steps of 20, which ranks and
calibrates worse on every data set here."""
REFERENCE_ROWS = 32_768
"""Training rows the nearest neighbours are looked for in, drawn at random where there are more: scoring a row takes
time in proportion to them. All of bank-full's fit."""
MOST_CATEGORIES = 255
"""A column with more values than the histograms of gradient boosting have bins is split as a number."""


@dataclass(frozen=True)
class Baseline:
    """A fitted model."""

    model: ClassifierMixin
    contract: Contract
    features: tuple[str, ...]

    def score(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """Probabilities of label 1, float64 [rows], of raw columns as for :func:`fit`; unknown categories are fine."""
        with threadpool_limits(1):
            probabilities = self.model.predict_proba(_matrix(columns, self.contract, self.features))
        return probabilities @ self.model.classes_.astype(np.float64)


def fit(
    key: str, columns: Mapping[str, np.ndarray], contract: Contract, features: Sequence[str], seed: int
) -> Baseline:
    """Trains one model; where a label has fewer than two rows, it learns the share of the labels and no more.

    It works on one thread: OpenMP's threads wait for each other busily, which on a machine that does other work as
    well makes gradient boosting ten times slower instead of faster.

    Args:
      key: one of MODELS.
      columns: raw features and the label by name, [rows] each: float32 numbers, texts as bytes objects, int64 labels.
      contract: what the columns mean.
      features: the columns to learn from.
      seed: of the rows that gradient boosting stops early by, and of those that nearest neighbours keep.
    """
    labels = columns[contract.required_label.name]
    rows = _matrix(columns, contract, features)
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
        last = KNeighborsClassifier(min(NEIGHBOURS, rows), algorithm="brute")
    else:
        last = LogisticRegression(max_iter=1000)
    return make_pipeline(_encoder(sizes, len(features)), last)


def _encoder(sizes: Mapping[int, int], columns: int) -> ColumnTransformer:
    """Standardised numbers and one-hot categories, given how many values each category has by its place."""
    impute = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
    one_hot = OneHotEncoder(
        categories=[np.arange(count) for count in sizes.values()],
        handle_unknown="ignore",
        sparse_output=False,
        dtype=np.float32,
    )
    numbers = [i for i in range(columns) if i not in sizes]
    return make_column_transformer((make_pipeline(impute, StandardScaler()), numbers), (one_hot, [*sizes]))


def _matrix(columns: Mapping[str, np.ndarray], contract: Contract, features: Sequence[str]) -> np.ndarray:
    """float32 [rows, features]: numbers, NaN where missing, and categories by their place in the contract, or -1."""
    return np.column_stack([_column(columns[name], contract, name) for name in features])


def _column(values: np.ndarray, contract: Contract, name: str) -> np.ndarray:
    if name in contract.numeric:
        marker = contract.numeric[name].missing
        values = np.asarray(values, np.float32)
        return values if marker is None else np.where(values == np.float32(marker), np.float32(MISSING_NUMBER), values)
    domain = pa.array([value.encode() for value in contract.categorical[name].domain], pa.binary())
    places = pa.compute.index_in(pa.array(values, pa.binary()), domain)
    return places.fill_null(-1).to_numpy().astype(np.float32)
