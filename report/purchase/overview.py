"""The first screen: what the model is worth, whether it was blessed, on which data, and what has changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from analysis.economics import auc_interval, profit
from analysis.figures import Metrics
from analysis.metrics import gains
from pages.blocks import Block, Command, Paragraph, Section, Table, Tile
from pages.formatting import UNKNOWN, euro, interval, number, percent, plain_euro, signed
from report.changes import settings_that_differ
from report.overview import Caution, Missing, Overview, verdict
from report.purchase.campaign import backtest_command
from report.purchase.gather import PurchaseReport
from runs.compare import same_test_rows
from runs.summary import PurchaseSummary

HEADLINE_SHARE = 0.2
"""Share of customers called in the headline."""
FIGURES: dict[str, Callable[[Metrics], float | None]] = {
    "AUC": lambda metrics: metrics.auc,
    "PR-AUC": lambda metrics: metrics.pr_auc,
    "Accuracy at 0.5": lambda metrics: metrics.accuracy,
    "Log loss": lambda metrics: metrics.log_loss,
    "Calibration error": lambda metrics: metrics.ece,
    "F1 at the threshold": lambda metrics: metrics.f1_at_threshold,
    "Lift in the best tenth": lambda metrics: metrics.lift_top_decile,
}
"""Test figures by which runs are compared."""


def rankable(report: PurchaseReport) -> bool:
    """Whether eval and test have rows of both labels, which curves need."""
    return all(0 < report.scores[split][0].sum() < len(report.scores[split][0]) for split in ("eval", "test"))


def overview(report: PurchaseReport, cost: float, margin: float) -> Overview:
    """The first screen of a run; the cost of a call and the margin of a positive row are in euros."""
    data = report.summary.dataset
    split = "random, 70/15/15" if data.split == "random" else "by time, the newest rows are the test split"
    return Overview(
        headline=_headline(report),
        blessed=report.summary.gate.blessed,
        verdict=_verdict(report.summary),
        synthetic=data.synthetic,
        caution=_caution(report),
        facts=[
            ("Data", data.contract + (", synthetic sample" if data.synthetic else "")),
            ("Source", Path(data.source).name),
            ("Customers", f"{number(data.rows)}, {percent(data.label_rate, 1)} of them {data.words.many}"),
            ("Quarantined", f"{number(data.quarantined)} rows"),
            ("Split", split),
            ("Columns", _columns(report.summary)),
        ],
        tiles=[*_ranking_tiles(report, cost, margin), *_tile_to_come(report), _accuracy_tile(report)],
        missing=_missing(report),
    )


def _columns(summary: PurchaseSummary) -> str:
    """How many columns there are, and whether a call list could have them all."""
    more = ["some known only after the call"] * summary.settings.with_duration
    more += ["some say when the call was"] * summary.settings.with_calendar
    return ", ".join([str(len(summary.features)), *(more or ["all known before the call"])])


def changes(report: PurchaseReport) -> Section:
    """The differences to the run of the last blessed model: settings, and figures on test."""
    now, before = report.summary, report.previous
    title = "What changed since the last blessed run"
    if before is None:
        return Section("changes", title, [Paragraph("no-previous", "There is no earlier blessed run to compare with.")])
    head = ("Last blessed", "This run")
    rows = []
    for name, figure in FIGURES.items():
        a, b = figure(before.metrics["test"]), figure(now.metrics["test"])
        difference = UNKNOWN if a is None or b is None else signed(b - a)
        rows.append((name, number(a, 4), number(b, 4), difference))
    caption = f"Test figures of run {before.run_id} and of this run"
    blocks: list[Block] = [
        Table("changed-figures", caption, ("Figure", *head, "Difference"), rows, narrow=True),
    ]
    if not same_test_rows((before, now)):
        text = "The two runs may have different test customers, so their figures may not be comparable."
        blocks.insert(0, Paragraph("other-test-rows", text))
    blocks.append(settings_that_differ(before, now))
    return Section("changes", title, blocks)


def _verdict(summary: PurchaseSummary) -> str:
    return f"{verdict(summary)} {summary.trial.verdict}" if summary.trial else verdict(summary)


def _headline(report: PurchaseReport) -> str:
    if not rankable(report):
        return "All eval or all test customers have the same label, so the ranking cannot be measured."
    reached = float(gains(*report.scores["test"], np.array(HEADLINE_SHARE)))
    return (
        f"Calling the best-scored {percent(HEADLINE_SHARE)} of customers reaches {percent(reached)} of all "
        f"{report.summary.dataset.words.many}, {number(reached / HEADLINE_SHARE, 1)} times as many as random calls."
    )


def _caution(report: PurchaseReport) -> Caution | None:
    if report.summary.dataset.split != "random" or report.summary.dataset.synthetic:
        return None
    return Caution(_how_far_to_believe(report), "forecast", "What to expect of the lists to come")


def _how_far_to_believe(report: PurchaseReport) -> str:
    text = "The test customers were chosen at random, from the same weeks that the model learned from."
    backtest = report.backtest
    if backtest is None or backtest.worth.within_month_auc is None:
        return f"{text} Expect lower figures for the weeks to come."
    return (
        f"{text} Of the lists to come, expect the AUC within a month, which was "
        f"{number(backtest.worth.within_month_auc, 2)} on {backtest.months_stated}, by models of the months before."
    )


def _missing(report: PurchaseReport) -> Missing | None:
    if report.backtest is not None or report.summary.dataset.row_order == "none":
        return None
    text = "Nobody has measured yet what to expect of the lists to come. This does, in some minutes:"
    return Missing(text, Command("measure-lists-to-come", backtest_command(report.summary)))


def _tile_to_come(report: PurchaseReport) -> list[Tile]:
    """What to expect of the lists to come, beside the figures of the test customers."""
    backtest = report.backtest
    if backtest is None or backtest.worth.within_month_auc is None:
        return []
    worth, at_random = backtest.worth, backtest.random_split.within_month_auc
    found = worth.within_month_auc_interval
    assert found is not None
    inside = "" if at_random is None else f"; at random, within a month, {number(at_random, 3)}"
    return [
        Tile(
            "lists-to-come",
            number(worth.within_month_auc, 3),
            f"AUC to expect of the lists to come, within a month: on {backtest.months_stated}, by models of the months "
            "before",
            f"95 % interval {interval(found.low, found.high, 3)}; the better half of a list holds "
            f"{percent(worth.better_half_share)} of its {backtest.words.many}{inside}",
        )
    ]


def _ranking_tiles(report: PurchaseReport, cost: float, margin: float) -> list[Tile]:
    test, words = report.summary.metrics["test"], report.summary.dataset.words
    if not rankable(report) or test.auc is None or test.lift_top_decile is None:
        return []
    earned = profit(report.scores["eval"], report.scores["test"], cost, margin)
    labels = report.scores["test"][0]
    rate = float(labels.mean())
    limits = auc_interval(test.auc, labels.sum(), (1 - labels).sum())
    called = f"calling the best-scored {percent(earned.best_share)}" if earned.best_share else "no call pays"
    return [
        Tile(
            "profit",
            euro(earned.best),
            f"profit per 1,000 customers: {called}",
            f"{euro(earned.everyone)} when calling everyone, at {plain_euro(cost)} per call and {plain_euro(margin)} "
            f"per {words.one}",
        ),
        Tile(
            "lift",
            f"{number(test.lift_top_decile, 1)} ×",
            f"as many {words.many} in the best-scored tenth as in a random tenth",
            f"{percent(test.lift_top_decile * rate)} {words.many} there, {percent(rate)} among all customers",
        ),
        Tile(
            "auc",
            number(test.auc, 3),
            f"AUC: how often a {words.one} has a higher score than another customer",
            f"{_held_out(report)}; random order has 0.5; 95 % interval {interval(*limits, 3)}",
        ),
    ]


def _held_out(report: PurchaseReport) -> str:
    return "on customers held out at random" if report.summary.dataset.split == "random" else "on the newest customers"


def _accuracy_tile(report: PurchaseReport) -> Tile:
    test = report.summary.metrics["test"]
    return Tile(
        "accuracy",
        percent(test.accuracy, 1),
        "accuracy at 0.5",
        f"{percent(test.majority_accuracy, 1)} when always predicting the majority class",
    )
