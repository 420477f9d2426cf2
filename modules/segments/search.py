"""The search: fits and measures every candidate on a sample, and chooses one by the rule."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from threadpoolctl import threadpool_limits

from analysis import segmentation
from analysis.clusters import knee
from analysis.segmentation import (
    METHOD_NAMES,
    REPRESENTATION_NAMES,
    AutoencoderFit,
    Candidate,
    CandidateFigures,
    Knee,
    Method,
    PublishedResult,
    SearchResult,
)
from data.errors import BadFileError
from modules.segments import rule
from modules.segments.autoencoder import Autoencoder
from modules.segments.measure import Measured, between, measure
from modules.segments.published import Repetition, repeat
from modules.segments.reference import Reference, reference
from modules.segments.representation import Representation
from modules.segments.rows import Rows

SAMPLE_ROWS = 8_000
"""Rows that the search wants: principal components and autoencoders are fitted on all of them."""
MEASURED_ROWS = 2_500
"""Rows of the sample on which candidates are fitted and measured; half-samples have half as many."""


@dataclass(frozen=True)
class SearchOutcome:
    """What the search found.

    Attributes:
      result: what was tried and chosen.
      representations: fitted on the sample, by name; at least those of the candidates.
    """

    result: SearchResult
    representations: Mapping[segmentation.Representation, Representation]


def search(
    view: str,
    sample: Rows,
    candidates: Sequence[Candidate],
    seed: int,
    published: Sequence[Repetition],
    say: Callable[[str], None],
) -> SearchOutcome:
    """Fits and measures every candidate on a sample, and chooses one.

    Args:
      view: name of the contract's view, for messages.
      sample: training customers, best `SAMPLE_ROWS` of them, drawn at random.
      candidates: what to try, at least one. Those with more segments than different customers are left out.
      seed: of everything that is drawn.
      published: published segmentations, each with the customers of `sample` in the same order.
      say: takes lines about the progress.

    Returns:
      The figures of all candidates, the chosen one, and the fitted representations.

    Raises:
      BadFileError: The customers differ too little for any candidate.
    """
    measured_rows = np.sort(np.random.default_rng(seed).permutation(len(sample))[:MEASURED_ROWS])
    candidates = _possible(view, sample.take(measured_rows), candidates)
    clusters = sorted({candidate.clusters for candidate in candidates})
    say("fits representations of the sample, of its halves and of its shuffled columns")
    names = {candidate.representation for candidate in candidates}
    beside = reference(sample, measured_rows, names, clusters[-1], seed)
    full_distances = between(beside.rows.features)
    # The products are small: one thread for each candidate gains more than several for each product.
    with threadpool_limits(1), ThreadPoolExecutor(os.cpu_count()) as pool:
        measured = _measure(beside, full_distances, candidates, seed, pool, say)
        repeated = _repeat(published, measured_rows, full_distances, clusters, seed, pool, say)
    figures = [dataclasses.replace(each.figures, refusals=rule.refusals(each.figures)) for each in measured]
    chosen = rule.choose(figures)
    matrix = next(each.agreement for each in measured if each.figures.candidate == chosen.candidate)
    result = SearchResult(
        view=view,
        rows=len(beside.rows),
        figures=tuple(figures),
        chosen=chosen.candidate,
        reason=rule.reason(chosen, figures),
        knees=_knees(figures),
        explained_variance=beside.components.explained_variance if beside.components else (),
        components=beside.components.kept if beside.components else 0,
        autoencoder=_autoencoder_fit(beside.autoencoder, sample, figures) if beside.autoencoder else None,
        stability_matrix=tuple(tuple(line) for line in matrix.tolist()),
        published=tuple(repeated),
    )
    return SearchOutcome(result, {name: fits.own for name, fits in beside.fits.items()})


def _possible(view: str, rows: Rows, candidates: Sequence[Candidate]) -> list[Candidate]:
    """The candidates with at most as many segments as different customers, in both encodings."""
    different = min(len(np.unique(encoding, axis=0)) for encoding in (rows.features, rows.gower))
    possible = [candidate for candidate in candidates if candidate.clusters <= different]
    if not possible:
        smallest = min(candidate.clusters for candidate in candidates)
        raise BadFileError(
            f"view {view}: {smallest} segments need at least {smallest} different customers; "
            f"by {', '.join(rows.columns)} only {different} of {len(rows)} customers differ"
        )
    return possible


def _measure(
    beside: Reference,
    full_distances: np.ndarray,
    candidates: Sequence[Candidate],
    seed: int,
    pool: Executor,
    say: Callable[[str], None],
) -> list[Measured]:
    """In the order of the candidates; the spaces are built once for all candidates of a method and representation."""
    groups: dict[tuple[Method, segmentation.Representation], list[Candidate]] = {}
    for candidate in candidates:
        groups.setdefault((candidate.method, candidate.representation), []).append(candidate)
    measured: dict[Candidate, Measured] = {}
    for (method, representation), group in groups.items():
        say(f"tries {METHOD_NAMES[method]} on {REPRESENTATION_NAMES[representation]}")
        spaces = beside.spaces(method, representation)
        one = partial(measure, spaces=spaces, full_distances=full_distances, seed=seed)
        measured.update(zip(group, pool.map(one, group), strict=True))
    return [measured[candidate] for candidate in candidates]


def _knees(figures: Sequence[CandidateFigures]) -> tuple[Knee, ...]:
    spaces: dict[tuple[Method, segmentation.Representation], dict[int, float]] = {}
    for each in figures:
        candidate = each.candidate
        spaces.setdefault((candidate.method, candidate.representation), {})[candidate.clusters] = each.loss
    return tuple(
        Knee(method, representation, knee(sorted(losses), [losses[clusters] for clusters in sorted(losses)]))
        for (method, representation), losses in spaces.items()
    )


def _autoencoder_fit(autoencoder: Autoencoder, sample: Rows, figures: Sequence[CandidateFigures]) -> AutoencoderFit:
    """How well it restores rows that it did not learn from, and whether the best segments on its code come again."""
    best = rule.choose([each for each in figures if each.candidate.representation == "autoencoder"])
    return AutoencoderFit(
        code=autoencoder.code,
        loss=autoencoder.loss,
        held_out_loss=autoencoder.held_out_loss,
        errors=autoencoder.errors(sample.features[autoencoder.held_out], sample.owners, sample.columns),
        seed_agreement=best.seed_stability,
    )


def _repeat(
    published: Sequence[Repetition],
    measured_rows: np.ndarray,
    full_distances: np.ndarray,
    clusters: Sequence[int],
    seed: int,
    pool: Executor,
    say: Callable[[str], None],
) -> list[PublishedResult]:
    """Publications of the same columns and scaling share what is fitted."""
    groups: dict[tuple[tuple[str, ...], str], list[Repetition]] = {}
    for each in published:
        groups.setdefault((each.published.columns, each.published.scaling), []).append(each)
    results: list[PublishedResult] = []
    for group in groups.values():
        say(f"repeats {', '.join(each.published.title for each in group)}")
        results += repeat(group, measured_rows, full_distances, clusters, seed, pool)
    return results
