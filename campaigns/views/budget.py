"""The page of the budget: what a number of calls brings, and the button that freezes the call list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from analysis.campaigns import CallPlan
from campaigns.groups import GroupShares
from campaigns.records import Campaign, Terms
from campaigns.security import TOKEN
from campaigns.views import groups
from campaigns.views.screen import Screen, path, problem_notice, synthetic, trail
from campaigns.views.start import money_fields
from pages.blocks import Block, Figure, Link, Links, Paragraph, Section, Status, Table, Tile
from pages.charts import Axis, Series, around, curves
from pages.formatting import euro, euros, interval, number, percent, plain_euro, short_euro
from pages.forms import Form, Slider
from pages.language import ntr, tr
from runs.summary import PurchaseSummary

ROWS = 11
"""Points of the curve in its table."""


@dataclass(frozen=True)
class Expected:
    """What the page shows.

    Attributes:
      terms: the campaign's, or others that are only tried.
      plan: by these terms.
      groups: in the list and in the call list by these terms.
      run: that pushed the model which scored the list, where it is known.
    """

    terms: Terms
    plan: CallPlan
    groups: Sequence[GroupShares]
    run: PurchaseSummary | None


def screen(
    campaign: Campaign, expected: Expected, answers: Mapping[str, str], problem: str | None, token: str
) -> Screen:
    """The page.

    Args:
      answers: what the form shows; after a problem what the person has answered.
      problem: why the terms could not be changed; may have several lines.
      token: of the forms.
    """
    terms, plan = expected.terms, expected.plan
    notices = synthetic(expected.run)
    if problem:
        notices.append(problem_notice(tr("The terms were not changed."), problem))
    sections = [
        Section("decide", tr("Decide"), list(_decide(campaign, plan, answers, token))),
        Section("expect", tr("What to expect"), [_reading(expected), _profit(plan)], live=True),
    ]
    if expected.groups:
        sections.append(Section("groups", tr("Who is called"), list(groups.blocks(expected.groups)), live=True))
    if campaign.state != "frozen":
        sections.append(Section("freezing", tr("Freeze"), list(_freeze(campaign, expected, token)), live=True))
    title, here = tr("Budget of {campaign}", campaign=campaign.terms.name), path(campaign.id, "budget")
    return Screen(title, sections, notices, list(_tiles(terms, plan)), trail(campaign), here)


def _tiles(terms: Terms, plan: CallPlan) -> Iterator[Tile]:
    calls = ntr("{calls} call", "{calls} calls", plan.calls, calls=number(plan.calls))
    if plan.control:
        calls = ntr(
            "{calls} call, {control} to the control group",
            "{calls} calls, {control} to the control group",
            plan.calls,
            calls=number(plan.calls),
            control=number(plan.control),
        )
    limits = interval(plan.buyers.low, plan.buyers.high, 0)
    what = tr("expected buyers, {interval} with 95 % confidence", interval=limits)
    yield Tile("buyers", number(plan.buyers.value), what, calls)
    limits = euros(plan.profit.low, plan.profit.high)
    what = tr("expected profit, {interval} with 95 % confidence", interval=limits)
    instead = tr("{profit} with as many calls at random", profit=euro(plan.random_profit))
    yield Tile("profit", euro(plan.profit.value), what, instead)
    if terms.calls is None:
        what = tr("calls pay for themselves")
    else:
        what = tr("of {calls} calls pay for themselves", calls=number(terms.calls))
    earned = tr("they earn {profit}", profit=euro(plan.optimum_profit))
    yield Tile("optimum", number(plan.optimum), what, earned)


def _reading(expected: Expected) -> Paragraph:
    terms, plan, run = expected.terms, expected.plan, expected.run
    sentences = [
        tr(
            "At {cost} per call and {margin} margin per buyer, a call pays for customers with a probability above "
            "{probability}.",
            cost=plain_euro(terms.cost),
            margin=plain_euro(terms.margin),
            probability=percent(terms.cost / terms.margin, 1),
        )
    ]
    if run is None:
        sentences.append(
            tr(
                "The interval is Poisson-binomial; the model's calibration error is not known here, so the interval is "
                "too narrow."
            )
        )
    else:
        sentences.append(
            tr(
                "The interval is Poisson-binomial and widened by the model's calibration error, {error}.",
                error=percent(run.metrics["test"].ece, 1),
            )
        )
    if plan.control:
        sentences.append(
            tr("The control group costs {cost} of the expected profit.", cost=euro(plan.control_cost)),
        )
    return Paragraph("terms", " ".join(sentences))


def _profit(plan: CallPlan) -> Figure:
    curve = plan.curve
    everything = [*curve.profit_low, *curve.profit_high, *curve.random_profit]
    best = int(np.argmax(curve.profit))
    says = tr("The margin of the expected buyers, less the cost of the calls. Dashed lines: 95 % interval.")
    title = tr("Expected profit by the number of calls")
    description = tr(
        "The highest point of the curve is {best} at {calls} calls; calling all {customers} customers earns {all}. The "
        "plan is {planned} calls.",
        best=euro(curve.profit[best]),
        calls=number(curve.calls[best]),
        customers=number(curve.calls[-1]),
        all=euro(curve.profit[-1]),
        planned=number(plan.calls),
    )
    chart = curves(
        "profit",
        title,
        description,
        Axis(tr("calls, most likely buyers first"), 0.0, float(max(curve.calls[-1], 1)), _count),
        around(tr("expected profit"), everything, short_euro, zero=True),
        [
            Series(tr("calls at random"), curve.calls, curve.random_profit, style=3, dashed=True),
            Series(tr("95 % interval, low end"), curve.calls, curve.profit_low, style=2, dashed=True),
            Series(tr("95 % interval, high end"), curve.calls, curve.profit_high, style=2, dashed=True),
            Series(tr("ranked list"), curve.calls, curve.profit),
            Series(tr("the plan"), [plan.calls], [plan.profit.value], style=1, points=True),
        ],
    )
    points = np.unique(np.linspace(0, len(curve.calls) - 1, ROWS).round().astype(int))
    cells = [
        (
            number(curve.calls[point]),
            number(curve.buyers[point]),
            euro(curve.profit[point]),
            euros(curve.profit_low[point], curve.profit_high[point]),
            euro(curve.random_profit[point]),
        )
        for point in points
    ]
    head = (tr("Calls"), tr("Expected buyers"), tr("Expected profit"), tr("95 % interval"), tr("Calls at random"))
    return Figure(chart, says, Table("profit", title, head, cells))


def _decide(campaign: Campaign, plan: CallPlan, answers: Mapping[str, str], token: str) -> Iterator[Block]:
    if campaign.state == "frozen":
        yield Paragraph("frozen", tr("The call list is frozen: its terms cannot change any more."))
        yield Links("files", [Link(tr("Download the call list"), path(campaign.id))])
        return
    cost, margin, calls, control = money_fields(answers)
    fields = [replace(calls, slider=_slider(plan)), cost, margin, control]
    here = path(campaign.id, "budget")
    yield Form("terms", here, fields, tr("Calculate"), {TOKEN: token}, quiet=True, texts={"preview": here})
    yield Status(
        "summary",
        ntr(
            "{calls} call: {buyers} expected buyers ({buyers_interval}), {profit} expected "
            "profit ({profit_interval}); {random} with as many calls at random.",
            "{calls} calls: {buyers} expected buyers ({buyers_interval}), {profit} expected "
            "profit ({profit_interval}); {random} with as many calls at random.",
            plan.calls,
            calls=number(plan.calls),
            buyers=number(plan.buyers.value),
            buyers_interval=interval(plan.buyers.low, plan.buyers.high, 0),
            profit=euro(plan.profit.value),
            profit_interval=euros(plan.profit.low, plan.profit.high),
            random=euro(plan.random_profit),
        ),
    )


def _slider(plan: CallPlan) -> Slider:
    """Sets the calls in at least 1,000 steps where the list is that long."""
    customers = int(plan.curve.calls[-1])
    step = 10 ** max(len(str(customers)) - 4, 0)
    most = customers - customers % step
    says = tr("{number} calls")
    return Slider(tr("Calls that can be made, as a slider"), min(plan.calls, most), step, most, step, says)


def _freeze(campaign: Campaign, expected: Expected, token: str) -> Iterator[Block]:
    if expected.terms != campaign.terms:
        text = tr(
            "These figures are tried and not kept. Calculate keeps these terms; then the call list can be frozen."
        )
        yield Paragraph("tried", text)
        return
    yield Paragraph(
        "freeze",
        tr(
            "Freezing marks the {calls} customers of the call list, {control} of them as the control group drawn at "
            "random. It cannot be undone.",
            calls=number(expected.plan.calls),
            control=number(expected.plan.control),
        ),
    )
    yield Form("freeze", path(campaign.id, "freeze"), (), tr("Freeze the call list"), {TOKEN: token})


def _count(value: float) -> str:
    return number(value)
