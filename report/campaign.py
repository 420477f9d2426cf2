"""For who plans a campaign: whom to call, what it earns, and which figure to believe."""

from __future__ import annotations

import shlex
from pathlib import Path

from analysis import economics as curves
from analysis.economics import DECILES, SHARES, perfect_gain, wilson
from analysis.metrics import gains
from data.contract import CONTRACTS
from pages.blocks import Block, Command, Figure, Section, Table
from pages.charts import Axis, Row, Series, around, rows
from pages.charts import curves as draw
from pages.formatting import euro, number, percent, percents, plain_euro, short_euro
from report.gather import Material

CALLED = "customers called, best-scored first"
MODELS = {"static": "trained once", "expanding": "retrained on all calls so far", "rolling": "retrained on the newest"}
"""What `pipeline.backtest` compares."""


def whom_to_call(material: Material) -> Section:
    """Gain and lift with the decile table."""
    labels, probabilities = material.scores["test"]
    table = curves.deciles(labels, probabilities)
    reached = gains(labels, probabilities, SHARES)
    share = Axis(CALLED, 0.0, 1.0, percent)
    gain = draw(
        "gain",
        "Buyers reached by the share of customers called",
        f"The model's curve rises to {percent(table[0].gain)} of buyers at 10 % of customers, "
        f"{percent(table[1].gain)} at 20 % and {percent(table[4].gain)} at half. Calling at random is the diagonal.",
        share,
        Axis("buyers reached", 0.0, 1.0, percent),
        [
            Series("knowing every buyer", SHARES, perfect_gain(labels.mean(), SHARES), style=2, dashed=True),
            Series("calling at random", [0.0, 1.0], [0.0, 1.0], style=3, dashed=True),
            Series("this model", SHARES, reached),
        ],
    )
    rates = rows(
        "rates",
        "Buyers in each tenth of the customers",
        f"Of the best-scored tenth {percent(table[0].rate, 1)} bought, of the worst "
        f"{percent(table[-1].rate, 1)}; the line across each bar is the 95 % interval.",
        around("share of buyers", [wilson(d.buyers, d.rows)[1] for d in table], percent, zero=True),
        [Row(_tenth(d.number), d.rate, wilson(d.buyers, d.rows)) for d in table],
    )
    lift = draw(
        "lift",
        "Lift by the share of customers called",
        f"Lift falls from {number(table[0].lift, 1)} in the best tenth to 1 when everyone is called. A model that knew "
        f"every buyer would begin at {number(table[0].most_lift, 1)}.",
        share,
        around("times as many buyers as at random", [d.most_lift for d in table], lambda v: f"{v:g}", zero=True),
        [
            Series("knowing every buyer", DECILES, [d.most_lift for d in table], style=2, dashed=True),
            Series("calling at random", [0.1, 1.0], [1.0, 1.0], style=3, dashed=True),
            Series("this model", DECILES, [d.lift for d in table]),
        ],
    )
    return Section(
        "call",
        "Whom to call",
        [
            f"The {number(len(labels))} test customers, whom the model has not learned from, are sorted by score. The "
            "steeper the curve begins, the fewer calls a campaign needs.",
            Figure(
                gain,
                "How many of the buyers are reached when only some customers are called.",
                Table(
                    "Buyers reached",
                    ("Customers called", "This model", "At random", "Knowing every buyer"),
                    [
                        (percent(s), percent(g, 1), percent(s), percent(min(1.0, s / labels.mean()), 1))
                        for s, g in zip(DECILES, (d.gain for d in table), strict=True)
                    ],
                ),
            ),
            Figure(
                rates,
                "The share of buyers falls from tenth to tenth, if the score sorts well.",
                Table(
                    "Tenths of the test customers, the best-scored first",
                    ("Tenth", "Customers", "Buyers", "Buy rate", "95 % interval", "Predicted"),
                    [
                        (
                            _tenth(d.number),
                            number(d.rows),
                            number(d.buyers),
                            percent(d.rate, 1),
                            percents(*wilson(d.buyers, d.rows), 1),
                            percent(d.predicted, 1),
                        )
                        for d in table
                    ],
                ),
            ),
            Figure(
                lift,
                "How many times as many buyers as the same number of random calls.",
                Table(
                    "Lift",
                    ("Customers called", "Buyers per call", "Lift", "Highest possible"),
                    [
                        (
                            percent(d.number / 10),
                            percent(d.lift * labels.mean(), 1),
                            number(d.lift, 2),
                            number(d.most_lift, 2),
                        )
                        for d in table
                    ],
                ),
            ),
        ],
    )


