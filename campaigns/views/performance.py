"""The page of live performance: what calls brought by month and version of the model, against what was promised."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from analysis.campaigns import Estimate
from analysis.live_performance import FEWEST_CALLS, FEWEST_OF_EACH, Measured, Tenth
from campaigns.performance import LivePerformance
from campaigns.views.screen import NEW, PERFORMANCE, Screen, moment
from pages.blocks import Block, Figure, Lines, Link, Links, Notice, Paragraph, Section, Table
from pages.charts import Axis, Row, Series, around, curves, rows
from pages.formatting import UNKNOWN, euro, euros, interval, number, percent, percents
from pages.language import tr


def screen(found: Sequence[LivePerformance], waits_since: datetime | None) -> Screen:
    """The page.

    Args:
      found: the newest month first.
      waits_since: see `campaigns.store.overview.Overview`.
    """
    notices = list(_verdict(found))
    if waits_since:
        text = tr("A call list has no outcomes since it was frozen on {time}.", time=moment(waits_since))
        notices.append(Notice("waiting", tr("Outcomes are missing."), [text]))
    sections = [_months(found), _quality(found)] if found else [_nothing()]
    if found and (lift := _lift(found)):
        sections.insert(1, lift)
    return Screen(tr("Live performance"), sections, notices, here=PERFORMANCE)


def verdict(one: LivePerformance) -> str:
    """Whether the calls of a month bring what was promised; empty where no outcome is known."""
    measured = one.figures.together
    if measured is None:
        return ""
    realised = measured.realised
    known = tr(
        "{known} of {calls} outcomes are known.", known=number(realised.calls), calls=number(one.figures.foreseen.calls)
    )
    figures = {
        "buyers": number(realised.buyers),
        "calls": number(realised.calls),
        "low": number(realised.expected.low),
        "high": number(realised.expected.high),
    }
    if measured.held:
        says = tr(
            "Calls bring what was promised: {buyers} of {calls} customers bought, {low} to {high} were expected.",
            **figures,
        )
    elif realised.buyers < realised.expected.low:
        says = tr(
            "Fewer bought than promised: {buyers} of {calls} customers, {low} to {high} were expected.", **figures
        )
    elif realised.buyers > realised.expected.high:
        says = tr("More bought than promised: {buyers} of {calls} customers, {low} to {high} were expected.", **figures)
    else:
        says = tr(
            "As many bought as promised, but not the customers that were expected: the probabilities are wrong by "
            "{error} percentage points on average, where up to {limit} can be expected.",
            error=number(100 * measured.quality.ece, 1),
            limit=number(100 * measured.quality.ece_limit, 1),
        )
    return f"{says} {known}" if realised.calls < one.figures.foreseen.calls else says


def _verdict(found: Sequence[LivePerformance]) -> Iterator[Notice]:
    newest = next((one for one in found if one.figures.together), None)
    if newest and (measured := newest.figures.together):
        fewer = measured.realised.buyers < measured.realised.expected.low
        title = tr("{month}, version {version}.", month=newest.month, version=newest.version)
        yield Notice("verdict", title, [verdict(newest)], "good" if measured.held else "bad" if fewer else "plain")


def _nothing() -> Section:
    steps = [
        tr("Upload a list; the model that serves scores it."),
        tr(
            "Plan the budget and freeze the call list. From then on this page says what its calls are expected to "
            "bring."
        ),
        tr("Upload who was called and who bought. From then on it says whether they bring what was promised."),
    ]
    says = tr("No call list is frozen yet, so there is nothing to measure. Three steps lead here:")
    return Section(
        "nothing",
        tr("What this page will show"),
        [
            Paragraph("nothing", says),
            Lines("steps", steps),
            Links("start", [Link(tr("Start a new campaign"), NEW)]),
        ],
    )


def _months(found: Sequence[LivePerformance]) -> Section:
    text = tr(
        "Call lists by the month in which they were frozen and the version of the model that scored them. Calls whose "
        "outcome is not known do not count, neither do customers who were not called."
    )
    head = (
        tr("Month"),
        tr("Version"),
        tr("Verdict"),
        tr("Campaigns"),
        tr("Calls"),
        tr("Known"),
        tr("Buyers"),
        tr("Expected buyers"),
        tr("95 % interval"),
        tr("Profit"),
        tr("Expected profit"),
        tr("95 % interval"),
    )
    caption = tr("What calls brought, newest month first")
    blocks: list[Block] = [Paragraph("months", text)]
    if any(one.figures.together for one in found):
        blocks.append(_over_time(found))
    else:
        blocks.append(
            Paragraph("none-known", tr("No outcome is known yet. Upload outcomes on the page of a frozen campaign."))
        )
    blocks.append(Table("months", caption, head, list(map(_month, found)), frozenset({0, 1, 2})))
    return Section("months", tr("Promised and brought"), blocks)


def _month(one: LivePerformance) -> tuple[str, ...]:
    figures, measured = one.figures, one.figures.together
    verdict = _word(measured) if measured else tr("no outcomes yet")
    first = (one.month, one.version, verdict, number(figures.campaigns), number(figures.foreseen.calls))
    if measured is None:
        return (*first, number(0), *[UNKNOWN] * 6)
    realised = measured.realised
    profit = realised.expected_profit
    return (
        *first,
        number(realised.calls),
        number(realised.buyers),
        number(realised.expected.value, 1),
        interval(realised.expected.low, realised.expected.high, 0),
        euro(realised.profit),
        euro(profit.value),
        euros(profit.low, profit.high),
    )


def _word(measured: Measured) -> str:
    """The verdict in a cell."""
    if measured.held:
        return tr("as promised")
    if measured.realised.held:
        return tr("other customers")
    return tr("fewer") if measured.realised.buyers < measured.realised.expected.low else tr("more")


def _over_time(found: Sequence[LivePerformance]) -> Figure:
    """The realised and the expected share of buyers by month; versions of one month stand side by side."""
    points = [(x, one, one.figures.together) for x, one in _places(found) if one.figures.together]
    xs = [x for x, _, _ in points]
    realised = [measured.realised.rate.value for _, _, measured in points]
    expected = [measured.expected_rate for _, _, measured in points]
    held = sum(measured.held for _, _, measured in points)
    chart = curves(
        "over-time",
        tr("Share of buyers by month"),
        tr(
            "The share of called customers who bought, beside the expected share with its 95 % interval, for each "
            "month and version. In {held} of {months} the calls brought what was promised.",
            held=number(held),
            months=number(len(points)),
        ),
        Axis(tr("month of the freeze"), min(xs) - 0.5, max(xs) + 0.5, _month_on_axis),
        around(
            tr("share of buyers"),
            [*realised, *(one.low for one in expected), *(one.high for one in expected)],
            percent,
            zero=True,
        ),
        [
            Series(
                tr("expected, with 95 % interval"),
                xs,
                [one.value for one in expected],
                3,
                points=True,
                bars=[(one.low, one.high) for one in expected],
            ),
            Series(tr("realised"), xs, realised, 0, points=True),
        ],
    )
    head = (tr("Month"), tr("Version"), tr("Share of buyers"), tr("Expected share and 95 % interval"))
    cells = [
        (one.month, one.version, percent(share, 1), _percents(promised))
        for (_, one, _), share, promised in zip(points, realised, expected, strict=True)
    ]
    table = Table("over-time", tr("Shares of buyers, newest month first"), head, cells, frozenset({0, 1}))
    says = tr("A realised share outside the interval of the expected one means that the probabilities no longer hold.")
    return Figure(chart, says, table)


def _places(found: Sequence[LivePerformance]) -> Iterator[tuple[float, LivePerformance]]:
    """Where each month and version stands: months since the year 0, versions of a month up to 0.2 apart."""
    for month in {one.month: None for one in found}:
        same = [one for one in found if one.month == month]
        year, of_year = map(int, month.split("-"))
        for place, one in enumerate(same):
            yield 12 * year + of_year - 1 + 0.4 * (place + 0.5) / len(same) - 0.2, one


def _month_on_axis(value: float) -> str:
    whole = round(value)
    return f"{whole // 12}-{whole % 12 + 1:02d}" if abs(value - whole) < 0.01 else ""


def _lift(found: Sequence[LivePerformance]) -> Section | None:
    newest = next((one for one in found if one.figures.tenths), None)
    if newest is None:
        return None
    tenths = newest.figures.tenths
    names = [tr("{place} of 10", place=number(one.number)) for one in tenths]
    chart = rows(
        "lift",
        tr("Lift by tenth of the calls, {month}, version {version}", month=newest.month, version=newest.version),
        tr(
            "Customers of the best tenth bought {best} times as often as all called customers, those of the last tenth "
            "{last} times. The line across each bar is the 95 % interval.",
            best=number(tenths[0].lift.value, 1),
            last=number(tenths[-1].lift.value, 1),
        ),
        around(tr("lift"), [one.lift.high for one in tenths], _plain, zero=True),
        [Row(name, one.lift.value, (one.lift.low, one.lift.high)) for name, one in zip(names, tenths, strict=True)],
    )
    head = (
        tr("Tenth"),
        tr("Calls"),
        tr("Mean probability"),
        tr("Share of buyers and 95 % interval"),
        tr("Lift and 95 % interval"),
    )
    table = Table("lift", tr("Tenths of the calls by probability, best first"), head, list(map(_tenth, names, tenths)))
    says = tr(
        "Calls with a known outcome by probability, in ten equal parts. The lift is the share of buyers over that of "
        "all calls; if the ranking is good, it falls."
    )
    return Section("lift", tr("Lift"), [Figure(chart, says, table)])


def _tenth(name: str, one: Tenth) -> tuple[str, ...]:
    return (
        name,
        number(one.calls, 0 if one.calls == int(one.calls) else 1),
        percent(one.probability, 1),
        _percents(one.rate),
        _estimate(one.lift),
    )


def _plain(value: float) -> str:
    return number(value, 1)


def _quality(found: Sequence[LivePerformance]) -> Section:
    called = tr(
        "Called customers are no sample of the list: most were called because the model ranks them high, so that they "
        "differ less from each other, and the AUC among them is usually lower than on the list. The control group was "
        "drawn at random from the other customers. Where both are known, they give an estimate of the AUC on the whole "
        "list."
    )
    foreseen = tr(
        "Foreseen figures come from the probabilities alone, as if each were exact; they need no outcomes. They stay "
        "quiet when the relation itself changes, that is when customers begin to buy for other reasons. Only outcomes "
        "show that."
    )
    how = tr(
        "A dash is a figure that cannot be known yet: an AUC needs {each} buyers and {each} others, and the Brier "
        "score and the expected calibration error, ECE, need {calls} calls. In brackets stand 95 % intervals: of the "
        "AUC by Hanley and McNeil, on the whole list by bootstrap; of the Brier score that of a mean; of the ECE one "
        "that takes off what exact probabilities would show by chance.",
        each=number(FEWEST_OF_EACH),
        calls=number(FEWEST_CALLS),
    )
    head = (
        tr("Month"),
        tr("Version"),
        tr("Calls"),
        tr("Known"),
        tr("AUC"),
        tr("Brier score"),
        tr("ECE"),
        tr("Accuracy"),
    )
    cells = [row for one in found for row in _figures(one)]
    table = Table("quality", tr("By month, version and group of calls"), head, cells, frozenset({0, 1, 2}))
    blocks: list[Block] = [Paragraph("called", called), table, Paragraph("foreseen", foreseen), Paragraph("how", how)]
    return Section("quality", tr("How good the probabilities were"), blocks)


def _figures(one: LivePerformance) -> Iterator[tuple[str, ...]]:
    """Rows of the table: the groups of calls with known outcomes, the whole list, and what was foreseen."""
    figures, first = one.figures, (one.month, one.version)
    groups = {
        tr("all"): figures.together,
        tr("best customers"): figures.best if figures.control else None,
        tr("control group"): figures.control,
    }
    for name, group in groups.items():
        if group:
            yield (
                *first,
                name,
                number(group.realised.calls),
                _estimate(group.auc),
                _estimate(group.brier, 3),
                _percents(group.ece),
                percent(group.accuracy, 1),
            )
    if figures.list_auc:
        yield *first, tr("whole list, estimated"), UNKNOWN, _estimate(figures.list_auc), *[UNKNOWN] * 3
    foreseen = figures.foreseen
    yield (
        *first,
        tr("foreseen for all"),
        number(foreseen.calls),
        number(foreseen.auc, 2),
        number(foreseen.brier, 3),
        UNKNOWN,
        percent(foreseen.accuracy, 1),
    )


def _estimate(one: Estimate | None, digits: int = 2) -> str:
    """`0.71 (0.68 to 0.74)`."""
    return f"{number(one.value, digits)} ({interval(one.low, one.high, digits)})" if one else UNKNOWN


def _percents(one: Estimate | None) -> str:
    """`6.1 % (1.8 to 8.1 %)`."""
    return f"{percent(one.value, 1)} ({percents(one.low, one.high, 1)})" if one else UNKNOWN
