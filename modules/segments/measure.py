"""The figures of a candidate: silhouettes, the null reference, the gap statistic, stability."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

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


@dataclass(frozen=True)
class Space:
    """Customers as one method sees them in one representation.

    Attributes:
      points: float32 [n, d]; Gower rows [n, C] where the distance is Gower's.
      among: the rows to fit on, int64 [m].
      nominal: which columns hold indices of categories where the distance is Gower's; None where it is Euclidean.
    """

    points: np.ndarray
    among: np.ndarray
    nominal: np.ndarray | None = None

    @cached_property
    def distances(self) -> np.ndarray:
        """Between the rows to fit on, float32 [m, m]."""
        points = self.points[self.among]
        return between(points) if self.nominal is None else gower(points, points, self.nominal)

    def to(self, centers: np.ndarray) -> np.ndarray:
        """Distances of all rows to centres [k, d], float32 [n, k]."""
        return euclidean(self.points, centers) if self.nominal is None else gower(self.points, centers, self.nominal)


@dataclass(frozen=True)
class Spaces:
    """What the figures of a method in a representation are measured on; the representation is fitted for each anew.

    Attributes:
      own: the customers that are measured.
      nulls: replicas of the null reference.
      halves: the same customers; each half-sample is to fit on.
      seeds: the same customers, with different seeds of the representation; the first one is `own`.
    """

    own: Space
    nulls: Sequence[Space]
    halves: Sequence[Space]
    seeds: Sequence[Space]


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
      agreement: adjusted Rand index between the fits on half-samples, float64 [h, h].
    """

    figures: CandidateFigures
    agreement: np.ndarray


def space(method: Method, representation: Representation, rows: Rows, among: np.ndarray | None = None) -> Space:
    """The space in which a method looks for clusters; K-Medoids on the columns themselves takes Gower's distance.

    Args:
      method: K-Means or K-Medoids.
      representation: fitted.
      rows: n customers.
      among: those to fit on, int64; all by default.

    Returns:
      The customers in the space.
    """
    among = np.arange(len(rows)) if among is None else among
    if method == "kmedoids" and representation.name == "columns":
        return Space(rows.gower, among, rows.nominal)
    return Space(representation.encode(rows.features), among)


def between(points: np.ndarray) -> np.ndarray:
    """Euclidean distances between all points float32 [n, d], by a matrix product; float32 [n, n]."""
    return euclidean_distances(points)


def cluster(method: Method, space: Space, clusters: int, seed: int) -> Clustering:
    """Fits clusters on some rows of a space and assigns all rows.

    Args:
      method: K-Means on the points, or K-Medoids on the distances.
      space: the rows, at least as many to fit on as clusters.
      clusters: number k of clusters.
      seed: of the first centres or medoids.

    Returns:
      The clusters of all rows.
    """
    if method == "kmeans":
        to_centers = space.to(kmeans(space.points[space.among], clusters, seed))
        power = 2
    else:
        medoids = fasterpam(space.distances, clusters, np.random.default_rng(seed))
        to_centers = space.to(space.points[space.among[medoids]])
        power = 1
    return Clustering(to_centers.argmin(axis=1), float((to_centers.min(axis=1) ** power).mean(dtype=np.float64)))


def measure(candidate: Candidate, spaces: Spaces, full_distances: np.ndarray, seed: int) -> Measured:
    """The figures of one candidate.

    Args:
      candidate: the method and the number of clusters; at most as many as rows differ.
      spaces: the customers as the method sees them.
      full_distances: between them in the space of all transformed columns, float32 [n, n].
      seed: of all fits.

    Returns:
      The figures, without refusals.
    """
    method, clusters = candidate.method, candidate.clusters
    by_seed = [cluster(method, space, clusters, seed + i) for i, space in enumerate(spaces.seeds)]
    found = by_seed[0]
    own = silhouette(spaces.own.distances, found.labels, clusters)
    full = silhouette(full_distances, found.labels, clusters)
    shuffled = [cluster(method, null, clusters, seed) for null in spaces.nulls]
    null_macros = [
        silhouette(null.distances, clustering.labels, clusters).macro
        for null, clustering in zip(spaces.nulls, shuffled, strict=True)
    ]
    gap_value, gap_error = gap(found.loss, [clustering.loss for clustering in shuffled])
    halves = half_fits(method, spaces.halves, clusters, seed)
    shares = np.bincount(found.labels, minlength=clusters) / len(found.labels)
    davies_bouldin, calinski_harabasz = _by_points(spaces.own, found.labels)
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
        seed_stability=mean_agreement(agreement([clustering.labels for clustering in by_seed])),
        smallest=float(shares.min()),
        largest=float(shares.max()),
    )
    return Measured(figures, halves)


def half_fits(method: Method, halves: Sequence[Space], clusters: int, seed: int) -> np.ndarray:
    """Adjusted Rand index between fits on h half-samples, each of which assigns all rows, float64 [h, h]."""
    return agreement([cluster(method, half, clusters, seed + i).labels for i, half in enumerate(halves)])


def _by_points(space: Space, labels: np.ndarray) -> tuple[float, float]:
    """The Davies-Bouldin and Calinski-Harabasz indices; NaN for Gower's distance and where they are not defined."""
    if space.nominal is not None or not 1 < len(np.unique(labels)) < len(labels):
        return float("nan"), float("nan")
    return float(davies_bouldin_score(space.points, labels)), float(calinski_harabasz_score(space.points, labels))
