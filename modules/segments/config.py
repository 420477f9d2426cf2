"""The settings that the graph hands to the stages of the segment model."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from data.contract import Contract, View


@dataclasses.dataclass(frozen=True)
class SegmentConfig:
    """The `custom_config` of a stage.

    It is part of the stage's cache key, so the graph sets only the fields that the stage uses.
    """

    contract: Contract
    view_name: str
    """The view by which customers are segmented."""
    code: str = ""
    """Fingerprint of the code behind the stage, so that the cache notices a change."""
    method: str = "auto"
    """`auto` tries all methods; or the one method to try."""
    fewest: int = 2
    most: int = 10
    """Numbers of clusters to try."""
    seed: int = 0
    synthetic: bool = False
    """Whether the rows are the synthetic sample."""
    names: str = ""
    """The marketing team's names as JSON: generated name to new name."""

    @property
    def view(self) -> View:
        _, view = self.contract.view(self.view_name)
        return view

    def to_config(self) -> dict[str, Any]:
        """The fields as TFX stores them: JSON types, the contract as JSON text."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {**fields, "contract": self.contract.model_dump_json()}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> SegmentConfig:
        """The inverse of :meth:`to_config`; fields that are absent keep their defaults."""
        return cls(**{**config, "contract": Contract.model_validate_json(config["contract"])})