def what_it_earns(material: Material, cost: float, margin: float) -> Section:
    """The profit curve with the best share to call; cost of a call and margin of a buyer in euros."""
    found = curves.profit(material.scores["eval"], material.scores["test"], cost, margin)
    if found.best_share and found.interval[1] < max(found.everyone, 0.0):
        advice = (
            f"Calling the best-scored {percent(found.best_share)} earned most on the eval customers, but not on the "
            f"test customers: {euro(found.best)} per 1,000 customers, clearly less than {euro(found.everyone)} for "
            "calling everyone or nothing for calling nobody. Do not plan with this share."
        )
    elif found.best_share:
        advice = (
            f"Call the best-scored {percent(found.best_share)}: {euro(found.best)} per 1,000 customers, between "
            f"{euro(found.interval[0])} and {euro(found.interval[1])} with 95 % confidence. Calling everyone brings "
            f"{euro(found.everyone)}."
        )
    else:
        advice = f"At this price no call pays. Calling everyone brings {euro(found.everyone)} per 1,000 customers."
    chart = draw(
        "profit",
        "Profit per 1,000 customers by the share of customers called",
        advice,
        Axis(CALLED, 0.0, 1.0, percent),
        around("euro per 1,000 customers", [*found.curve, *found.interval], short_euro, zero=True),
        [
            Series("calling at random", [0.0, 1.0], [0.0, found.everyone], style=3, dashed=True),
            Series("this model", SHARES, found.curve),
            Series(
                "best share to call, with 95 % interval",
                [found.best_share],
                [found.best],
                style=1,
                points=True,
                bars=[found.interval],
            ),
        ],
    )
    every = range(0, len(SHARES), 10)
    return Section(
        "profit",
        "What it earns",
        [
            f"At {plain_euro(cost)} a call and {plain_euro(margin)} margin a buyer, a call pays from a score of "
            f"{_exact(cost / margin)} on. {advice}",
            Figure(
                chart,
                "Margin of the buyers reached less the cost of the calls.",
                Table(
                    "Profit per 1,000 customers",
                    ("Customers called", "This model", "At random"),
                    [(percent(SHARES[i]), euro(found.curve[i]), euro(found.everyone * SHARES[i])) for i in every],
                ),
            ),
            "The share was chosen on the eval customers and its profit is of the test customers, so the choice "
            "does not "
            "flatter it. Both amounts are assumptions; with yours the curve is another:",
            Command(f".venv/bin/python -m report {material.summary['run_id']} --cost 8 --margin 120"),
        ],
    )


def which_to_believe(material: Material) -> Section:
    """The random split against the calls that came next."""
    title, found = "Which figure to believe", material.backtest
    data = material.summary["dataset"]
    blocks: list[Block] = [
        "A random split asks how well the model ranks customers from weeks it has learned from; it serves to compare "
        "models. A campaign calls customers of weeks to come. For a plan, believe the walk forward through time.",
    ]
    if data["split"] == "time":
        blocks.append("This run was split by time: its test customers are the newest of the file.")
    if found is None and data.get("row_order") == "none":
        blocks.append("The rows of this data are in no order of dates, so it cannot be walked through.")
        return Section("believe", title, blocks)
    if found is None:
        blocks += ["This data has not been walked through yet. It takes minutes:", Command(_backtest(material))]
        return Section("believe", title, blocks)
    spans, random = found["spans"], found["random_split"]
    numbers = [span["number"] for span in spans]
    across = Axis(
        "span of calls, oldest first", 0.5, len(spans) + 0.5, lambda v: f"{v:g}" if float(v).is_integer() else ""
    )
    series = [
        Series(name, numbers, [(span[key] or {}).get("auc") for span in spans], style=style, dashed=key != "expanding")
        for style, (key, name) in zip((2, 0, 1), MODELS.items(), strict=True)
    ]
    level = Series("random split", [0.5, len(spans) + 0.5], [random["auc"]] * 2, style=3, dashed=True)
    aucs = [y for one in (*series, level) for y in one.ys]
    blocks.append(f"{found['verdict']} ({number(found['rows'])} calls of {Path(found['source']).name}.)")
    blocks += [
        Figure(
            draw(
                "time-auc",
                "AUC of each span of calls, by models of earlier calls",
                f"AUC on a random split is {number(random['auc'], 3)}; over the spans a model retrained on all "
                "calls so far "
                f"has {', '.join(number(y, 3) for y in series[1].ys)}.",
                across,
                around("AUC", [*aucs, 0.5], lambda v: f"{v:.2f}"),
                [level, *series],
            ),
            "Each span is ranked by models that have seen earlier calls only. 0.5 is chance.",
            Table(
                "AUC",
                ("Span", "Calls", *map(str.capitalize, MODELS.values())),
                [
                    (str(s["number"]), number(s["rows"]), *(number((s[k] or {}).get("auc"), 3) for k in MODELS))
                    for s in spans
                ]
                + [("Random split", "", *[number(random["auc"], 3)] * len(MODELS))],
            ),
        ),
        Figure(
            rows(
                "time-rate",
                "Share of buyers in each span of calls",
                f"The share of buyers goes from {percent(spans[0]['label_rate'], 1)} to "
                f"{percent(spans[-1]['label_rate'], 1)}.",
                around("share of buyers", [s["label_rate"] for s in spans], percent, zero=True),
                [Row(f"span {s['number']}", s["label_rate"]) for s in spans],
            ),
            "Customers change. Where the share of buyers moves, yesterday's probabilities are off.",
            Table(
                "Buyers, calibration error and lift",
                ("Span", "Buyers", *(f"{what}, {name}" for what in ("ECE", "Lift") for name in MODELS.values())),
                [
                    (
                        str(s["number"]),
                        percent(s["label_rate"], 1),
                        *(
                            number((s[k] or {}).get(f), d)
                            for f, d in (("ece", 3), ("lift_top_decile", 2))
                            for k in MODELS
                        ),
                    )
                    for s in spans
                ],
            ),
        ),
    ]
    return Section("believe", title, blocks)


def _backtest(material: Material) -> str:
    """The command that walks through a run's data, with its columns."""
    data = material.summary["dataset"]
    command = [".venv/bin/python", "-m", "pipeline.backtest"]
    command += [] if data["synthetic"] else ["--data", data["source"]]
    if not (CONTRACTS / f"{data['contract']}.yaml").is_file():
        command += ["--contract", f"{data['contract']}.yaml"]
    command += ["--with-duration"] if material.summary.get("settings", {}).get("with_duration") else []
    return shlex.join(command)


def _exact(share: float) -> str:
    """A share with a digit behind the point only where it has one."""
    return percent(share, 0 if round(100 * share, 6).is_integer() else 1)


def _tenth(number: int) -> str:
    return {1: "best tenth", 10: "last tenth"}.get(number, f"{number}{ {2: 'nd', 3: 'rd'}.get(number, 'th') } tenth")
