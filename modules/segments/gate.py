"""The gate: the bounds that a segmentation must keep to be blessed."""

from __future__ import annotations

from analysis.segmentation import SearchResult, Segmentation
from modules.segments.rule import DEVIATIONS, MIN_GAIN, MIN_SHARE, MIN_STABILITY
from runs.summary import Check


def checks(search: SearchResult, segmentation: Segmentation) -> tuple[Check, ...]:
    """Every bound, kept or not.

    Args:
      search: measured on a sample of the training split, before the model was exported.
      segmentation: measured with the exported model on every row.
    """
    best = search.best
    gain = max(MIN_GAIN, DEVIATIONS * best.null_deviation)
    smallest = min(segment.shares["train"] for segment in segmentation.segments)
    different = segmentation.different
    return (
        _at_least("silhouette_above_chance", best.macro_silhouette - best.null_silhouette, gain),
        _at_least("stability", best.stability, MIN_STABILITY),
        _at_least("smallest_segment", smallest, MIN_SHARE),
        Check("served_as_trained", different == 0, True, different == 0),
    )


def _at_least(name: str, value: float, bound: float) -> Check:
    return Check(name, value if value == value else None, bound, value >= bound)
