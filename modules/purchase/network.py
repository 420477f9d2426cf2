"""The network: an ensemble of small dense nets that share nothing but their input.

    features [batch, D] -> Dropout -> (Dense, BatchNormalization, Dropout) x depth -> Dense(1)     one net
                                                                   x members -> mean of logits     the ensemble

The nets start from different weights and see different dropout. Their errors differ, so the mean is better than any of
them. They are computed side by side, each layer of all nets as one product: fewer operations take less time, and a fit
starts sooner.
"""

from __future__ import annotations

from typing import Any

import keras

from modules.purchase.hyperparameters import Hyperparameters


def build(inputs: int, hyperparameters: Hyperparameters, initial_logit: float = 0.0) -> keras.Model:
    """The network to train: one logit for each net of the ensemble.

    Args:
      inputs: length D of the feature vector.
      hyperparameters: those of the network's shape are used, those of its training are ignored.
      initial_logit: bias of every output before training; the log-odds of the label rate is best.

    Returns:
      A model from float32 [batch, D] to logits float32 [batch, members].
    """
    features = keras.Input((inputs,), name="features")
    width, members = hyperparameters.width, hyperparameters.members
    kept = keras.layers.Dropout(hyperparameters.input_dropout, name="features_dropout")(features)
    first = keras.layers.Dense(width * members, activation="relu", name="hidden0")
    hidden = _regularized(first(kept), hyperparameters, "hidden0")
    for layer in range(1, hyperparameters.depth):
        name = f"hidden{layer}"
        hidden = _side_by_side(hidden, members, width, name, activation="relu")
        hidden = _regularized(hidden, hyperparameters, name)
    bias = keras.initializers.Constant(initial_logit)
    logits = _side_by_side(hidden, members, 1, "logits", bias_initializer=bias)
    return keras.Model(features, logits, name="members")


def average(members: keras.Model) -> keras.Model:
    """The network to serve: the mean of the ensemble's logits.

    Args:
      members: from :func:`build`; its layers are shared, not copied.

    Returns:
      A model from float32 [batch, D] to one logit, float32 [batch, 1].
    """
    mean = keras.ops.mean(members.output, axis=1, keepdims=True)
    return keras.Model(members.input, mean, name="purchase_model")


def _side_by_side(hidden: Any, members: int, units: int, name: str, **kwargs: Any) -> Any:
    """A dense layer for each net: from [batch, members * inputs] to [batch, members * units]."""
    inputs = hidden.shape[1] // members
    # Keras counts members into the fan of the kernel; the scale takes them out, as for a Dense layer of one net.
    kernel = keras.initializers.VarianceScaling(scale=members, mode="fan_avg", distribution="uniform")
    dense = keras.layers.EinsumDense(
        "bmi,mio->bmo", (members, units), bias_axes="mo", kernel_initializer=kernel, name=name, **kwargs
    )
    return keras.layers.Reshape((members * units,))(dense(keras.layers.Reshape((members, inputs))(hidden)))


def _regularized(hidden: Any, hyperparameters: Hyperparameters, name: str) -> Any:
    if hyperparameters.batch_normalization:
        hidden = keras.layers.BatchNormalization(name=f"{name}_normalization")(hidden)
    return keras.layers.Dropout(hyperparameters.dropout, name=f"{name}_dropout")(hidden)
