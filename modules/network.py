"""The network: an average of small dense nets that share nothing but their input.

    features [batch, D] -> Dropout -> (Dense, BatchNormalization, Dropout) x depth -> Dense(1)     one member
                                                                  x members -> mean of logits

Members start from different weights and see different dropout, so their errors differ and the mean is better than any.
Their first layers lie side by side in one: a single product with the many features is what makes them quick.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import keras

from data.contract import BadInputError, did_you_mean


@dataclasses.dataclass(frozen=True)
class Hyperparameters:
    """What a fit is made with; the Tuner searches over it and contracts may set it.

    Raises:
      BadInputError: a value is outside its range.
    """

    width: int = 48
    """Units of each hidden layer."""
    depth: int = 2
    """Hidden layers."""
    input_dropout: float = 0.1
    """Share of features dropped in training, for all members the same."""
    dropout: float = 0.2
    """Share of hidden units dropped in training."""
    batch_normalization: bool = False
    """Whether hidden layers are normalised over the batch."""
    learning_rate: float = 1.5e-3
    """Peak of the schedule: linear warm-up, then cosine decay."""
    weight_decay: float = 1.0
    """Decoupled decay of AdamW, per step and relative to the learning rate; biases are not decayed."""
    batch_size: int = 256
    """Rows per step."""
    epochs: int = 14
    """Passes over the training rows, over which the schedule decays; early stopping may end sooner."""
    members: int = 3
    """Nets in the average."""

    def __post_init__(self) -> None:
        for name, low, high in (
            ("width", 1, 4096),
            ("depth", 1, 16),
            ("input_dropout", 0.0, 0.9),
            ("dropout", 0.0, 0.9),
            ("learning_rate", 1e-6, 1.0),
            ("weight_decay", 0.0, 10.0),
            ("batch_size", 1, 1 << 20),
            ("epochs", 1, 10_000),
            ("members", 1, 64),
        ):
            value = getattr(self, name)
            whole = isinstance(low, int)
            if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
                raise BadInputError(f"hyperparameter {name}: expected a {'whole ' * whole}number, got {value!r}")
            if not low <= value <= high:
                raise BadInputError(f"hyperparameter {name}: expected {low} to {high}, got {value!r}")
        if not isinstance(self.batch_normalization, bool):
            raise BadInputError(
                f"hyperparameter batch_normalization: expected true or false, got {self.batch_normalization!r}"
            )

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Hyperparameters:
        """Defaults with some values replaced, as a contract or a tuner gives them.

        Raises:
          BadInputError: a name is unknown or a value is outside its range.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        for name in values:
            if name not in known:
                raise BadInputError(f"unknown hyperparameter {name!r}{did_you_mean(name, known)}")
        return cls(**values)

    def asdict(self) -> dict[str, Any]:
        """Plain values by name, as JSON and TFX take them."""
        return dataclasses.asdict(self)


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
