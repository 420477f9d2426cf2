"""For planning a campaign: whom to call, what it earns, and what to expect of the next campaign."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from analysis import economics
from analysis.economics import DECILES, SHARES, Decile, Profit, perfect_gain, wilson
from analysis.metrics import gains
from data.contract import CONTRACTS
from pages.blocks import Block, Command, Figure, Paragraph, Section, Table
from pages.charts import Axis, Chart, Row, Series, around, curves, rows
from pages.formatting import euro, number, percent, percents, plain_euro, short_euro
from report.purchase.gather import PurchaseReport
from runs.backtest_result import MODELS, BacktestResult
from runs.summary import LabelWords, PurchaseSummary

CALLED = "customers called, best-scored first"
TRAINED = dict(zip(MODELS, ("trained once", "retrained on all calls so far", "retrained on the newest"), strict=True))
"""The models of a backtest in words."""


def whom_to_call(report: PurchaseReport) -> Section:
    """Gain, share of positive rows and lift by tenths of the customers."""
    labels, probabilities = report.scores["test"]
    words = report.summary.dataset.words
    table = economics.deciles(labels, probabilities)
    text = (
        f"The {number(len(labels))} test customers are sorted by score; the model has not learned from them. The "
        "steeper the gain curve rises, the fewer calls a campaign needs."
    )
    blocks: list[Block] = [
        Paragraph("how-to-read", text),
        _gain(table, labels, gains(labels, probabilities, SHARES), words),
        _rates(table, words),
        _lift(table, float(labels.mean()), words),
    ]
    return Section("call", "Whom to call", blocks)


def _gain(table: Sequence[Decile], labels: np.ndarray, reached: np.ndarray, words: LabelWords) -> Figure:
    many, rate = words.many, float(labels.mean())
    chart = curves(
        "gain",
        f"{many.capitalize()} reached by the share of customers called",
        f"This model reaches {percent(table[0].gain)} of {many} with 10 % of customers, {percent(table[1].gain)} with "
        f"20 % and {percent(table[4].gain)} with half. Random calls reach as large a share as is called.",
        Axis(CALLED, 0.0, 1.0, percent),
        Axis(f"{many} reached", 0.0, 1.0, percent),
        [
            Series("perfect ranking", SHARES, perfect_gain(rate, SHARES), style=2, dashed=True),
            Series("random calls", [0.0, 1.0], [0.0, 1.0], style=3, dashed=True),
            Series("this model", SHARES, reached),
        ],
    )
    cells = [
        (percent(d.number / 10), percent(d.gain, 1), percent(d.number / 10), percent(min(1.0, d.number / 10 / rate), 1))
        for d in table
    ]
    head = ("Customers called", "This model", "Random calls", "Perfect ranking")
    says = f"The share of all {many} that is reached when only some customers are called."
    return Figure(chart, says, Table("gain", f"{many.capitalize()} reached", head, cells))


def _rates(table: Sequence[Decile], words: LabelWords) -> Figure:
    many = words.many
    limits = [wilson(d.positives, d.rows) for d in table]
    chart = rows(
        "rates",
        f"{many.capitalize()} in each tenth of the customers",
        f"{percent(table[0].rate, 1)} of the best-scored tenth are {many}, and {percent(table[-1].rate, 1)} of the "
        "worst-scored tenth. The line across each bar is the 95 % interval.",
        around(f"share of {many}", [high for _, high in limits], percent, zero=True),
        [Row(_tenth(d.number), d.rate, limit) for d, limit in zip(table, limits, strict=True)],
    )
    cells = [
        (
            _tenth(d.number),
            number(d.rows),
            number(d.positives),
            percent(d.rate, 1),
            percents(*limit, 1),
            percent(d.predicted, 1),
        )
        for d, limit in zip(table, limits, strict=True)
    ]
    head = ("Tenth", "Customers", many.capitalize(), f"Share of {many}", "95 % interval", "Predicted share")
    says = f"If the ranking is good, the share of {many} falls from tenth to tenth."
    return Figure(chart, says, Table("tenths", "Tenths of the test customers, best-scored first", head, cells))


def _lift(table: Sequence[Decile], rate: float, words: LabelWords) -> Figure:
    many = words.many
    chart = curves(
        "lift",
        "Lift by the share of customers called",
        f"Lift falls from {number(table[0].lift, 1)} in the best-scored tenth to 1 when everyone is called. A perfect "
        f"ranking starts at {number(table[0].most_lift, 1)}.",
        Axis(CALLED, 0.0, 1.0, percent),
        around("lift", [d.most_lift for d in table], _plain, zero=True),
        [
            Series("perfect ranking", DECILES, [d.most_lift for d in table], style=2, dashed=True),
            Series("random calls", [0.1, 1.0], [1.0, 1.0], style=3, dashed=True),
            Series("this model", DECILES, [d.lift for d in table]),
        ],
    )
    cells = [
        (percent(d.number / 10), percent(d.lift * rate, 1), number(d.lift, 2), number(d.most_lift, 2)) for d in table
    ]
    head = ("Customers called", f"Share of {many} among them", "Lift", "Perfect ranking")
    says = f"How many times as many {many} are reached as with the same number of random calls."
    return Figure(chart, says, Table("lift", "Lift", head, cells))


def what_it_earns(report: PurchaseReport, cost: float, margin: float) -> Section:
    """The profit curve and the best share of customers to call; both amounts are in euros."""
    words = report.summary.dataset.words
    profit = economics.profit(report.scores["eval"], report.scores["test"], cost, margin)
    advice = _advice(profit)
    price = (
        f"At {plain_euro(cost)} per call and {plain_euro(margin)} margin per {words.one}, a call pays for customers "
        f"with a score of at least {_exact(cost / margin)}."
    )
    note = (
        "The share to call is chosen on the eval customers and its profit is measured on the test customers, so the "
        "profit is not biased by the choice. Cost and margin are assumptions. To draw the curve with your amounts:"
    )
    return Section(
        "profit",
        "What it earns",
        [
            Paragraph("price", price),
            advice,
            Figure(
                _profit_chart(profit, advice.text),
                f"The margin of the {words.many} reached, less the cost of the calls.",
                _profit_table(profit),
            ),
            Paragraph("assumptions", note),
            Command("other-amounts", _report_command(report.summary)),
        ],
    )


def _advice(profit: Profit) -> Paragraph:
    everyone = f"Calling everyone earns {euro(profit.everyone)} per 1,000 customers."
    if not profit.best_share:
        return Paragraph("advice-call-nobody", f"At this price no call pays. {everyone}")
    if profit.interval[1] < max(profit.everyone, 0.0):
        text = (
            f"Do not plan with this model: calling the best-scored {percent(profit.best_share)} earned most on the "
            f"eval customers, but only {euro(profit.best)} per 1,000 customers on the test customers. {everyone}"
        )
        return Paragraph("advice-unreliable", text)
    text = (
        f"Call the best-scored {percent(profit.best_share)}. This earns {euro(profit.best)} per 1,000 customers (95 % "
        f"interval: {euro(profit.interval[0])} to {euro(profit.interval[1])}). {everyone}"
    )
    return Paragraph("advice-call", text)


def _profit_chart(profit: Profit, description: str) -> Chart:
    best = Series(
        "best share to call, with 95 % interval",
        [profit.best_share],
        [profit.best],
        style=1,
        points=True,
        bars=[profit.interval],
    )
    return curves(
        "profit",
        "Profit per 1,000 customers by the share of customers called",
        description,
        Axis(CALLED, 0.0, 1.0, percent),
        around("euro per 1,000 customers", [*profit.curve, *profit.interval], short_euro, zero=True),
        [
            Series("random calls", [0.0, 1.0], [0.0, profit.everyone], style=3, dashed=True),
            Series("this model", SHARES, profit.curve),
            best,
        ],
    )


def _profit_table(profit: Profit) -> Table:
    cells = [
        (percent(SHARES[i]), euro(profit.curve[i]), euro(profit.everyone * SHARES[i]))
        for i in range(0, len(SHARES), 10)
    ]
    return Table("profit", "Profit per 1,000 customers", ("Customers called", "This model", "Random calls"), cells)


def forecast(report: PurchaseReport) -> Section:
    """The random split beside the backtest, whose spans are the calls that came next."""
    data, backtest = report.summary.dataset, report.backtest
    text = (
        "A random split measures how well the model ranks customers of weeks that it has learned from. This is good "
        "for comparing models. A backtest measures how well it ranks the calls that came next."
    )
    blocks: list[Block] = [Paragraph("two-kinds-of-figures", text)]
    if data.split == "time":
        text = "This run was split by time: its test customers are the newest of the file."
        blocks.append(Paragraph("split-by-time", text))
    if backtest is not None:
        blocks += _backtest(backtest)
    elif data.row_order == "none":
        text = "The rows of this data are not in the order of their dates, so there can be no backtest."
        blocks.append(Paragraph("no-dates", text))
    else:
        blocks.append(Paragraph("no-backtest", "There is no backtest on this data yet. It takes some minutes:"))
        blocks.append(Command("backtest", _backtest_command(report.summary)))
    return Section("forecast", "What to expect of the next campaign", blocks)


def _backtest(backtest: BacktestResult) -> list[Block]:
    source = f"{number(backtest.rows)} calls of {Path(backtest.source).name}"
    return [Paragraph("verdict", f"{backtest.verdict} ({source}.)"), _auc_by_span(backtest), _rate_by_span(backtest)]


def _auc_by_span(backtest: BacktestResult) -> Figure:
    spans, random = backtest.spans, backtest.random_split.auc
    ends = (0.5, len(spans) + 0.5)
    series = [
        Series(
            TRAINED[name],
            [span.number for span in spans],
            [span.metrics[name].auc for span in spans],
            style=style,
            dashed=name != "expanding",
        )
        for style, name in zip((2, 0, 1), MODELS, strict=True)
    ]
    retrained = ", ".join(number(span.expanding.auc, 3) for span in spans)
    aucs = [span.metrics[name].auc for span in spans for name in MODELS]
    chart = curves(
        "auc-by-span",
        "AUC on each span of calls, of models trained on earlier calls",
        f"On a random split AUC is {number(random, 3)}. A model retrained on all calls so far has {retrained}.",
        Axis("span of calls, oldest first", *ends, lambda v: _plain(v) if float(v).is_integer() else ""),
        around("AUC", [*aucs, random, 0.5], lambda v: f"{v:.2f}"),
        [Series("random split", ends, [random] * 2, style=3, dashed=True), *series],
    )
    cells = [(str(s.number), number(s.rows), *(number(s.metrics[name].auc, 3) for name in MODELS)) for s in spans]
    cells.append(("Random split", "", *[number(random, 3)] * len(MODELS)))
    head = ("Span", "Calls", *map(str.capitalize, TRAINED.values()))
    says = "Every model has learned from earlier calls only. Random order has an AUC of 0.5."
    return Figure(chart, says, Table("auc-by-span", "AUC by span", head, cells))


def _rate_by_span(backtest: BacktestResult) -> Figure:
    spans, many = backtest.spans, backtest.words.many
    chart = rows(
        "rate-by-span",
        f"Share of {many} in each span of calls",
        f"The share of {many} goes from {percent(spans[0].label_rate, 1)} to {percent(spans[-1].label_rate, 1)}.",
        around(f"share of {many}", [s.label_rate for s in spans], percent, zero=True),
        [Row(f"span {s.number}", s.label_rate) for s in spans],
    )
    cells = [
        (
            str(s.number),
            percent(s.label_rate, 1),
            *(number(s.metrics[name].ece, 3) for name in MODELS),
            *(number(s.metrics[name].lift_top_decile, 2) for name in MODELS),
        )
        for s in spans
    ]
    figures = [f"{figure}, {name}" for figure in ("ECE", "Lift") for name in TRAINED.values()]
    head = ("Span", many.capitalize(), *figures)
    says = f"Customers change. Where the share of {many} changes, probabilities learned earlier are off."
    table = Table("rate-by-span", f"{many.capitalize()}, calibration error and lift by span", head, cells)
    return Figure(chart, says, table)


def _report_command(summary: PurchaseSummary) -> str:
    return f".venv/bin/python -m report {summary.run_id} --cost 8 --margin 120"


def _backtest_command(summary: PurchaseSummary) -> str:
    """The command for a backtest on the run's data and columns."""
    data = summary.dataset
    command = [".venv/bin/python", "-m", "pipeline.backtest"]
    command += [] if data.synthetic else ["--data", data.source]
    if not (CONTRACTS / f"{data.contract}.yaml").is_file():
        command += ["--contract", f"{data.contract}.yaml"]
    command += ["--with-after-call"] if summary.settings.with_duration else []
    return shlex.join(command)


def _exact(share: float) -> str:
    """A share with one decimal, or none where it is a whole number of percent."""
    return percent(share, 0 if round(100 * share, 6).is_integer() else 1)


def _plain(value: float) -> str:
    return f"{value:g}"


def _tenth(number: int) -> str:
    return {1: "best tenth", 10: "last tenth"}.get(number, f"{number}{ {2: 'nd', 3: 'rd'}.get(number, 'th') } tenth")
