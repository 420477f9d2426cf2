"""The first screen: how many kinds of customers there are, who they are, and how far to believe it."""

from __future__ import annotations

from pathlib import Path

from analysis.segmentation import CandidateFigures, Segment
from modules.segments.rule import NOT_CLEARER, UNSTABLE
from pages.blocks import Tile
from pages.formatting import UNKNOWN, number, percent, times
from pages.marks import badge, bar, group_style
from report.overview import Caution, Kind, Overview, verdict
from report.segments import words
from report.segments.belief import REASONABLE, WEAK
from report.segments.cards import card_name, in_a_few_words, offers, overall_rate
from report.segments.gather import SegmentReport

MOST_TILES = 4
"""In a row; the most important ones come first."""
ALMOST_THE_SAME = 0.9
"""Adjusted Rand index from which on segments are called so."""


def overview(report: SegmentReport) -> Overview:
    """The first screen of a run."""
    data, view = report.summary.dataset, report.segmentation.view
    repeated = "" if data.distinct is None else f", {number(data.distinct)} different"
    return Overview(
        headline=_headline(report),
        blessed=report.summary.gate.blessed,
        verdict=verdict(report.summary),
        synthetic=data.synthetic,
        caution=Caution(_how_far_to_believe(report), "belief", "How far to believe it"),
        facts=[
            ("Data", data.contract + (", synthetic sample" if data.synthetic else "")),
            ("Source", Path(data.source).name),
            ("Customers", f"{number(data.rows)} rows{repeated}"),
            ("View", f"{view}, {len(report.segmentation.columns)} columns"),
            ("Method", words.way(report.search.chosen)),
            ("Quarantined", f"{number(data.quarantined)} rows"),
        ],
        tiles=_tiles(report)[:MOST_TILES],
        kinds=[_kind(report, segment) for segment in report.by_share],
    )


def _headline(report: SegmentReport) -> str:
    count, view = len(report.segmentation.segments), report.segmentation.view
    shares = [segment.shares["train"] for segment in report.by_share]
    most, least = ("larger", "smaller") if count == 2 else ("largest", "smallest")
    sizes = f"the {most} is {percent(shares[0])} of them, the {least} {percent(shares[-1])}"
    if report.summary.gate.blessed:
        return f"{words.counted(count).capitalize()} kinds of customers by {view}: {sizes}."
    return f"No segmentation by {view} passed the gate. The best one has {words.counted(count)} segments."


def _how_far_to_believe(report: SegmentReport) -> str:
    best = report.search.best
    if best.stability >= ALMOST_THE_SAME:
        alike = "almost the same segments"
    else:
        alike = "different segments" if UNSTABLE in best.refusals else "similar segments"
    clear = "but the segments are no clearer" if NOT_CLEARER in best.refusals else "and the segments are clearer"
    return (
        f"Different halves of the customers give {alike} (stability {number(best.stability, 2)}; 1 is identical, 0 is "
        f"chance), {clear} than those of shuffled columns (macro silhouette "
        f"{number(best.macro_silhouette, 2)} against {number(best.null_silhouette, 2)}, in "
        f"{words.space(best.candidate, report.search)}){_overlap(best)}."
    )


def _overlap(best: CandidateFigures) -> str:
    """How far segments overlap by their macro silhouette, with the bounds of Kaufman and Rousseeuw (1990)."""
    if best.macro_silhouette > REASONABLE:
        return ""
    many = "some" if best.macro_silhouette > WEAK else "many"
    return f"; they overlap, and {many} customers are between two of them"


def _tiles(report: SegmentReport) -> list[Tile]:
    best, found = report.search.best, report.segmentation
    return [
        *_rate_tile(report),
        Tile(
            "stability",
            number(best.stability, 2),
            "stability: adjusted Rand index between segments of different halves of the customers",
            f"1 is identical, 0 is chance; {number(best.seed_stability, 2)} between random seeds",
        ),
        Tile(
            "silhouette",
            number(found.macro_silhouette, 2),
            f"macro silhouette on test, in {words.space(best.candidate, report.search)}",
            f"{number(best.null_silhouette, 2)} for shuffled columns"
            + words.in_full_space("; micro silhouette {}", found.full_silhouette, best.candidate, report.search),
        ),
        Tile(
            "rules",
            percent(found.rules.accuracy),
            f"of test customers find their segment with at most {words.counted(found.rules.depth)} questions",
            "a decision tree instead of the model",
        ),
        *_agreement_tile(report),
    ]


def _rate_tile(report: SegmentReport) -> list[Tile]:
    """The segment with most positive rows, where there is a label."""
    many, average = report.summary.dataset.words.many, overall_rate(report)
    rated = [(s.label_rate, s) for s in report.by_share if s.label_rate is not None]
    if not rated or not average:
        return []
    rate, best = max(rated, key=lambda pair: pair[0])
    return [
        Tile(
            "rate",
            times(rate / average),
            f"as many {many} as average among: {best.name}",
            f"{percent(rate, 1)} {many} there, {percent(average, 1)} among all customers",
        )
    ]


def _agreement_tile(report: SegmentReport) -> list[Tile]:
    if report.segmentation.agreement is None:
        return []
    return [
        Tile(
            "agreement",
            number(report.segmentation.agreement, 2),
            "agreement with the last blessed model: adjusted Rand index on the test customers",
            "1 is identical, 0 is chance",
        )
    ]


def _kind(report: SegmentReport, segment: Segment) -> Kind:
    share = segment.shares["train"]
    style = group_style(segment.number)
    return Kind(
        card_name(segment),
        badge(segment.number),
        segment.name,
        percent(share),
        bar(share, style),
        _in_a_line(report, segment),
    )


def _in_a_line(report: SegmentReport, segment: Segment) -> str:
    """What the customers are like, what to offer them, and how many are positive."""
    parts = [in_a_few_words(segment, report.flags) or UNKNOWN]
    best = next(iter(offers(segment, report.flags)), None)
    if best:
        parts.append(f"Offer first: {words.column(best.column)}, {times(best.index)} the average")
    if segment.label_rate is not None:
        parts.append(f"{percent(segment.label_rate, 1)} {report.summary.dataset.words.many}")
    return ". ".join(parts) + "."
