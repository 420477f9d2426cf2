"""How good clusters are: silhouettes, agreement between two clusterings, the gap statistic, the elbow."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from kneed import KneeLocator
from sklearn.metrics import adjusted_rand_score


@dataclass(frozen=True)
class Silhouette:
    """Silhouettes of a clustering, from -1 to 1.

    Attributes:
      micro: mean over rows.
      macro: mean over clusters of the mean over their rows; small clusters count as much as large ones.
      error: standard error of `macro`, which comes from sampling rows. It takes the mean distances to the clusters as
        known; with only dozens of rows of a cluster the deviation over samples is up to twice as large.
      clusters: mean of each cluster, float64 [k]; NaN where a cluster has no row.
    """

    micro: float
    macro: float
    error: float
    clusters: np.ndarray


def silhouette(
    distances: np.ndarray, labels: np.ndarray, clusters: int, shares: np.ndarray | None = None
) -> Silhouette:
    """Silhouettes of a sample of rows, averaged as by Pavlopoulos et al. (arXiv:2401.05831).

    Args:
      distances: between all rows of the sample, float32 [n, n], 0 on the diagonal.
      labels: cluster of each row, int [n].
      clusters: number k of clusters.
      shares: of each cluster among the rows that the sample stands for, float [k]; those of the sample by default.

    Returns:
      The averages. All are 0 where fewer than two clusters have rows.
    """
    values = silhouettes(distances, labels, clusters)
    sizes = np.bincount(labels, minlength=clusters)
    filled = sizes > 0
    with np.errstate(invalid="ignore"):
        means = np.bincount(labels, values, clusters) / sizes
        variances = np.bincount(labels, (values - means[labels]) ** 2, clusters) / np.maximum(sizes - 1, 1)
    shares = sizes / len(labels) if shares is None else shares
    return Silhouette(
        micro=float(np.average(means[filled], weights=shares[filled])),
        macro=float(means[filled].mean()),
        error=float(np.sqrt((variances[filled] / sizes[filled]).sum()) / filled.sum()),
        clusters=means,
    )


def silhouettes(distances: np.ndarray, labels: np.ndarray, clusters: int) -> np.ndarray:
    """The silhouette of each row (Rousseeuw 1987), as `sklearn.metrics.silhouette_samples`, by one matrix product.

    Args:
      distances: between all rows, float32 [n, n], 0 on the diagonal.
      labels: cluster of each row, int [n].
      clusters: number of clusters; clusters without a row are ignored.

    Returns:
      Float64 [n]: (b - a) / max(a, b) with the mean distance a to the other rows of the own cluster and the mean
      distance b to the rows of the nearest other cluster. 0 for the only row of a cluster, and for all rows where
      fewer than two clusters have rows.
    """
    rows = np.arange(len(labels))
    sizes = np.bincount(labels, minlength=clusters)
    if (sizes > 0).sum() < 2:
        return np.zeros(len(labels))
    members = np.zeros((len(labels), clusters), np.float32)
    members[rows, labels] = 1
    sums = (distances @ members).astype(np.float64)
    own = sums[rows, labels] / np.maximum(sizes[labels] - 1, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        others = np.where(sizes > 0, sums / sizes, np.inf)
        others[rows, labels] = np.inf
        nearest = others.min(axis=1)
        values = (nearest - own) / np.maximum(nearest, own)
    values[sizes[labels] == 1] = 0
    return np.nan_to_num(values)


def stratified(labels: np.ndarray, clusters: int, each: int, generator: np.random.Generator) -> np.ndarray:
    """Draws the same number of rows from each cluster, so that small clusters are measured as well as large ones.

    Args:
      labels: cluster of each row, int [n].
      clusters: number of clusters.
      each: rows of each cluster; all of them where it has fewer.
      generator: draws the rows.

    Returns:
      Rows, int64, in rising order.
    """
    members = (np.flatnonzero(labels == cluster) for cluster in range(clusters))
    return np.sort(np.concatenate([generator.permutation(rows)[:each] for rows in members]))


def agreement(labelings: Sequence[np.ndarray]) -> np.ndarray:
    """The adjusted Rand index of each pair of clusterings.

    Args:
      labelings: m clusterings of the same rows, int [n] each.

    Returns:
      Float64 [m, m], with 1 on the diagonal.
    """
    matrix = np.eye(len(labelings))
    for (i, first), (j, second) in combinations(enumerate(labelings), 2):
        matrix[i, j] = matrix[j, i] = adjusted_rand_score(first, second)
    return matrix


def mean_agreement(matrix: np.ndarray) -> float:
    """The mean over different pairs of a matrix from :func:`agreement`; 1 for a single clustering."""
    above = matrix[np.triu_indices(len(matrix), 1)]
    return float(above.mean()) if len(above) else 1.0


def gap(loss: float, null_losses: Sequence[float]) -> tuple[float, float]:
    """The gap statistic (Tibshirani, Walther, Hastie 2001): how much lower the loss is than on the null reference.

    Args:
      loss: of the rows.
      null_losses: of replicas of the null reference with as many rows and clusters.

    Returns:
      The gap, mean(log null_losses) - log loss, and its standard error. Both NaN where a loss is 0.
    """
    if min(loss, *null_losses) <= 0:
        return float("nan"), float("nan")
    logs = np.log(null_losses)
    return float(logs.mean() - np.log(loss)), float(logs.std() * np.sqrt(1 + 1 / len(logs)))


def knee(clusters: Sequence[int], losses: Sequence[float]) -> int | None:
    """The elbow of a falling curve of losses, by the Kneedle algorithm (Satopaa et al. 2011).

    Args:
      clusters: numbers of clusters, rising.
      losses: for each of them.

    Returns:
      The number of clusters at the elbow, or None where the curve has none or fewer than three points.
    """
    if len(clusters) < 3 or max(losses) <= min(losses):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = KneeLocator(clusters, losses, curve="convex", direction="decreasing").knee
    return None if found is None else int(found)
