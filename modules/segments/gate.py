"""The gate: the bounds that a segmentation must keep to be blessed."""

from __future__ import annotations

from analysis.segmentation import SearchResult, Segmentation
from modules.segments.rule import NOT_CLEARER, SEED_DEPENDENT, SMALLEST, STABLE, UNSTABLE, least_above
from runs.summary import Check


def checks(search: SearchResult, segmentation: Segmentation) -> tuple[Check, ...]:
    """Every bound, kept or not: those of the rule that chose, see `modules.segments.rule`, and those of the model.

    Args:
      search: measured on a sample of the training split, before the model was exported.
      segmentation: measured with the exported model on every row.
    """
    best = search.best
    above, bound = best.macro_silhouette - best.null_silhouette, least_above(best)
    smallest = min(segment.shares["train"] for segment in segmentation.segments)
    same = segmentation.different == 0
    return (
        Check("silhouette_above_shuffled", _known(above), bound, NOT_CLEARER not in best.refusals),
        Check("stability", _known(best.stability), STABLE, UNSTABLE not in best.refusals),
        Check("seed_stability", _known(best.seed_stability), STABLE, SEED_DEPENDENT not in best.refusals),
        Check("smallest_segment", smallest, SMALLEST, smallest >= SMALLEST),
        Check("served_as_trained", same, True, same),
    )


def _known(value: float) -> float | None:
    return None if value != value else value
