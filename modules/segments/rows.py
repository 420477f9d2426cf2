"""Encoded customers, as every part of the segmentation takes them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Rows:
    """Customers in two encodings.

    Attributes:
      features: the transformed columns, float32 [rows, D]: scaled numbers (0 where missing), whether a number is
        missing, positions of ordered categories, and one-hot categories divided by the square root of 2, so that two
        different categories lie at distance 1.
      owners: for each of the D features the index of its raw column, int [D].
      gower: one number for each raw column, float32 [rows, C]: ranks of numbers and positions of ordered categories
        from 0 to 1, indices of other categories; NaN where missing.
      nominal: which of the C raw columns hold indices of categories, bool [C].
      columns: names of the C raw columns.
    """

    features: np.ndarray
    owners: np.ndarray
    gower: np.ndarray
    nominal: np.ndarray
    columns: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.features)

    def take(self, rows: np.ndarray | slice) -> Rows:
        """Some of the customers."""
        return Rows(self.features[rows], self.owners, self.gower[rows], self.nominal, self.columns)

    def shuffled(self, generator: np.random.Generator) -> Rows:
        """The null reference: each raw column shuffled on its own, so that no relation between columns is left."""
        features, gower = np.empty_like(self.features), np.empty_like(self.gower)
        for column in range(len(self.columns)):
            order = generator.permutation(len(self))
            owned = self.owners == column
            features[:, owned] = self.features[order][:, owned]
            gower[:, column] = self.gower[order, column]
        return Rows(features, self.owners, gower, self.nominal, self.columns)
