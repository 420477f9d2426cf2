"""K-Means and K-Medoids: how segments are found, and how a customer is assigned to one."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import ThreadpoolController

from analysis.sampling import drawn
from analysis.segmentation import Candidate
from modules.segments.gower import gower
from modules.segments.kmedoids import fasterpam
from modules.segments.representation import Representation
from modules.segments.rows import Rows

STARTS = 3
"""Fits of K-Means from different first centres, of which the best is taken."""
TIE = 1e-5
"""Distances that differ by less count as equal. Customers who differ in few columns lie at equal distances from several
medoids, and rounding, which is not the same in numpy and TensorFlow, must not decide between them."""
MEDOID_ROWS = 5_000
"""Most rows among which K-Medoids looks for medoids: their distances take 100 MB."""
_THREADS = ThreadpoolController()


@dataclass(frozen=True)
class Segmenter:
    """Fitted segments, the largest first.

    Attributes:
      candidate: how they were fitted.
      representation: in which they lie.
      centers: float32 [k, d]: means or medoids in the representation.
      medoids: Gower rows [k, C] of the medoids where the distance is Gower's; None elsewhere.
      nominal: which of the C raw columns hold indices of categories, bool [C].
    """

    candidate: Candidate
    representation: Representation
    centers: np.ndarray
    medoids: np.ndarray | None
    nominal: np.ndarray

    def distances(self, rows: Rows) -> np.ndarray:
        """Distance of each customer to each centre, Euclidean or Gower's, float32 [rows, k]."""
        if self.medoids is not None:
            return gower(rows.gower, self.medoids, self.nominal)
        return euclidean(self.representation.encode(rows.features), self.centers)

    def assign(self, rows: Rows) -> np.ndarray:
        """The segment with the nearest centre, int64 [rows]; the first one where distances are equal but for `TIE`."""
        distances = self.distances(rows)
        return (distances <= distances.min(axis=1, keepdims=True) + np.float32(TIE)).argmax(axis=1)


def fit(
    candidate: Candidate,
    representation: Representation,
    sample: Rows,
    batches: Callable[[], Iterable[Rows]] | None,
    seed: int,
) -> Segmenter:
    """Finds the segments of a candidate.

    Args:
      candidate: the method and the number k of segments; its representation is that of `representation`.
      representation: fitted.
      sample: customers, at least k. K-Medoids uses at most `MEDOID_ROWS` of them, drawn at random.
      batches: gives all customers in batches, for K-Means on more customers than fit into memory: mini-batch K-Means
        goes once over them, from the centres of the sample. None where the sample holds all customers. K-Medoids
        ignores them, since a medoid of a sample is a customer too.
      seed: of the first centres or medoids, and of the rows drawn.

    Returns:
      The segments, ordered by their size in the sample, the largest first; of equal ones the first found is first.
    """
    if candidate.method == "kmeans":
        centers = kmeans(representation.encode(sample.features), candidate.clusters, seed)
        if batches is not None:
            centers = _over_batches(centers, representation, batches(), seed)
        segmenter = Segmenter(candidate, representation, centers, None, sample.nominal)
    else:
        segmenter = _medoids(candidate, representation, sample, seed)
    sizes = np.bincount(segmenter.assign(sample), minlength=candidate.clusters)
    order = np.argsort(-sizes, kind="stable")
    medoids = None if segmenter.medoids is None else segmenter.medoids[order]
    return Segmenter(candidate, representation, segmenter.centers[order], medoids, sample.nominal)


def kmeans(points: np.ndarray, clusters: int, seed: int) -> np.ndarray:
    """The centres of K-Means, float32 [k, d], of points float32 [n, d]; the best of `STARTS` fits."""
    # On a few thousand rows a second OpenMP thread takes more time than it saves, and sums in another order.
    with warnings.catch_warnings(), _THREADS.limit(limits=1, user_api="openmp"):
        # Fewer different points than clusters: two centres are the same, and one of them gets no rows.
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = KMeans(clusters, n_init=STARTS, random_state=seed).fit(points)
    return fitted.cluster_centers_.astype(np.float32)


def euclidean(points: np.ndarray, centers: np.ndarray) -> np.ndarray:
    """Euclidean distances, float32 [n, m], from the differences themselves, so that equal points lie at 0."""
    return cdist(points, centers).astype(np.float32)


def _over_batches(
    centers: np.ndarray, representation: Representation, batches: Iterable[Rows], seed: int
) -> np.ndarray:
    fitted = MiniBatchKMeans(len(centers), init=centers, n_init=1, random_state=seed, reassignment_ratio=0)
    for rows in batches:
        fitted.partial_fit(representation.encode(rows.features))
    return fitted.cluster_centers_.astype(np.float32)


def _medoids(candidate: Candidate, representation: Representation, sample: Rows, seed: int) -> Segmenter:
    generator = np.random.default_rng(seed)
    rows = sample
    if len(sample) > MEDOID_ROWS:
        rows = sample.take(drawn(len(sample), MEDOID_ROWS, generator))
    points = representation.encode(rows.features)
    by_gower = representation.name == "columns"
    distances = gower(rows.gower, rows.gower, rows.nominal) if by_gower else euclidean(points, points)
    found = fasterpam(distances, candidate.clusters, generator)
    medoids = rows.gower[found] if by_gower else None
    return Segmenter(candidate, representation, points[found], medoids, sample.nominal)
