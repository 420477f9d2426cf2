"""For planning a campaign: whom to call, what it earns, and what to expect of the next campaign."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from analysis import economics
from analysis.economics import DECILES, SHARES, Decile, Profit, perfect_gain, wilson
from analysis.figures import Interval, OverTime
from analysis.metrics import gains
from data.contract import CONTRACTS, LIST_SIZE
from pages.blocks import Block, Command, Figure, Lines, Paragraph, Section, Table
from pages.charts import Axis, Chart, Row, Series, around, curves, rows
from pages.formatting import UNKNOWN, euro, interval, number, percent, percents, plain_euro, short_euro
from report.purchase.gather import PurchaseReport
from runs.backtest_result import MODELS, BacktestResult, Model, MonthResult, Outcome
from runs.summary import LabelWords, PurchaseSummary

CALLED = "customers called, best-scored first"
OUTCOMES: dict[Outcome, str] = {
    "first": "first model",
    "promoted": "new model",
    "refused": "new model refused",
    "kept": "nothing trained",
}
"""What the schedule decided before a month, in words."""
PERIODS = {
    "dev": "The months on which choices were made",
    "confirm": "The months after them, on which no choice was made",
    "all": "All months that were scored",
}
_LIST_SIZE = (
    "The size of the list is one of the columns. In past calls it stands for how the bank chose whom to call. When the "
    "model's own lists decide that, it changes its meaning; the drift monitor watches it."
)


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
    """The random split beside the backtest, whose months are the calls that came next."""
    data, backtest = report.summary.dataset, report.backtest
    text = (
        "A random split measures how well the model ranks customers of weeks that it has learned from. This is good "
        "for comparing models. A backtest measures how well the schedule would have ranked each month's calls before "
        "it knew them."
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
        blocks.append(Command("backtest", backtest_command(report.summary)))
    if LIST_SIZE.keys() & set(report.summary.features):
        blocks.append(Paragraph("list-size", _LIST_SIZE))
    return Section("forecast", "What to expect of the lists to come", blocks)


def _backtest(backtest: BacktestResult) -> list[Block]:
    seeds = "one seed" if len(backtest.seeds) == 1 else f"means of {len(backtest.seeds)} seeds"
    source = f"{number(backtest.rows)} calls of {Path(backtest.source).name}, {seeds}"
    blocks: list[Block] = [
        Paragraph("verdict", f"{backtest.verdict} ({source}.)"),
        *(_period(backtest, name) for name in backtest.periods if name != "all" or backtest.stated == "all"),
        _months(backtest),
    ]
    if texts := backtest.exceptions:
        blocks += [Paragraph("exceptions", "Out of the ordinary before a month:"), Lines("decisions", texts)]
    return blocks


def _period(backtest: BacktestResult, name: str) -> Table:
    """The figures of each model over a period, and those of the random split."""
    many, period = backtest.words.many, backtest.periods[name]
    cells = [(MODELS[model], *_over_time(figures)) for model, figures in period.models.items()]
    cells.append(("network, random split", *_over_time(backtest.random_split)[:-1], UNKNOWN))
    head = (
        *("Model", "AUC within a month", "95 %", f"{many.capitalize()} in the better half of a list", "95 %"),
        *("Pooled AUC, mixes base rates", "Log loss", "ECE", "Profit"),
    )
    caption = (
        f"{PERIODS[name]}, {period.months}; profit at {plain_euro(backtest.cost)} a call and "
        f"{plain_euro(backtest.margin)} per {backtest.words.one}"
    )
    return Table(f"period-{name}", caption, head, cells, marked=0)


def _over_time(figures: OverTime) -> tuple[str, ...]:
    return (
        number(figures.within_month_auc, 3),
        _interval(figures.within_month_auc_interval, lambda low, high: interval(low, high, 3)),
        percent(figures.better_half_share, 1),
        _interval(figures.better_half_share_interval, lambda low, high: percents(low, high, 1)),
        number(figures.pooled_auc, 3),
        number(figures.log_loss, 3),
        number(figures.ece, 3),
        euro(figures.profit),
    )


def _interval(found: Interval | None, text: Callable[[float, float], str]) -> str:
    return UNKNOWN if found is None else text(found.low, found.high)


def _months(backtest: BacktestResult) -> Figure:
    """AUC inside each month, of the schedule's model and of its first one."""
    months, many = backtest.months, backtest.words.many
    ends = (0.5, len(months) + 0.5)
    drawn: dict[Model, int] = {"static": 2, "monthly": 0}
    series = []
    for model, style in drawn.items():
        measured = [(place, month.auc[model]) for place, month in enumerate(months, 1) if month.auc[model] is not None]
        places, aucs = [place for place, _ in measured], [auc for _, auc in measured]
        series.append(Series(MODELS[model], places, aucs, style=style, dashed=bool(style)))
    chart = curves(
        "auc-by-month",
        "AUC inside each month",
        "Of a model trained as the schedule trains, month by month: "
        + ", ".join(f"{month.name} {number(month.auc['monthly'], 3)}" for month in months),
        Axis("month of the calls", *ends, lambda place: _month_at(months, place)),
        around("AUC", [0.5, *(auc for line in series for auc in line.ys)], lambda v: f"{v:.2f}"),
        [Series("random order", ends, [0.5, 0.5], style=3, dashed=True), *series],
    )
    cells = [
        (
            month.name,
            number(month.rows),
            percent(month.label_rate, 1),
            *(number(month.auc[model], 3) for model in MODELS),
            " or ".join(dict.fromkeys(OUTCOMES[decided.outcome] for decided in month.decisions)),
        )
        for month in months
    ]
    head = ("Month", "Calls", f"Share of {many}", *map(str.capitalize, MODELS.values()), "Before the month")
    says = "Every model has learned from earlier months only. Months with few calls vary by chance."
    table = Table("auc-by-month", "AUC by month", head, cells, texts=frozenset({0, len(head) - 1}))
    return Figure(chart, says, table)


def _month_at(months: Sequence[MonthResult], place: float) -> str:
    whole = float(place).is_integer() and 1 <= place <= len(months)
    return months[int(place) - 1].name.removeprefix("rows ") if whole else ""


def _report_command(summary: PurchaseSummary) -> str:
    return f".venv/bin/python -m report {summary.run_id} --cost 8 --margin 120"


def backtest_command(summary: PurchaseSummary) -> str:
    """The command for a backtest on the run's data and columns."""
    data = summary.dataset
    command = [".venv/bin/python", "-m", "pipeline.backtest"]
    command += [] if data.synthetic else ["--data", data.source]
    if not (CONTRACTS / f"{data.contract}.yaml").is_file():
        command += ["--contract", f"{data.contract}.yaml"]
    command += ["--with-after-call"] * summary.settings.with_duration + [
        "--with-calendar"
    ] * summary.settings.with_calendar
    return shlex.join(command)


def _exact(share: float) -> str:
    """A share with one decimal, or none where it is a whole number of percent."""
    return percent(share, 0 if round(100 * share, 6).is_integer() else 1)


def _plain(value: float) -> str:
    return f"{value:g}"


def _tenth(number: int) -> str:
    return {1: "best tenth", 10: "last tenth"}.get(number, f"{number}{ {2: 'nd', 3: 'rd'}.get(number, 'th') } tenth")
