"""The hyperparameters of a fit, with their ranges."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from data.errors import BadOptionError, did_you_mean


@dataclasses.dataclass(frozen=True)
class Hyperparameters:
    """The hyperparameters of a fit. The Tuner searches some of them, and contracts may set all.

    Raises:
      BadOptionError: a value is outside its range.
    """

    width: int = 48
    """Units of each hidden layer."""
    depth: int = 2
    """Hidden layers."""
    input_dropout: float = 0.1
    """Share of features dropped in training, the same ones for the whole ensemble."""
    dropout: float = 0.2
    """Share of hidden units dropped in training."""
    batch_normalization: bool = False
    """Whether hidden layers are followed by batch normalisation."""
    learning_rate: float = 2e-3
    """Highest learning rate of the schedule, which is a linear warm-up and then a cosine decay."""
    weight_decay: float = 1.0
    """Weight decay of AdamW, per step and relative to the learning rate; biases do not decay."""
    batch_size: int = 512
    """Most rows per step; few rows are learned in smaller batches, see `training.FEWEST_STEPS`."""
    epochs: int = 14
    """Passes over the training rows; the schedule spans all of them, and early stopping may end training sooner."""
    members: int = 3
    """Number of nets in the ensemble."""

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
                raise BadOptionError(f"hyperparameter {name}: expected a {'whole ' * whole}number, got {value!r}")
            if not low <= value <= high:
                raise BadOptionError(f"hyperparameter {name}: expected {low} to {high}, got {value!r}")
        if not isinstance(self.batch_normalization, bool):
            raise BadOptionError(
                f"hyperparameter batch_normalization: expected true or false, got {self.batch_normalization!r}"
            )

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Hyperparameters:
        """The defaults, with the given values in their place.

        Raises:
          BadOptionError: a name is unknown or a value is outside its range.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        for name in values:
            if name not in known:
                raise BadOptionError(f"unknown hyperparameter {name!r}{did_you_mean(name, known)}")
        return cls(**values)

    def asdict(self) -> dict[str, Any]:
        """The values by name."""
        return dataclasses.asdict(self)
