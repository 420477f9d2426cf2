"""Published segmentations, repeated with K-Means."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from functools import partial

import numpy as np

from analysis import segmentation
from analysis.clusters import knee, mean_agreement, silhouette
from analysis.segmentation import REPRESENTATIONS, PublishedResult
from data.contract_columns import Published
from modules.segments.measure import Spaces, cluster, half_fits
from modules.segments.reference import reference
from modules.segments.rows import Rows


def repeat(
    published: Sequence[Published],
    sample: Rows,
    measured: np.ndarray,
    full_distances: np.ndarray,
    clusters: Sequence[int],
    seed: int,
    pool: Executor,
) -> list[PublishedResult]:
    """Repeats published segmentations of the same columns and scaling.

    Args:
      published: what was published. Segmentations of the view's own columns are repeated in each representation.
      sample: customers, encoded by these columns and this scaling.
      measured: those of them that are measured, int64.
      full_distances: between the measured customers in the space of the view's transformed columns, float32 [n, n].
      clusters: numbers of clusters for the elbow.
      seed: of all fits.
      pool: shares the fits among the processor's cores.

    Returns:
      For each segmentation one result for each representation; none where fewer customers differ than it has clusters.
    """
    different = len(np.unique(sample.features[measured], axis=0))
    published = [publication for publication in published if publication.clusters <= different]
    if not published:
        return []
    names: Sequence[segmentation.Representation] = ("columns",) if published[0].columns else REPRESENTATIONS
    tried = [number for number in clusters if number <= different]
    most = max(*tried, *(publication.clusters for publication in published))
    beside = reference(sample, measured, names, most, seed)
    by_name: list[list[PublishedResult]] = []
    for name in names:
        spaces = beside.spaces("kmeans", name)
        losses = list(pool.map(lambda k, own=spaces.own: cluster("kmeans", own, k, seed).loss, tried))
        one = partial(_result, beside.rows, name, spaces, full_distances, knee(tried, losses), seed)
        by_name.append(list(pool.map(one, published)))
    return [result for results in zip(*by_name, strict=True) for result in results]


def _result(
    rows: Rows,
    name: segmentation.Representation,
    spaces: Spaces,
    full_distances: np.ndarray,
    elbow: int | None,
    seed: int,
    published: Published,
) -> PublishedResult:
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
        columns=published.columns or rows.columns,
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
        ranges=tuple(_ranges(rows.take(labels == segment)) for segment in range(clusters)),
    )


def _largest_first(labels: np.ndarray, clusters: int) -> np.ndarray:
    sizes = np.bincount(labels, minlength=clusters)
    return np.argsort(np.argsort(-sizes, kind="stable"))[labels]


def _ranges(rows: Rows) -> str:
    """The middle 90 % of each number, as positions among all customers: only ranks are known of the raw numbers."""
    with_values = [
        (name, np.nanquantile(values, [0.05, 0.95]))
        for name, values, nominal in zip(rows.columns, rows.gower.T, rows.nominal, strict=True)
        if not nominal and not np.isnan(values).all()
    ]
    return "; ".join(f"{name} from {low:.0%} to {high:.0%} of all customers" for name, (low, high) in with_values)
