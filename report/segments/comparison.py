"""The segments side by side, and beside those of the last blessed model."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from analysis.segmentation import Median, Segment, ValueShare
from modules.segments.words import YES
from pages.blocks import Block, Figure, Paragraph, Section, Table
from pages.charts import Row, around, rows
from pages.formatting import UNKNOWN, number, percent, percents, signed, times
from report.changes import settings_that_differ
from report.segments import words
from report.segments.cards import ALSO, SETS_APART, frequent, overall_rate
from report.segments.gather import SegmentReport

STRONG = 1.5
"""An index of 2 ** STRONG, or its inverse, has the strongest shade."""

Line = tuple[str, list[str], list[float | None]]
"""A row of the table: its header, and for each segment the text and the shade."""


def side_by_side(report: SegmentReport) -> Section:
    """A shaded table of all segments, their shares by split, and the rates of positive rows."""
    text = (
        "Orange is above the average of all customers, blue below it; the darker, the farther. A median is shaded by "
        "its position among all customers, an index by its size. A dash stands where a value is not "
        "among those that set a segment apart."
    )
    blocks: list[Block] = [Paragraph("shades", text), _heat(report), _shares(report)]
    if any(segment.label_rate is not None for segment in report.by_share):
        blocks.append(_rates(report))
    return Section("comparison", "The kinds side by side", blocks)


def _heat(report: SegmentReport) -> Table:
    found = report.by_share
    lines: list[Line] = [("Share of customers", [percent(s.shares["train"]) for s in found], [None] * len(found))]
    average = overall_rate(report)
    if average:
        rates = [segment.label_rate for segment in found]
        lines.append(
            (
                report.summary.dataset.words.many.capitalize(),
                [percent(rate, 1) for rate in rates],
                [None if rate is None else _of_index(rate / average) for rate in rates],
            )
        )
    lines += _medians(found, lambda segment: segment.medians)
    lines += _values(found, report.flags, _set_apart, _set_apart)
    lines += _medians(found, lambda segment: segment.described_medians)
    lines += _values(
        found, report.flags, lambda segment: _described(segment, report.flags), lambda segment: segment.described
    )
    head = ("Figure", *(f"{segment.number}: {segment.name}" for segment in found))
    caption = "Medians with their units, and the index of values against the average"
    return Table(
        "side-by-side",
        caption,
        head,
        [(name, *texts) for name, texts, _ in lines],
        heat=[shades for _, _, shades in lines],
    )


def _medians(found: Sequence[Segment], medians: Callable[[Segment], Sequence[Median]]) -> list[Line]:
    lines = []
    for entries in zip(*(medians(segment) for segment in found), strict=True):
        header = f"{words.column(entries[0].column)}, {words.of_unit(entries[0].unit)}"
        shades = [None if math.isnan(e.median) else 2 * words.position(e) - 1 for e in entries]
        lines.append((header, [words.bare(entry) for entry in entries], shades))
    return lines


def _values(
    found: Sequence[Segment],
    flags: frozenset[str],
    told: Callable[[Segment], Sequence[ValueShare]],
    known: Callable[[Segment], Sequence[ValueShare]],
) -> list[Line]:
    """The index of each value that is told of some segment, in all segments where it is known."""
    wanted = {(value.column, value.value): value for segment in found for value in told(segment)}
    columns = list(dict.fromkeys(column for column, _ in wanted))
    lines = []
    for key, example in sorted(wanted.items(), key=lambda item: (columns.index(item[0][0]), item[0][1])):
        indices = [next((v.index for v in known(segment) if (v.column, v.value) == key), None) for segment in found]
        header = words.column(example.column) if example.column in flags else words.value(example, flags)
        shades = [None if index is None else _of_index(index) for index in indices]
        lines.append((header, [times(index) for index in indices], shades))
    return lines


def _set_apart(segment: Segment) -> Sequence[ValueShare]:
    return segment.over_represented[:SETS_APART]


def _described(segment: Segment, flags: frozenset[str]) -> list[ValueShare]:
    """All flags, and the values more frequent than average that are no ranges of numbers, whose medians are told."""
    numbers = {entry.column for entry in segment.described_medians}
    owned = [value for value in segment.described if value.column in flags and value.value in YES]
    others = [value for value in frequent(segment.described) if value.column not in flags | numbers]
    return owned + others[:ALSO]


def _of_index(index: float) -> float | None:
    """The shade of an index: 0 for the average."""
    if math.isnan(index):
        return None
    return math.log2(index) / STRONG if index > 0 else -1.0


def _shares(report: SegmentReport) -> Figure:
    found, splits = report.by_share, list(report.summary.splits)
    largest = max((abs(s.shares[split] - s.shares["train"]), split, s.name) for s in found for split in splits)
    says = (
        f"No share differs between the splits by more than {number(100 * largest[0], 1)} percentage points "
        f"({largest[2]})."
    )
    chart = rows(
        "shares",
        "Share of each segment among the training customers",
        says,
        around("share of customers", [segment.shares["train"] for segment in found], percent, zero=True),
        [Row(f"{segment.number}: {segment.name}", segment.shares["train"]) for segment in found],
    )
    cells = [(f"{s.number}: {s.name}", *(percent(s.shares[split], 1) for split in splits)) for s in found]
    return Figure(chart, says, Table("shares", "Shares by split", ("Segment", *splits), cells))


def _rates(report: SegmentReport) -> Figure:
    many, average, found = report.summary.dataset.words.many, overall_rate(report), report.by_share
    entries, cells = [], []
    for segment in found:
        rate, low, high = segment.label_rate, segment.label_low, segment.label_high
        limits = None if low is None or high is None else (low, high)
        name = f"{segment.number}: {segment.name}"
        entries.append(Row(name, rate, limits))
        index = UNKNOWN if rate is None or not average else times(rate / average)
        cells.append((name, percent(rate, 1), percents(*limits, 1) if limits else UNKNOWN, index))
    says = f"{percent(average, 1)} of all customers are {many}. The line at each dot is the 95 % interval."
    ends = [end for entry in entries for end in entry.bar or ()]
    axis = around(f"share of {many}", [*ends, average], percent, zero=True)
    chart = rows("rates", f"{many.capitalize()} by segment", says, axis, entries, dots=True)
    head = ("Segment", many.capitalize(), "95 % interval", "Index")
    return Figure(chart, says, Table("rates", f"{many.capitalize()} by segment", head, cells))


def changes(report: SegmentReport) -> Section:
    """Which segments continue those of the last blessed model, and which settings differ."""
    title, before, agreement = "What changed since the last blessed run", report.previous, report.segmentation.agreement
    if before is None:
        return Section("changes", title, [Paragraph("no-previous", "There is no earlier blessed run to compare with.")])
    text = (
        f"Agreement with the segments of run {before.run_id} on the same test customers is {number(agreement, 2)} "
        "(adjusted Rand index; 1 is identical, 0 is chance)."
    )
    shares = {segment.name: segment.shares.get("train") for segment in before.segments}
    cells = []
    for segment in report.by_share:
        then, now = shares.pop(segment.continues or "", None), segment.shares["train"]
        difference = UNKNOWN if then is None else f"{signed(100 * (now - then), 1)}"
        cells.append((segment.name, segment.continues or "new", percent(then, 1), percent(now, 1), difference))
    cells += [(UNKNOWN, name, percent(share, 1), UNKNOWN, UNKNOWN) for name, share in shares.items()]
    head = ("Segment", "Continues", "Share before", "Share now", "Difference, points")
    caption = "Shares of train; a segment without a name now has no successor"
    continued = Table("continued", caption, head, cells, texts=frozenset({0, 1}))
    return Section(
        "changes", title, [Paragraph("agreement", text), continued, settings_that_differ(before, report.summary)]
    )
