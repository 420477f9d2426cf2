"""The network: an average of small dense nets that share nothing but their input.

    features [batch, D] -> Dropout -> (Dense, BatchNormalization, Dropout) x depth -> Dense(1)     one member
                                                                  x members -> mean of logits

Members start from different weights and see different dropout, so their errors differ and the mean is better than any.
Their first layers lie side by side in one: a single product with the many features is what makes them quick.
"""

from __future__ import annotations

from typing import Any

import keras

from modules.purchase.hyperparameters import Hyperparameters


def build(inputs: int, hyperparameters: Hyperparameters, initial_logit: float = 0.0) -> keras.Model:
    """The members side by side, as training sees them.

    Args:
      inputs: length D of the feature vector.
      hyperparameters: what concerns the shape of the network is used, what concerns its training is not.
      initial_logit: bias of every output before training, best the log-odds of the label rate.

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
    """The model that is served: the mean of the members' logits.

    Args:
      members: what :func:`build` returned; its layers are shared, not copied.

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
