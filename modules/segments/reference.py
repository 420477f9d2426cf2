"""A sample, the replicas of its null reference, and the representations fitted on each of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from analysis import segmentation
from analysis.segmentation import Method
from modules.segments.autoencoder import Autoencoder, autoencoders
from modules.segments.measure import Space, space
from modules.segments.representation import COLUMNS, Components, Representation, pca
from modules.segments.rows import Rows

REPLICAS = 5
"""Replicas of the null reference."""
AUTOENCODERS = 3
"""Autoencoders of the sample with different seeds, which are compared."""

Representations = dict[segmentation.Representation, Representation]


@dataclass(frozen=True)
class Reference:
    """A sample beside its null reference.

    Attributes:
      rows: the customers of the sample that are measured.
      nulls: the same number of rows of each replica, in which each column is shuffled on its own.
      representations: fitted on the sample.
      null_representations: fitted on each replica, in the same way. Principal components are as many as those of the
        sample: shuffled columns would need more of them, and more dimensions lower the silhouette.
      components: None where they were not asked for.
      autoencoders: of the sample, with different seeds; empty where they were not asked for.
    """

    rows: Rows
    nulls: list[Rows]
    representations: Representations
    null_representations: list[Representations]
    components: Components | None
    autoencoders: list[Autoencoder]

    def spaces(self, method: Method, name: segmentation.Representation) -> tuple[Space, list[Space]]:
        """The rows, and those of each replica, as a method sees them in a representation."""
        nulls = zip(self.nulls, self.null_representations, strict=True)
        return (
            space(method, self.representations[name], self.rows),
            [space(method, representations[name], null) for null, representations in nulls],
        )


def reference(
    sample: Rows, measured: np.ndarray, names: Collection[segmentation.Representation], seed: int
) -> Reference:
    """Shuffles a sample, and fits representations on it and on its replicas.

    Args:
      sample: customers on whom representations are fitted; at least two differ.
      measured: those of them that are measured, int64.
      names: of the representations.
      seed: of shuffling and of the autoencoders.

    Returns:
      The sample and its null reference.
    """
    generator = np.random.default_rng(seed)
    replicas = [sample.shuffled(generator) for _ in range(REPLICAS)]
    components: Components | None = None
    null_components: Sequence[Components | None] = [None] * REPLICAS
    if "pca" in names:
        components = pca(sample.features)
        null_components = [pca(replica.features, components.kept) for replica in replicas]
    trained: list[Autoencoder] = []
    if "autoencoder" in names:
        seeds = [(sample.features, seed + i) for i in range(AUTOENCODERS)]
        trained = autoencoders([*seeds, *((replica.features, seed) for replica in replicas)])
    null_autoencoders: Sequence[Autoencoder | None] = trained[AUTOENCODERS:] or [None] * REPLICAS
    return Reference(
        rows=sample.take(measured),
        nulls=[replica.take(measured) for replica in replicas],
        representations=_by_name(components, trained[0] if trained else None),
        null_representations=list(map(_by_name, null_components, null_autoencoders)),
        components=components,
        autoencoders=trained[:AUTOENCODERS],
    )


def _by_name(components: Components | None, autoencoder: Autoencoder | None) -> Representations:
    found: Representations = {"columns": COLUMNS}
    if components is not None:
        found["pca"] = components.representation
    if autoencoder is not None:
        found["autoencoder"] = autoencoder.representation
    return found
