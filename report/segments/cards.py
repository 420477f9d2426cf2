"""For planning an offer: each segment as a card, and how the segments differ."""

from __future__ import annotations

import math
from collections.abc import Sequence

from analysis.segmentation import Median, Segment, ValueShare
from modules.segments.words import YES, quantity
from pages.blocks import Card, Fact, Facts, Paragraph, Section
from pages.formatting import number, percent, percents, times
from pages.marks import badge, bar, group_style, position
from report.segments import words
from report.segments.gather import SegmentReport

SETS_APART, OFFERS, MOST_FLAGS, ALSO, MEDIANS = 3, 3, 8, 3, 4
"""Values of each kind that a card shows."""
LEAST_INDEX = 1.1
"""From this index on a value is called more frequent than average."""


def segments(report: SegmentReport) -> Section:
    """A card for each segment, the largest first."""
    text = (
        "Each card is one kind of customers. An index compares a share with that of all customers: 2.0 × is twice as "
        "frequent as on average. The dashed line in a bar is the average of all customers, and the thin line the 95 % "
        "interval. The number of a segment is the model's output “segment”. Values are those of the training customers."
    )
    cards = [_card(report, segment) for segment in report.by_share]
    return Section("segments", "The kinds of customers", [Paragraph("how-to-read", text), *cards])


def card_name(segment: Segment) -> str:
    """The card's place in links."""
    return f"segment-{segment.number}"


def offers(segment: Segment, flags: frozenset[str]) -> list[ValueShare]:
    """What the segment has more often than all customers, by lift: describing flags whose interval is above average."""
    return [value for value in frequent(segment.described) if value.column in flags and value.value in YES]


def frequent(values: Sequence[ValueShare]) -> list[ValueShare]:
    """The values that are more frequent than average, and not by chance, by lift."""
    found = [value for value in values if value.low > value.overall and value.index >= LEAST_INDEX]
    return sorted(found, key=lambda value: -value.index)


def in_a_few_words(segment: Segment, flags: frozenset[str]) -> str:
    """What sets the segment apart: `98 % Jumlah Anak: 0 children, 69 % Usia: 45 to 59 years`."""
    return ", ".join(f"{percent(value.share)} {words.value(value, flags)}" for value in segment.over_represented[:2])


def overall_rate(report: SegmentReport) -> float | None:
    """Share of positive rows in train; None without a label."""
    return report.summary.splits["train"].label_rate


def _card(report: SegmentReport, segment: Segment) -> Card:
    style = group_style(segment.number)
    parts = [
        _set_apart(segment, report.flags, style),
        _middle(segment.medians, "medians", "Medians that differ most", style),
        _typical(segment, report.flags),
        _offers(segment, report.flags, style),
        _also(segment, report.flags, style),
        _middle(segment.described_medians, "described-medians", "What they have: medians", style),
        _rate(report, segment, style),
        _distinct(report, segment, style),
    ]
    return Card(
        card_name(segment),
        badge(segment.number),
        segment.name,
        percent(segment.shares["train"]),
        f"of customers, {number(segment.rows)} in training",
        [] if report.segmentation.agreement is None else [_continues(segment)],
        [part for part in parts if part.facts],
    )


def _continues(segment: Segment) -> str:
    if segment.continues is None:
        return "New: it continues no segment of the last blessed model."
    if segment.continues == segment.name:
        return "It continues the segment of the same name of the last blessed model."
    return f"It continues “{segment.continues}” of the last blessed model."


def _set_apart(segment: Segment, flags: frozenset[str], style: str) -> Facts:
    facts = [_share(value, words.value(value, flags), style) for value in segment.over_represented[:SETS_APART]]
    return Facts("set-apart", "What sets them apart", facts)


def _middle(medians: Sequence[Median], name: str, title: str, style: str) -> Facts:
    facts = [
        Fact(
            words.column(entry.column),
            quantity(entry.median, entry.unit),
            f"all customers {quantity(entry.overall, entry.unit)}",
            None if math.isnan(entry.median) else position(words.position(entry), style),
        )
        for entry in sorted(medians, key=_remarkable)[:MEDIANS]
    ]
    return Facts(name, title, facts)


def _remarkable(entry: Median) -> float:
    """Sorts medians by their distance from the middle of all customers, unknown ones last."""
    return 1.0 if math.isnan(entry.median) else -abs(words.position(entry) - 0.5)


def _typical(segment: Segment, flags: frozenset[str]) -> Facts:
    told = {name: value for name, value in segment.typical.items() if name not in flags}
    owned = [words.column(name) for name in flags if segment.typical.get(name) in YES]
    facts = [Fact(words.column(name), value) for name, value in told.items()]
    facts += [Fact("yes for", ", ".join(sorted(owned)))] if owned else []
    return Facts("typical", "A typical customer, who is real", facts)


def _offers(segment: Segment, flags: frozenset[str], style: str) -> Facts:
    """What its customers have, by lift, and which of it to offer first."""
    had = sorted((v for v in segment.described if v.column in flags and v.value in YES), key=lambda v: -v.index)
    facts = [_share(value, words.column(value.column), style) for value in had[:MOST_FLAGS]]
    first = [words.column(value.column) for value in offers(segment, flags)[:OFFERS]]
    note = (
        f"Offer first: {words.listed(first)}, to those who do not have it yet. Customers like them have it more often."
        if first
        else "They have none of it clearly more often than others, so no offer comes first."
    )
    return Facts("offers", "What they have, and what to offer", facts, note)


def _also(segment: Segment, flags: frozenset[str], style: str) -> Facts:
    """One value of each describing column that is neither a flag nor a number, by lift."""
    numbers = {entry.column for entry in segment.described_medians}
    found: dict[str, ValueShare] = {}
    for value in frequent(segment.described):
        if value.column not in flags | numbers:
            found.setdefault(value.column, value)
    facts = [_share(value, words.value(value, flags), style) for value in list(found.values())[:ALSO]]
    return Facts("also", "More frequent than average", facts)


def _rate(report: SegmentReport, segment: Segment, style: str) -> Facts:
    many, average = report.summary.dataset.words.many, overall_rate(report)
    if segment.label_rate is None or segment.label_low is None or segment.label_high is None:
        return Facts("rate", "", [])
    limits = (segment.label_low, segment.label_high)
    index = f", {times(segment.label_rate / average)}" if average else ""
    fact = Fact(
        many.capitalize(),
        percent(segment.label_rate, 1),
        f"{percents(*limits, 1)}; average {percent(average, 1)}{index}",
        bar(segment.label_rate, style, limits, average),
    )
    return Facts("rate", f"How many are {many}", [fact])


def _distinct(report: SegmentReport, segment: Segment, style: str) -> Facts:
    where = words.space(report.search.chosen, report.search)
    facts = [
        Fact(
            "Silhouette",
            number(segment.silhouette, 2),
            f"in {where}; {number(report.segmentation.silhouette, 2)} over all segments",
            None
            if math.isnan(segment.silhouette)
            else bar(segment.silhouette, style, average=report.segmentation.silhouette),
        ),
        Fact("Unusual customers", percent(segment.outliers, 1), "farther from the centre than 99 % in training"),
    ]
    return Facts("distinct", "How distinct they are", facts)


def _share(value: ValueShare, what: str, style: str) -> Fact:
    limits = (value.low, value.high)
    return Fact(what, percent(value.share), words.compared(value), bar(value.share, style, limits, value.overall))
