"""The page of the budget: what a number of calls brings, and the button that freezes the call list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from analysis.campaigns import CallPlan
from campaigns.records import Campaign, Terms
from campaigns.security import TOKEN
from campaigns.views.screen import Screen, path, synthetic, trail
from campaigns.views.start import money_fields
from pages.blocks import Block, Figure, Link, Links, Notice, Paragraph, Section, Table, Tile
from pages.charts import Axis, Series, around, curves
from pages.formatting import euro, interval, number, percent, plain_euro, short_euro
from pages.forms import Form
from runs.summary import PurchaseSummary

ROWS = 11
"""Points of the curve in its table."""


def screen(
    campaign: Campaign,
    run: PurchaseSummary | None,
    plan: CallPlan,
    answers: Mapping[str, str],
    problem: str | None,
    token: str,
) -> Screen:
    """The page.

    Args:
      run: that pushed the model which scored the list, where it is known.
      plan: of the campaign's terms.
      answers: what the form shows; after a problem what the person has answered.
      problem: why the terms could not be changed; may have several lines.
      token: of the forms.
    """
    notices = synthetic(run)
    if problem:
        notices.append(Notice("problem", "The terms were not changed.", problem.splitlines(), "bad"))
    sections = [
        Section("expect", "What to expect", [_expected(campaign, plan, run), _profit(plan)]),
        Section("decide", "Decide", list(_decide(campaign, plan, answers, token))),
    ]
    title, here = f"Budget of {campaign.terms.name}", path(campaign.id, "budget")
    return Screen(title, sections, notices, list(_tiles(campaign.terms, plan)), trail(campaign), here)


def answers_of(campaign: Campaign) -> dict[str, str]:
    """The campaign's terms as the answers of the form."""
    terms = campaign.terms
    calls = "" if terms.calls is None else str(terms.calls)
    share = f"{terms.control_share:g}"
    return {"cost": f"{terms.cost:.12g}", "margin": f"{terms.margin:.12g}", "calls": calls, "control_share": share}


def _tiles(terms: Terms, plan: CallPlan) -> Iterator[Tile]:
    calls = f"{number(plan.calls)} calls" + (f", {number(plan.control)} to the control group" if plan.control else "")
    low, high = plan.buyers.low, plan.buyers.high
    yield Tile(
        "buyers", number(plan.buyers.value), f"expected buyers, {interval(low, high, 0)} with 95 % confidence", calls
    )
    low, high = plan.profit.low, plan.profit.high
    instead = f"{euro(plan.random_profit)} with as many calls at random"
    yield Tile(
        "profit", euro(plan.profit.value), f"expected profit, {euro(low)} to {euro(high)} with 95 % confidence", instead
    )
    of = "calls pay for themselves" if terms.calls is None else f"of {number(terms.calls)} calls pay for themselves"
    yield Tile("optimum", number(plan.optimum), of, f"they earn {euro(plan.optimum_profit)}")


def _expected(campaign: Campaign, plan: CallPlan, run: PurchaseSummary | None) -> Paragraph:
    terms = campaign.terms
    text = (
        f"At {plain_euro(terms.cost)} per call and {plain_euro(terms.margin)} margin per buyer, a call pays for "
        f"customers with a probability above {percent(terms.cost / terms.margin, 1)}. The interval is Poisson-binomial"
    )
    if run is None:
        text += "; the model's calibration error is not known here, so the interval is too narrow."
    else:
        text += f" and widened by the model's calibration error, {percent(run.metrics['test'].ece, 1)}."
    if plan.control:
        text += f" The control group costs {euro(plan.control_cost)} of the expected profit."
    return Paragraph("terms", text)


def _profit(plan: CallPlan) -> Figure:
    curve = plan.curve
    everything = [*curve.profit_low, *curve.profit_high, *curve.random_profit]
    best = int(np.argmax(curve.profit))
    says = "The margin of the expected buyers, less the cost of the calls. Dashed lines: 95 % interval."
    chart = curves(
        "profit",
        "Expected profit by the number of calls",
        f"The highest point of the curve is {euro(curve.profit[best])} at {number(curve.calls[best])} calls; calling "
        f"all {number(curve.calls[-1])} customers earns {euro(curve.profit[-1])}. The plan is {number(plan.calls)} "
        "calls.",
        Axis("calls, most likely buyers first", 0.0, float(max(curve.calls[-1], 1)), _count),
        around("expected profit", everything, short_euro, zero=True),
        [
            Series("calls at random", curve.calls, curve.random_profit, style=3, dashed=True),
            Series("95 % interval, low end", curve.calls, curve.profit_low, style=2, dashed=True),
            Series("95 % interval, high end", curve.calls, curve.profit_high, style=2, dashed=True),
            Series("ranked list", curve.calls, curve.profit),
            Series("the plan", [plan.calls], [plan.profit.value], style=1, points=True),
        ],
    )
    points = np.unique(np.linspace(0, len(curve.calls) - 1, ROWS).round().astype(int))
    cells = [
        (
            number(curve.calls[point]),
            number(curve.buyers[point]),
            euro(curve.profit[point]),
            f"{euro(curve.profit_low[point])} to {euro(curve.profit_high[point])}",
            euro(curve.random_profit[point]),
        )
        for point in points
    ]
    head = ("Calls", "Expected buyers", "Expected profit", "95 % interval", "Calls at random")
    return Figure(chart, says, Table("profit", "Expected profit by the number of calls", head, cells))


def _decide(campaign: Campaign, plan: CallPlan, answers: Mapping[str, str], token: str) -> Iterator[Block]:
    if campaign.state == "frozen":
        yield Paragraph("frozen", "The call list is frozen: its terms cannot change any more.")
        yield Links("files", [Link("Download the call list", path(campaign.id))])
        return
    yield Form(
        "terms", path(campaign.id, "budget"), list(money_fields(answers)), "Calculate", {TOKEN: token}, quiet=True
    )
    yield Paragraph(
        "freeze",
        f"Freezing marks the {number(plan.calls)} customers of the call list, {number(plan.control)} of them as the "
        "control group drawn at random. It cannot be undone.",
    )
    yield Form("freeze", path(campaign.id, "freeze"), (), "Freeze the call list", {TOKEN: token})


def _count(value: float) -> str:
    return number(value)
