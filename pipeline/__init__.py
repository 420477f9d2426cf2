"""The TFX pipeline: its settings, its graph, its own components and its command line."""

from importlib import import_module
from typing import Any

_ARTIFACT_TYPES = {
    "Comparison": "benchmark",
    "ImportanceFigures": "feature_importance",
    "Scores": "scorer",
    "TrialBlessing": "blessings",
    "TrialFigures": "newest_months",
}
"""Artifact types of the purchase model's graph, and the component that each is defined with.

A container of Kubeflow imports an artifact's type by its name, which may have one dot: `pipeline.Scores`.
"""


def __getattr__(name: str) -> Any:
    if name not in _ARTIFACT_TYPES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.components.{_ARTIFACT_TYPES[name]}"), name)
