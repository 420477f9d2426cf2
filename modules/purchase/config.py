"""The settings that the graph hands to the Transform, Tuner and Trainer stages."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from data.contract import Contract


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
    """The `custom_config` of a stage.

    It is part of the stage's cache key, so the graph sets only the fields that the stage uses.
    """

    contract: Contract
    with_after_call: bool = False
    """Whether columns known only after the call are features too."""
    code: str = ""
    """Fingerprint of the code behind the stage, so that the cache notices a change."""
    seed: int = 0
    """Seed of the search and of the fit."""
    trials: int = 0
    """Number of hyperparameter sets that the Tuner tries."""
    members: int | None = None
    """Number of nets in the ensemble; None means the contract's or the default number."""
    synthetic: bool = False
    """Whether the rows are the synthetic sample."""

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the model's inputs."""
        return self.contract.features(self.with_after_call)

    def to_config(self) -> dict[str, Any]:
        """The fields as TFX stores them: JSON types, the contract as JSON text."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {**fields, "contract": self.contract.model_dump_json()}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> TrainingConfig:
        """The inverse of :meth:`to_config`; fields that are absent keep their defaults."""
        return cls(**{**config, "contract": Contract.model_validate_json(config["contract"])})
