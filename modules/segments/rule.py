"""The rule that chooses among candidates.

1. A candidate is acceptable if all of these hold:
   - its segments are clearer than those of the null reference: its macro silhouette is at least `DEVIATIONS` standard
     deviations, at least `MARGIN`, and at least the share `RELATIVE_MARGIN` above the mean macro silhouette of the null
     reference. Of many candidates on noise, some are two deviations above it by chance, but only by a few percent;
   - it is stable: the mean adjusted Rand index between fits on half-samples is at least `STABLE`, and so is the one
     between fits with different seeds;
   - its smallest segment holds at least `SMALLEST` of the customers.
2. For each method in each representation the acceptable candidate with the best macro silhouette in its own space is
   kept. Of candidates with equal macro silhouettes, to three digits, the one with fewer segments is kept.
3. Silhouettes of different spaces cannot be compared: fewer dimensions give higher ones. Of the candidates kept, the
   one with the best macro silhouette in the space of all transformed columns is chosen. Of equal ones, to three digits,
   the one with fewer segments is chosen, and of those the first one tried.

Where no candidate is acceptable, steps 2 and 3 choose among all of them, for the report, and the model is not blessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from analysis.segmentation import (
    METHOD_NAMES,
    REPRESENTATION_NAMES,
    Candidate,
    CandidateFigures,
    Method,
    Representation,
)

DEVIATIONS = 2.0
MARGIN = 0.01
RELATIVE_MARGIN = 0.1
STABLE = 0.8
SMALLEST = 0.02

NOT_CLEARER = "segments are no clearer than in shuffled data"
UNSTABLE = "segments change from sample to sample"
SEED_DEPENDENT = "segments change with the seed of the fit"
TOO_SMALL = f"a segment has fewer than {SMALLEST:.0%} of the customers"


def least_above(figures: CandidateFigures) -> float:
    """How far the macro silhouette must be above that of the null reference."""
    return max(MARGIN, DEVIATIONS * figures.null_deviation, RELATIVE_MARGIN * figures.null_silhouette)


def refusals(figures: CandidateFigures) -> tuple[str, ...]:
    """Why a candidate is not acceptable, in the phrases above; empty where it is acceptable."""
    clearer = figures.macro_silhouette - figures.null_silhouette >= least_above(figures)
    checks = {
        NOT_CLEARER: clearer,
        UNSTABLE: figures.stability >= STABLE,
        SEED_DEPENDENT: figures.seed_stability >= STABLE,
        TOO_SMALL: figures.smallest >= SMALLEST,
    }
    return tuple(refusal for refusal, passed in checks.items() if not passed)


def choose(figures: Sequence[CandidateFigures]) -> CandidateFigures:
    """The candidate that the rule chooses.

    Args:
      figures: of every candidate, with their refusals; at least one.

    Returns:
      The best acceptable candidate, or the best of all where none is acceptable.
    """
    choices = [candidate for candidate in figures if candidate.acceptable] or list(figures)
    return _best(best_by_space(choices), "full_macro_silhouette")


def best_by_space(figures: Iterable[CandidateFigures]) -> list[CandidateFigures]:
    """The best of each method in each representation, by macro silhouette in its own space, in the order given."""
    spaces: dict[tuple[Method, Representation], list[CandidateFigures]] = {}
    for candidate in figures:
        spaces.setdefault((candidate.candidate.method, candidate.candidate.representation), []).append(candidate)
    return [_best(candidates, "macro_silhouette") for candidates in spaces.values()]


def reason(chosen: CandidateFigures, figures: Sequence[CandidateFigures]) -> str:
    """The choice in one sentence."""
    acceptable = sum(candidate.acceptable for candidate in figures)
    name = describe(chosen.candidate)
    if not acceptable:
        return f"None of {len(figures)} candidates is acceptable; the best is {name}, but {'; '.join(chosen.refusals)}."
    return (
        f"{name}: the best of {acceptable} acceptable candidates among {len(figures)}; macro silhouette "
        f"{chosen.macro_silhouette:.3f} against {chosen.null_silhouette:.3f} in shuffled data, "
        f"stability {chosen.stability:.2f}."
    )


def describe(candidate: Candidate) -> str:
    """Such as `K-Means on principal components, 5 segments`."""
    method, representation = METHOD_NAMES[candidate.method], REPRESENTATION_NAMES[candidate.representation]
    return f"{method} on {representation}, {candidate.clusters} segments"


def _best(figures: Sequence[CandidateFigures], silhouette: str) -> CandidateFigures:
    return max(figures, key=lambda figures: (round(getattr(figures, silhouette), 3), -figures.candidate.clusters))
