"""Published segmentations, repeated with K-Means."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis import segmentation
from analysis.clusters import knee, mean_agreement, silhouette
from analysis.segmentation import REPRESENTATIONS, PublishedResult
from data.contract_columns import Published
from modules.segments.measure import cluster, half_fits
from modules.segments.reference import Reference, reference
from modules.segments.rows import Rows


def repeat(
    published: Published,
    sample: Rows,
    measured: np.ndarray,
    full_distances: np.ndarray,
    clusters: Sequence[int],
    seed: int,
) -> list[PublishedResult]:
    """Repeats a published segmentation: on its own columns, or on those of the view in each representation.

    Args:
      published: what was published.
      sample: customers, encoded by its columns and scaling.
      measured: those of them that are measured, int64.
      full_distances: between the measured customers in the space of the view's transformed columns, float32 [n, n].
      clusters: numbers of clusters for the elbow.
      seed: of all fits.

    Returns:
      One result for each representation; none where fewer customers differ than clusters were published.
    """
    if len(np.unique(sample.features[measured], axis=0)) < published.clusters:
        return []
    names: Sequence[segmentation.Representation] = ("columns",) if published.columns else REPRESENTATIONS
    beside = reference(sample, measured, names, seed)
    return [_result(published, beside, name, full_distances, clusters, seed) for name in names]


def _result(
    published: Published,
    beside: Reference,
    name: segmentation.Representation,
    full_distances: np.ndarray,
    tried: Sequence[int],
    seed: int,
) -> PublishedResult:
    own_space, null_spaces = beside.spaces("kmeans", name)
    clusters = published.clusters
    labels = _largest_first(cluster("kmeans", own_space, clusters, seed).labels, clusters)
    own = silhouette(own_space.distances, labels, clusters)
    nulls = [
        silhouette(null.distances, cluster("kmeans", null, clusters, seed).labels, clusters).macro
        for null in null_spaces
    ]
    losses = [cluster("kmeans", own_space, number, seed).loss for number in tried]
    shares = np.bincount(labels, minlength=clusters) / len(labels)
    return PublishedResult(
        title=published.title,
        columns=published.columns or beside.rows.columns,
        representation=name,
        clusters=clusters,
        published_silhouette=published.silhouette,
        silhouette=own.micro,
        macro_silhouette=own.macro,
        full_silhouette=silhouette(full_distances, labels, clusters).micro,
        null_silhouette=float(np.mean(nulls)),
        stability=mean_agreement(half_fits("kmeans", own_space, clusters, seed)),
        knee=knee(tried, losses),
        shares=tuple(shares.tolist()),
        ranges=tuple(_ranges(beside.rows.take(labels == segment)) for segment in range(clusters)),
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
