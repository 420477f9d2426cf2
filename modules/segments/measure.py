"""The figures of a candidate: silhouettes, the null reference, the gap statistic, stability."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score
from sklearn.metrics.pairwise import euclidean_distances

from analysis.clusters import agreement, gap, mean_agreement, silhouette
from analysis.segmentation import Candidate, CandidateFigures, Method
from modules.segments.gower import gower
from modules.segments.kmedoids import fasterpam
from modules.segments.methods import euclidean, kmeans
from modules.segments.representation import Representation
from modules.segments.rows import Rows

HALVES = 10
"""Half-samples between whose fits the stability is measured."""
SEEDS = 3
"""Fits on all rows between which the stability over seeds is measured."""


@dataclass(frozen=True)
class Space:
    """Rows as one method sees them in one representation.

    Attributes:
      points: float32 [n, d].
      distances: between all rows, Euclidean or Gower's, float32 [n, n].
      by_gower: whether the distances are Gower's.
    """

    points: np.ndarray
    distances: np.ndarray
    by_gower: bool = False


@dataclass(frozen=True)
class Clustering:
    """Clusters of the rows of a space.

    Attributes:
      labels: int64 [n].
      loss: see `CandidateFigures`.
    """

    labels: np.ndarray
    loss: float


@dataclass(frozen=True)
class Measured:
    """A candidate with its figures.

    Attributes:
      figures: without refusals.
      agreement: adjusted Rand index between the fits on half-samples, float64 [HALVES, HALVES].
    """

    figures: CandidateFigures
    agreement: np.ndarray


def space(method: Method, representation: Representation, rows: Rows) -> Space:
    """The space in which a method looks for clusters; K-Medoids on the columns themselves takes Gower's distance."""
    points = representation.encode(rows.features)
    if method == "kmedoids" and representation.name == "columns":
        return Space(points, gower(rows.gower, rows.gower, rows.nominal), by_gower=True)
    return Space(points, between(points))


def between(points: np.ndarray) -> np.ndarray:
    """Euclidean distances between all points float32 [n, d], by a matrix product; float32 [n, n]."""
    return euclidean_distances(points)


def cluster(method: Method, space: Space, clusters: int, seed: int, among: np.ndarray | None = None) -> Clustering:
    """Fits clusters on some rows and assigns all rows.

    Args:
      method: K-Means on the points, or K-Medoids on the distances.
      space: the rows.
      clusters: number k of clusters, at most the number of rows.
      seed: of the first centres or medoids.
      among: the rows to fit on, int64, at least k; all by default.

    Returns:
      The clusters of all rows.
    """
    among = np.arange(len(space.points)) if among is None else among
    if method == "kmeans":
        to_centers = euclidean(space.points, kmeans(space.points[among], clusters, seed))
        return Clustering(to_centers.argmin(axis=1), float((to_centers.min(axis=1) ** 2).mean(dtype=np.float64)))
    between = space.distances if len(among) == len(space.points) else space.distances[np.ix_(among, among)]
    medoids = among[fasterpam(between, clusters, np.random.default_rng(seed))]
    to_medoids = space.distances[medoids]
    return Clustering(to_medoids.argmin(axis=0), float(to_medoids.min(axis=0).mean(dtype=np.float64)))


def measure(
    candidate: Candidate, space: Space, nulls: Sequence[Space], full_distances: np.ndarray, seed: int
) -> Measured:
    """The figures of one candidate.

    Args:
      candidate: the method and the number of clusters; at most as many as rows differ.
      space: the rows as the method sees them.
      nulls: replicas of the null reference, seen alike.
      full_distances: between the rows in the space of all transformed columns, float32 [n, n].
      seed: of all fits.

    Returns:
      The figures, without refusals.
    """
    method, clusters = candidate.method, candidate.clusters
    found = cluster(method, space, clusters, seed)
    own = silhouette(space.distances, found.labels, clusters)
    full = silhouette(full_distances, found.labels, clusters)
    shuffled = [cluster(method, null, clusters, seed) for null in nulls]
    null_macros = [
        silhouette(null.distances, clustering.labels, clusters).macro
        for null, clustering in zip(nulls, shuffled, strict=True)
    ]
    gap_value, gap_error = gap(found.loss, [clustering.loss for clustering in shuffled])
    others = [cluster(method, space, clusters, seed + 1 + i).labels for i in range(SEEDS - 1)]
    halves = half_fits(method, space, clusters, seed)
    shares = np.bincount(found.labels, minlength=clusters) / len(found.labels)
    davies_bouldin, calinski_harabasz = _by_points(space, found.labels)
    figures = CandidateFigures(
        candidate=candidate,
        loss=found.loss,
        silhouette=own.micro,
        macro_silhouette=own.macro,
        macro_error=own.error,
        full_silhouette=full.micro,
        full_macro_silhouette=full.macro,
        null_silhouette=float(np.mean(null_macros)),
        null_deviation=float(np.std(null_macros, ddof=1)),
        gap=gap_value,
        gap_error=gap_error,
        davies_bouldin=davies_bouldin,
        calinski_harabasz=calinski_harabasz,
        stability=mean_agreement(halves),
        seed_stability=mean_agreement(agreement([found.labels, *others])),
        smallest=float(shares.min()),
        largest=float(shares.max()),
    )
    return Measured(figures, halves)


def half_fits(method: Method, space: Space, clusters: int, seed: int) -> np.ndarray:
    """Adjusted Rand index between fits on half-samples, each of which assigns all rows, float64 [HALVES, HALVES]."""
    generator = np.random.default_rng(seed)
    rows = len(space.points)
    halves = [generator.permutation(rows)[: max(rows // 2, clusters)] for _ in range(HALVES)]
    return agreement([cluster(method, space, clusters, seed + i, half).labels for i, half in enumerate(halves)])


def _by_points(space: Space, labels: np.ndarray) -> tuple[float, float]:
    """The Davies-Bouldin and Calinski-Harabasz indices; NaN for Gower's distance and where they are not defined."""
    if space.by_gower or not 1 < len(np.unique(labels)) < len(labels):
        return float("nan"), float("nan")
    return float(davies_bouldin_score(space.points, labels)), float(calinski_harabasz_score(space.points, labels))
