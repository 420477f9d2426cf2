"""A sample beside its null reference, its half-samples and other seeds, with representations fitted on each.

A fit is the whole procedure, from the transformed columns to the segments. So the null reference and the stability
include the fit of the principal components or of the autoencoder.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from analysis import segmentation
from analysis.segmentation import Method
from modules.segments.autoencoder import Autoencoder, autoencoders
from modules.segments.measure import Spaces, space
from modules.segments.representation import COLUMNS, Components, Representation, pca
from modules.segments.rows import Rows

REPLICAS = 5
"""Replicas of the null reference."""
HALVES = 10
"""Half-samples between whose fits the stability is measured."""
SEEDS = 3
"""Fits with different seeds that are compared."""


@dataclass(frozen=True)
class Fits:
    """One representation, fitted on everything that its figures need.

    Attributes:
      own: on the sample.
      nulls: on each replica of the null reference.
      halves: on each half-sample.
      seeds: on the sample, with different seeds; the first one is `own`.
    """

    own: Representation
    nulls: list[Representation]
    halves: list[Representation]
    seeds: list[Representation]


@dataclass(frozen=True)
class Reference:
    """A sample beside everything that it is compared with.

    Attributes:
      rows: the customers of the sample that are measured.
      nulls: the same number of rows of each replica of the null reference, each column of which is shuffled on its own.
      halves: those of `rows` that are in each half-sample, int64.
      fits: of each representation asked for.
      components: None where they were not asked for.
      autoencoder: likewise.
    """

    rows: Rows
    nulls: list[Rows]
    halves: list[np.ndarray]
    fits: dict[segmentation.Representation, Fits]
    components: Components | None
    autoencoder: Autoencoder | None

    def spaces(self, method: Method, name: segmentation.Representation) -> Spaces:
        """What the figures of a method in a representation are measured on."""
        fits = self.fits[name]
        own = space(method, fits.own, self.rows)
        return Spaces(
            own,
            [space(method, fitted, null) for fitted, null in zip(fits.nulls, self.nulls, strict=True)],
            [space(method, fitted, self.rows, half) for fitted, half in zip(fits.halves, self.halves, strict=True)],
            [own if fitted is fits.own else space(method, fitted, self.rows) for fitted in fits.seeds],
        )


def reference(
    sample: Rows,
    measured: np.ndarray,
    names: Collection[segmentation.Representation],
    most_clusters: int,
    seed: int,
) -> Reference:
    """Shuffles and halves a sample, and fits representations on it and on all that it is compared with.

    Principal components of shuffled rows are as many as those of the sample: shuffled columns would need more of them,
    and more dimensions lower the silhouette.

    Args:
      sample: customers on whom representations are fitted; at least two differ.
      measured: those of them that are measured, int64.
      names: of the representations.
      most_clusters: a half-sample has at least as many of the measured customers, if there are as many.
      seed: of everything that is drawn.

    Returns:
      The sample and all that it is compared with.
    """
    generator = np.random.default_rng(seed)
    replicas = [sample.shuffled(generator) for _ in range(REPLICAS)]
    size = max(len(measured) // 2, most_clusters)
    halves = [generator.permutation(len(measured))[:size] for _ in range(HALVES)]
    others = np.setdiff1d(np.arange(len(sample)), measured)
    half_features = [
        sample.features[np.concatenate([measured[half], generator.permutation(others)[: len(others) // 2]])]
        for half in halves
    ]
    null_features = [replica.features for replica in replicas]
    fits: dict[segmentation.Representation, Fits] = {}
    components, autoencoder = None, None
    if "columns" in names:
        fits["columns"] = Fits(COLUMNS, [COLUMNS] * REPLICAS, [COLUMNS] * HALVES, [COLUMNS] * SEEDS)
    if "pca" in names:
        components = pca(sample.features)
        fits["pca"] = _components(components, null_features, half_features)
    if "autoencoder" in names:
        autoencoder, fits["autoencoder"] = _autoencoders(sample.features, null_features, half_features, seed)
    nulls = [replica.take(measured) for replica in replicas]
    return Reference(sample.take(measured), nulls, halves, fits, components, autoencoder)


def _components(components: Components, nulls: list[np.ndarray], halves: list[np.ndarray]) -> Fits:
    own = components.representation
    of_nulls, of_halves = (
        [pca(features, components.kept).representation for features in group] for group in (nulls, halves)
    )
    return Fits(own, of_nulls, of_halves, [own] * SEEDS)


def _autoencoders(
    features: np.ndarray, nulls: list[np.ndarray], halves: list[np.ndarray], seed: int
) -> tuple[Autoencoder, Fits]:
    by_seed = [(features, seed + i) for i in range(SEEDS)]
    by_half = [(half, seed + i) for i, half in enumerate(halves)]
    trained = autoencoders([*by_seed, *((null, seed) for null in nulls), *by_half])
    found = [each.representation for each in trained]
    nulls_start, halves_start = SEEDS, SEEDS + REPLICAS
    return trained[0], Fits(found[0], found[nulls_start:halves_start], found[halves_start:], found[:SEEDS])
