"""The network: an ensemble of small dense nets that share nothing but their input.

    features [batch, D] -> Dropout -> (Dense, BatchNormalization, Dropout) x depth -> Dense(1)     one net
                                                                   x members -> mean of logits     the ensemble

The nets start from different weights and see different dropout. Their errors differ, so the mean is better than any of
them. Their first layers are one wide layer: a single product with the many features takes less time.
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
    inputs_kept = keras.layers.Dropout(hyperparameters.input_dropout, name="features_dropout")(features)
    first = _hidden(inputs_kept, width * members, hyperparameters, "hidden0")
    shares = keras.ops.split(first, members, axis=1)
    logits = [_member(share, i, hyperparameters, initial_logit) for i, share in enumerate(shares)]
    outputs = keras.layers.concatenate(logits) if len(logits) > 1 else logits[0]
    return keras.Model(features, outputs, name="members")


def average(members: keras.Model) -> keras.Model:
    """The network to serve: the mean of the ensemble's logits.

    Args:
      members: from :func:`build`; its layers are shared, not copied.

    Returns:
      A model from float32 [batch, D] to one logit, float32 [batch, 1].
    """
    logits = [layer.output for layer in members.layers if layer.name.endswith("_logit")]
    return keras.Model(
        members.input, keras.layers.average(logits) if len(logits) > 1 else logits[0], name="purchase_model"
    )


def _member(hidden: Any, number: int, hyperparameters: Hyperparameters, initial_logit: float) -> Any:
    for layer in range(1, hyperparameters.depth):
        hidden = _hidden(hidden, hyperparameters.width, hyperparameters, f"member{number}_hidden{layer}")
    bias = keras.initializers.Constant(initial_logit)
    return keras.layers.Dense(1, bias_initializer=bias, name=f"member{number}_logit")(hidden)


def _hidden(inputs: Any, units: int, hyperparameters: Hyperparameters, name: str) -> Any:
    outputs = keras.layers.Dense(units, activation="relu", name=name)(inputs)
    if hyperparameters.batch_normalization:
        outputs = keras.layers.BatchNormalization(name=f"{name}_normalization")(outputs)
    return keras.layers.Dropout(hyperparameters.dropout, name=f"{name}_dropout")(outputs)
