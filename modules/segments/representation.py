"""Representations of customers: the transformed columns, their principal components, an autoencoder's code.

Each is a list of dense layers, so that the exporter can build any of them in TensorFlow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from sklearn.decomposition import PCA

from analysis import segmentation

Activation = Literal["linear", "relu", "tanh"]

EXPLAINED = 0.9
"""The principal components that are kept explain at least this share of the variance."""


@dataclass(frozen=True)
class Layer:
    """One dense layer: activation(inputs @ weights + bias).

    Attributes:
      weights: float32 [in, out].
      bias: float32 [out].
      activation: applied to each output.
    """

    weights: np.ndarray
    bias: np.ndarray
    activation: Activation = "linear"


@dataclass(frozen=True)
class Representation:
    """What the methods see of a customer.

    Attributes:
      name: which of the three.
      layers: applied to the transformed columns one after the other; none for the columns themselves.
    """

    name: segmentation.Representation
    layers: tuple[Layer, ...] = ()

    def encode(self, features: np.ndarray) -> np.ndarray:
        """The representation of rows.

        Args:
          features: transformed columns, float32 [rows, D].

        Returns:
          Float32 [rows, d].
        """
        for layer in self.layers:
            features = features @ layer.weights + layer.bias
            if layer.activation == "relu":
                features = np.maximum(features, 0)
            elif layer.activation == "tanh":
                features = np.tanh(features)
        return features


COLUMNS = Representation("columns")
"""The transformed columns themselves."""


@dataclass(frozen=True)
class Components:
    """Principal components.

    Attributes:
      representation: the components that are kept.
      explained_variance: share of the variance of each component, the largest first, of the left out ones too.
    """

    representation: Representation
    explained_variance: tuple[float, ...]

    @property
    def kept(self) -> int:
        """Number of components that are kept."""
        return len(self.representation.layers[0].bias)


def pca(features: np.ndarray, components: int | None = None) -> Components:
    """Principal components of the transformed columns.

    Args:
      features: float32 [rows, D]; at least two rows.
      components: how many are kept; by default as many as explain `EXPLAINED` of the variance.

    Returns:
      The components, as one linear layer. They are not scaled to unit variance.
    """
    with np.errstate(invalid="ignore"):
        # Equal rows have no variance to share.
        fit = PCA(svd_solver="full").fit(features.astype(np.float64))
    shares = fit.explained_variance_ratio_
    kept = components or int(np.searchsorted(shares.cumsum(), EXPLAINED) + 1)
    axes = fit.components_[:kept].T
    layer = Layer(axes.astype(np.float32), (-fit.mean_ @ axes).astype(np.float32))
    return Components(Representation("pca", (layer,)), tuple(shares.tolist()))
