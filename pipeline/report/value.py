"""What the model is worth: whom to call, and what that earns."""

from __future__ import annotations

import numpy as np

from modules.metrics import gains
from pipeline.report import curves
from pipeline.report.charts import Axis, Chart, Line, around, percent
from pipeline.report.gather import Material
from pipeline.report.parts import Section, Table, Text, share

HEADLINE_SHARE = 0.2
"""Share of customers called in the page's first sentence."""


def headline(labels: np.ndarray, probabilities: np.ndarray) -> str:
    """The page's first sentence; labels, both kinds among them, and probabilities are [rows]."""
    reached = gains(labels, probabilities, np.array(HEADLINE_SHARE))
    return (
        f"Calling the best-scored {percent(HEADLINE_SHARE)} of customers reaches {percent(reached)} of buyers, "
        f"{reached / HEADLINE_SHARE:.1f} times as many as calling at random."
    )


def calling(material: Material, cost: float, margin: float) -> list[Section]:
    """Gain, lift and profit of calling the best-scored test customers."""
    labels, probabilities = material.scores["test"]
    table = curves.deciles(labels, probabilities)
    reached = gains(labels, probabilities, curves.SHARES)
    shares = Axis("customers called, best-scored first", 0, 1, percent)
    lifts = np.divide(reached[1:], curves.SHARES[1:])
    gain_chart = Chart(
        "Buyers reached",
        f"Calling the best-scored 10 % reaches {percent(table[0].cumulative_gain)} of buyers, 20 % reaches "
        f"{percent(table[1].cumulative_gain)}, half reaches {percent(table[4].cumulative_gain)}.",
        shares,
        Axis("buyers reached", 0, 1, percent),
        [Line("this model", curves.SHARES, reached), Line("at random", [0, 1], [0, 1])],
    )
    lift_chart = Chart(
        "Lift",
        f"Lift falls from {table[0].cumulative_lift:.1f} in the best tenth to 1 when everyone is called.",
        shares,
        around("times as many as at random", lifts, lambda value: f"{value:g}", also=[0.0]),
        [Line("this model", curves.SHARES[1:], lifts), Line("at random", [0, 1], [1, 1])],
    )
    rows = [
        (
            f"{decile.number}",
            f"{decile.rows:,.0f}",
            f"{decile.buyers:,.0f}",
            share(decile.rate),
            " to ".join(share(end) for end in curves.wilson(decile.buyers, decile.rows)),
            share(decile.cumulative_gain),
            f"{decile.cumulative_lift:.2f}",
        )
        for decile in table
    ]
    head = ("tenth", "customers", "buyers", "buy rate", "95 % interval", "buyers reached so far", "lift so far")
    return [
        Section(
            "gain",
            "Who to call",
            [
                Text(
                    "Customers are sorted by their score, the best first. The steeper the curve begins, the fewer "
                    "calls a campaign needs. All figures are of test customers, whom the model has never seen."
                ),
                gain_chart,
                lift_chart,
                Table("Tenths of the test customers, the best-scored first", head, rows),
            ],
        ),
        _profit(material, cost, margin),
    ]


def _profit(material: Material, cost: float, margin: float) -> Section:
    found = curves.profit(material.scores["eval"], material.scores["test"], cost, margin)
    low, high = (f"{end:,.0f}" for end in found.interval)
    if found.best_share:
        advice = (
            f"Call the best-scored {percent(found.best_share)}: {found.best:,.0f} euros per 1,000 customers on test "
            f"(95 % interval {low} to {high}), against {found.everyone:,.0f} for calling everyone. "
            "The share was chosen on the eval customers, so the test figure is not flattered by the choice."
        )
    else:
        advice = f"At this cost and margin no call pays; calling everyone would bring {found.everyone:,.0f} euros."
    chart = Chart(
        "Profit per 1,000 customers",
        advice,
        Axis("customers called, best-scored first", 0, 1, percent),
        around("euros", found.curve, lambda value: f"{value:,.0f}", also=[0.0]),
        [
            Line("this model", curves.SHARES, found.curve),
            Line("at random", [0, 1], [0.0, found.everyone]),
            Line(f"best share, {percent(found.best_share)}", [found.best_share], [found.best]),
        ],
    )
    rows = [
        # The 0.0 keeps a loss of nothing from reading -0.
        (percent(called), f"{earned:,.0f}", f"{found.everyone * called + 0.0:,.0f}")
        for called, earned in zip(curves.SHARES[::10], found.curve[::10], strict=True)
    ]
    return Section(
        "profit",
        "What it earns",
        [
            Text(
                f"With {cost:g} euros a call and {margin:g} euros margin a deposit, a call pays from a score of "
                f"{share(cost / margin)} on. Set your own figures with --cost and --margin."
            ),
            Text(advice),
            chart,
            Table("Euros per 1,000 customers", ("customers called", "this model", "at random"), rows),
        ],
    )
