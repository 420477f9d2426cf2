"""Published segmentations, repeated with K-Means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial

import numpy as np

from analysis import segmentation
from analysis.clusters import knee, mean_agreement, silhouette
from analysis.segmentation import REPRESENTATIONS, PublishedResult
from data.contract import Contract
from data.contract_columns import Published
from modules.segments import words
from modules.segments.measure import Spaces, cluster, half_fits
from modules.segments.reference import reference
from modules.segments.rows import Rows
from modules.segments.values import numbers


@dataclass(frozen=True)
class Repetition:
    """A published segmentation, and the customers on whom it is repeated.

    Attributes:
      published: what was published.
      rows: customers, encoded by its columns and scaling.
      raw: their raw columns, [rows] each; see `modules.examples.read_raw`.
      contract: of the raw columns.
    """

    published: Published
    rows: Rows
    raw: Mapping[str, np.ndarray]
    contract: Contract

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that form the segments."""
        return self.published.columns or self.rows.columns

    def known(self, measured: np.ndarray) -> dict[str, np.ndarray]:
        """The numbers of some customers in each number column that forms the segments, float64, NaN where missing."""
        names = [name for name in self.columns if name in self.contract.numeric]
        return {name: numbers(self.raw, name, self.contract)[measured] for name in names}


def repeat(
    repetitions: Sequence[Repetition],
    measured: np.ndarray,
    full_distances: np.ndarray,
    clusters: Sequence[int],
    seed: int,
    pool: Executor,
) -> list[PublishedResult]:
    """Repeats published segmentations of the same columns and scaling.

    Args:
      repetitions: of the same columns, scaling and customers. Segmentations of the view's own columns are repeated in
        each representation.
      measured: those of them that are measured, int64.
      full_distances: between the measured customers in the space of the view's transformed columns, float32 [n, n].
      clusters: numbers of clusters for the elbow.
      seed: of all fits.
      pool: shares the fits among the processor's cores.

    Returns:
      For each segmentation one result for each representation; none where fewer customers differ than it has clusters.
    """
    sample = repetitions[0].rows
    different = len(np.unique(sample.features[measured], axis=0))
    repetitions = [each for each in repetitions if each.published.clusters <= different]
    if not repetitions:
        return []
    own_columns = not repetitions[0].published.columns
    names: Sequence[segmentation.Representation] = REPRESENTATIONS if own_columns else ("columns",)
    tried = [number for number in clusters if number <= different]
    most = max(*tried, *(each.published.clusters for each in repetitions))
    beside = reference(sample, measured, names, most, seed)
    by_name: list[list[PublishedResult]] = []
    for name in names:
        spaces = beside.spaces("kmeans", name)
        losses = list(pool.map(lambda k, own=spaces.own: cluster("kmeans", own, k, seed).loss, tried))
        one = partial(_result, measured, name, spaces, full_distances, knee(tried, losses), seed)
        by_name.append(list(pool.map(one, repetitions)))
    return [result for results in zip(*by_name, strict=True) for result in results]


def _result(
    measured: np.ndarray,
    name: segmentation.Representation,
    spaces: Spaces,
    full_distances: np.ndarray,
    elbow: int | None,
    seed: int,
    repetition: Repetition,
) -> PublishedResult:
    published, known = repetition.published, repetition.known(measured)
    clusters = published.clusters
    labels = _largest_first(cluster("kmeans", spaces.own, clusters, seed).labels, clusters)
    own = silhouette(spaces.own.distances, labels, clusters)
    nulls = [
        silhouette(null.distances, cluster("kmeans", null, clusters, seed).labels, clusters).macro
        for null in spaces.nulls
    ]
    shares = np.bincount(labels, minlength=clusters) / len(labels)
    return PublishedResult(
        title=published.title,
        columns=repetition.columns,
        representation=name,
        clusters=clusters,
        published_silhouette=published.silhouette,
        silhouette=own.micro,
        macro_silhouette=own.macro,
        full_silhouette=silhouette(full_distances, labels, clusters).micro,
        null_silhouette=float(np.mean(nulls)),
        stability=mean_agreement(half_fits("kmeans", spaces.halves, clusters, seed)),
        knee=elbow,
        shares=tuple(shares.tolist()),
        ranges=tuple(_ranges(known, labels == segment, repetition.contract) for segment in range(clusters)),
    )


def _largest_first(labels: np.ndarray, clusters: int) -> np.ndarray:
    sizes = np.bincount(labels, minlength=clusters)
    return np.argsort(np.argsort(-sizes, kind="stable"))[labels]


def _ranges(known: Mapping[str, np.ndarray], inside: np.ndarray, contract: Contract) -> str:
    """The middle 90 % of each number of the customers inside a segment, but of no number that all of them lack."""
    told = []
    for name, values in known.items():
        present = values[inside & ~np.isnan(values)]
        if present.size:
            low, high = np.quantile(present, [0.05, 0.95], method="inverted_cdf").tolist()
            told.append(f"{words.plain(name, contract)} {words.span(low, high, contract.numeric[name])}")
    return "; ".join(told)
