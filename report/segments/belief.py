"""How far to believe the segments: silhouettes, the null reference, stability, the goal of 0.7, and rules."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from analysis.segmentation import CandidateFigures
from modules.segments.rule import STABLE
from pages.blocks import Block, Figure, Lines, Paragraph, Section, Table
from pages.charts import Band, around, bands
from pages.formatting import number, percent
from report.segments import words
from report.segments.gather import SegmentReport

GOAL, FEWEST, SMALLEST = 0.7, 3, 0.05
"""The silhouette that the first source system aimed at; how many segments of which share it needs to be shown."""

REASONABLE, WEAK = 0.5, 0.25
"""Average silhouettes above which Kaufman and Rousseeuw (1990, Finding Groups in Data) call a structure so."""
SHADED = 0.4
"""Difference from the bound of the stability that has the strongest shade."""


def belief(report: SegmentReport) -> Section:
    """Silhouette plot, stability matrix, and the sentence about the goal of the first source system."""
    best, found = report.search.best, report.segmentation
    where = words.space(best.candidate, report.search)
    text = (
        "A silhouette compares a customer's distance to the own segment with that to the next one: 1 is far from all "
        "others, 0 is between two segments, below 0 is nearer to another one. Kaufman and Rousseeuw (1990) call an "
        f"average above {REASONABLE:g} a reasonable structure, {WEAK:g} to {REASONABLE:g} a weak one, and less none."
    )
    macro = f"macro {number(found.macro_silhouette, 3)}, standard error {number(found.macro_error, 3)}"
    null = f"{number(best.null_silhouette, 3)} ± {number(best.null_deviation, 3)}"
    measured = (
        f"On the test customers the silhouette is {number(found.silhouette, 3)} in {where} ({macro})"
        f"{words.in_full_space(', and {}', found.full_silhouette, best.candidate, report.search)}. Shuffled columns, "
        f"which have no relation to each other, reach a macro silhouette of {null} in {where}."
    )
    served = (
        "The served model gives every customer the segment of training."
        if found.different == 0
        else f"The served model gives {number(found.different)} customers another segment than in training."
    )
    blocks: list[Block] = [
        Paragraph("silhouettes", text),
        Paragraph("measured", measured),
        Paragraph("goal", goal(report)),
        _plot(report),
        _matrix(report),
        Paragraph("served", served),
    ]
    return Section("belief", "How far to believe it", blocks)


def goal(report: SegmentReport) -> str:
    """Whether some candidate reaches the silhouette that the first source system aimed at, and else why not."""
    search = report.search
    aimed = f"The first source system aimed at a silhouette above {GOAL:g}."
    best = max(search.figures, key=lambda figures: (_reaches_goal(figures), figures.silhouette))
    figures = (
        f"{number(best.silhouette, 2)} in {words.space(best.candidate, search)} ({words.way(best.candidate)}, "
        f"{best.candidate.clusters} segments, the smallest {percent(best.smallest)} and the largest "
        f"{percent(best.largest)} of the customers, stability {number(best.stability, 2)})"
        f"{words.in_full_space('; the same segments have {}', best.full_silhouette, best.candidate, search)}; shuffled "
        f"columns reach {number(best.null_silhouette, 2)} (macro)"
    )
    if _reaches_goal(best):
        return f"{aimed} It is reached: {figures}."
    return (
        f"{aimed} No segmentation reaches it with a stability of at least {STABLE:g} and {words.counted(FEWEST)} or "
        f"more segments of at least {percent(SMALLEST)}: the highest silhouette is {figures}."
    )


def _reaches_goal(figures: CandidateFigures) -> bool:
    return (
        figures.silhouette > GOAL
        and figures.stability >= STABLE
        and figures.candidate.clusters >= FEWEST
        and figures.smallest >= SMALLEST
    )


def _plot(report: SegmentReport) -> Block:
    where = words.space(report.search.chosen, report.search)
    measured = [segment for segment in report.by_share if segment.silhouettes]
    if not measured:
        return Paragraph("no-silhouettes", "The silhouettes of the customers were not measured.")
    lowest = min(segment.silhouettes[0] for segment in measured)
    highest = max(segment.silhouettes[-1] for segment in measured)
    weak = min(measured, key=lambda segment: segment.silhouette)
    says = (
        f"Each line is a group of customers, and the height of a block the share of its segment. The least distinct "
        f"segment is {weak.name}, {number(weak.silhouette, 2)} on average. The dashed line is the average of all."
    )
    chart = bands(
        "silhouettes",
        "Silhouette of the customers of each segment",
        says,
        around("silhouette in the model's own space", [lowest, highest, 0.0], lambda v: f"{v:.2g}"),
        [Band(s.name, s.number, s.silhouettes, s.shares["train"]) for s in measured],
        report.segmentation.silhouette,
    )
    cells = [
        (
            f"{s.number}: {s.name}",
            number(s.silhouette, 3),
            *(number(float(np.quantile(s.silhouettes, level)), 3) for level in (0.05, 0.25, 0.5, 0.75, 0.95)),
            percent(float(np.mean(np.array(s.silhouettes) < 0))),
        )
        for s in measured
    ]
    head = ("Segment", "Mean", "5 %", "25 %", "Median", "75 %", "95 %", "Below 0")
    return Figure(chart, says, Table("silhouettes", f"Silhouettes in {where}", head, cells))


def _matrix(report: SegmentReport) -> Block:
    matrix = report.search.stability_matrix
    if len(matrix) < 2:
        return Paragraph("no-matrix", "Stability was not measured between pairs of fits.")
    pairs = [matrix[i][j] for i, j in combinations(range(len(matrix)), 2)]
    caption = (
        f"Stability: adjusted Rand index between fits on {len(matrix)} half-samples, from {number(min(pairs), 2)} to "
        f"{number(max(pairs), 2)}; blue is above {STABLE:g}, orange below"
    )
    names = [f"Half {i}" for i in range(1, len(matrix) + 1)]
    cells = [(name, *(number(value, 2) for value in line)) for name, line in zip(names, matrix, strict=True)]
    return Table(
        "stability",
        caption,
        ("Fit", *names),
        cells,
        heat=[[(STABLE - value) / SHADED for value in line] for line in matrix],
    )


def rules(report: SegmentReport) -> Section:
    """A small tree instead of the model."""
    found = report.segmentation.rules
    text = (
        f"A decision tree of depth {found.depth} puts {percent(found.accuracy, 1)} of the test customers into their "
        "segment. Each line is one of its leaves."
    )
    return Section("rules", "The segments as rules", [Paragraph("accuracy", text), Lines("rules", found.lines)])
