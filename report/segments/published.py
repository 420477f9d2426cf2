"""Published segmentations of the same customers, repeated."""

from __future__ import annotations

import math
from collections.abc import Sequence

from analysis.segmentation import REPRESENTATION_NAMES, PublishedResult
from pages.blocks import Block, Lines, Paragraph, Section, Table
from pages.formatting import UNKNOWN, number, percent
from report.segments import words
from report.segments.gather import SegmentReport

FEW_COLUMNS = 3
"""Up to so many columns of a published result are named, and their ranges in its segments told."""


def published(report: SegmentReport) -> Section:
    """Published segmentations of these rows, repeated; the contract must name some."""
    text = (
        "The contract names published segmentations of these customers. Each was repeated with K-Means on the columns "
        "and with the number of clusters of its authors."
    )
    blocks: list[Block] = [Paragraph("published", text), _published_table(report.search.published)]
    for number_, result in enumerate(report.search.published):
        blocks.append(Paragraph(f"published-{number_}", _what_it_is(result)))
        if _has_ranges(result):
            shares = zip(result.shares, result.ranges, strict=True)
            blocks.append(Lines(f"published-{number_}", [f"{percent(share)}: {text}" for share, text in shares]))
    return Section("published", "Published results, repeated", blocks)


def _published_table(results: Sequence[PublishedResult]) -> Table:
    cells = [
        (
            _named(result),
            str(result.clusters),
            number(result.published_silhouette, 2),
            number(result.silhouette, 2),
            number(result.macro_silhouette, 2),
            number(result.null_silhouette, 2),
            number(result.full_silhouette, 2),
            number(result.stability, 2),
            UNKNOWN if result.knee is None else str(result.knee),
        )
        for result in results
    ]
    head = (
        "Result",
        "k",
        "Silhouette, published",
        "Measured, own space",
        "Macro, own space",
        "Shuffled columns, macro",
        "Measured, full space",
        "Stability",
        "Knee",
    )
    return Table("published", "Published and measured", head, cells)


def _what_it_is(result: PublishedResult) -> str:
    """One sentence on what a published result shows."""
    few = len(result.columns) <= FEW_COLUMNS
    of = words.listed(map(words.column, result.columns)) if few else f"{len(result.columns)} columns"
    measured = f"silhouette {number(result.silhouette, 2)} in that space"
    if result.published_silhouette is not None:
        measured += f", where {number(result.published_silhouette, 2)} was published"
    gain = result.macro_silhouette - result.null_silhouette
    if math.isnan(gain) or gain <= 0:
        structure = "no clearer than segments of shuffled columns, so it shows no relation between the columns"
    else:
        structure = (
            f"{number(gain, 2)} above the {number(result.null_silhouette, 2)} of shuffled columns, which is what the "
            "relation between the columns adds"
        )
    sizes = f"{percent(result.shares[0], 1)} to {percent(result.shares[-1], 1)}"
    ranges = " The lines below give the middle 90 % of each number, by segment." if _has_ranges(result) else ""
    return (
        f"{_named(result)} ({of}), {result.clusters} segments of {sizes} of the customers: {measured}; its macro "
        f"silhouette is {structure}.{ranges}"
    )


def _has_ranges(result: PublishedResult) -> bool:
    """Whether it has few columns and numbers among them."""
    return len(result.columns) <= FEW_COLUMNS and any(result.ranges)


def _named(result: PublishedResult) -> str:
    return f"{result.title}, on {REPRESENTATION_NAMES[result.representation]}"
