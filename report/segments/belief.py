"""How far to believe the segments: silhouettes, the null reference, stability, the goal of 0.7, and rules."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from analysis.segmentation import CandidateFigures
from modules.segments.rule import STABLE
from pages.blocks import Block, Figure, Lines, Paragraph, Section, Table
from pages.charts import Axis, Band, bands
from pages.formatting import number, percent
from report.segments import words
from report.segments.gather import SegmentReport

GOAL, FEWEST, SMALLEST = 0.7, 3, 0.05
"""The silhouette that the first source system aimed at; how many segments of which share it needs to be shown."""


def belief(report: SegmentReport) -> Section:
    """Silhouette plot, stability matrix, and the sentence about the goal of the first source system."""
    best, found = report.search.best, report.segmentation
    where = words.space(best.candidate, report.search)
    text = (
        "A silhouette compares a customer's distance to the own segment with that to the next one: 1 is far from all "
        "others, 0 is between two segments, below 0 is nearer to another one. Kaufman and Rousseeuw (1990) call an "
        "average above 0.5 a reasonable structure, 0.25 to 0.5 a weak one."
    )
    macro = f"macro {number(found.macro_silhouette, 3)}, standard error {number(found.macro_error, 3)}"
    null = f"{number(best.null_silhouette, 3)} ± {number(best.null_deviation, 3)}"
    measured = (
        f"On the test customers the silhouette is {number(found.silhouette, 3)} in {where} ({macro}), and "
        f"{number(found.full_silhouette, 3)} in {words.FULL}. Shuffled columns, which have no relation to each other, "
        f"reach a macro silhouette of {null} in {where}."
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
    reached = max(search.figures, key=lambda figures: (not _short_of_goal(figures), figures.silhouette))
    short = _short_of_goal(reached)
    says = (
        f"{number(reached.silhouette, 2)} in {words.space(reached.candidate, search)} ({words.way(reached.candidate)}, "
        f"{reached.candidate.clusters} segments); the same segments have {number(reached.full_silhouette, 2)} in "
        f"{words.FULL}, and shuffled columns reach {number(reached.null_silhouette, 2)}"
    )
    if not short:
        return (
            f"{aimed} One segmentation reaches it: {says}. Its stability is {number(reached.stability, 2)}, and its "
            f"largest segment is {percent(reached.largest)} of the customers."
        )
    return (
        f"{aimed} No segmentation reaches it with a stability of at least {STABLE:g} and {words.counted(FEWEST)} or "
        f"more segments of at least {percent(SMALLEST)}: the highest is {says}, and {words.listed(short)}."
    )


def _short_of_goal(figures: CandidateFigures) -> list[str]:
    """Why a candidate does not reach the goal; empty where it does."""
    reasons = []
    if figures.silhouette <= GOAL:
        reasons.append("it is below the goal")
    if figures.stability < STABLE:
        reasons.append(f"its stability is only {number(figures.stability, 2)}")
    if figures.candidate.clusters < FEWEST:
        reasons.append(f"it has only {words.counted(figures.candidate.clusters)} segments")
    if figures.smallest < SMALLEST:
        reasons.append(f"its smallest segment is {percent(figures.smallest, 1)} of the customers")
    return reasons


def _plot(report: SegmentReport) -> Figure:
    found, where = report.by_share, words.space(report.search.chosen, report.search)
    lowest = min(value for segment in found for value in segment.silhouettes)
    weak = min(found, key=lambda segment: segment.silhouette)
    says = (
        f"Each line is a group of customers, and the height of a block the share of its segment. The least distinct "
        f"segment is {weak.name}, {number(weak.silhouette, 2)} on average. The dashed line is the average of all."
    )
    chart = bands(
        "silhouettes",
        "Silhouette of the customers of each segment",
        says,
        Axis(f"silhouette in {where}", min(0.0, np.floor(lowest * 5) / 5), 1.0, lambda v: f"{v:.1f}"),
        [Band(s.name, s.number, s.silhouettes, s.shares["train"]) for s in found],
        report.segmentation.silhouette,
    )
    cells = [
        (
            f"{s.number}: {s.name}",
            number(s.silhouette, 3),
            *(number(float(np.quantile(s.silhouettes, level)), 3) for level in (0.05, 0.25, 0.5, 0.75, 0.95)),
            percent(float(np.mean(np.array(s.silhouettes) < 0))),
        )
        for s in found
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
        f"{number(max(pairs), 2)}"
    )
    names = [f"Half {i}" for i in range(1, len(matrix) + 1)]
    cells = [(name, *(number(value, 2) for value in line)) for name, line in zip(names, matrix, strict=True)]
    return Table("stability", caption, ("", *names), cells, heat=[[-value for value in line] for line in matrix])


def rules(report: SegmentReport) -> Section:
    """A small tree instead of the model."""
    found = report.segmentation.rules
    text = (
        f"A decision tree of depth {found.depth} puts {percent(found.accuracy, 1)} of the test customers into their "
        "segment. Each line is one of its leaves."
    )
    return Section("rules", "The segments as rules", [Paragraph("accuracy", text), Lines("rules", found.lines)])
