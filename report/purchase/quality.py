"""For judging the model: calibration, ranking, decisions, groups of customers, and baselines."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np
from sklearn.metrics import precision_recall_curve, roc_curve

from analysis.economics import auc_interval, thin, wilson
from analysis.figures import Metrics
from analysis.metrics import f1, reliability
from pages.blocks import Block, Figure, Paragraph, Section, Table
from pages.charts import Axis, Row, Series, around, curves, rows
from pages.formatting import UNKNOWN, interval, number, percent, percents
from report.purchase.gather import PurchaseReport, Slice
from runs.summary import LabelWords

FEWEST = 30
"""The AUC of groups with fewer customers is not shown."""
COMPARED: dict[str, Callable[[Metrics], str]] = {
    "AUC": lambda metrics: number(metrics.auc, 4),
    "Log loss": lambda metrics: number(metrics.log_loss, 4),
    "ECE": lambda metrics: number(metrics.ece, 4),
    "Accuracy": lambda metrics: number(metrics.accuracy, 4),
    "F1 at 0.5": lambda metrics: number(metrics.f1, 4),
    "F1 at threshold": lambda metrics: number(metrics.f1_at_threshold, 4),
    "Lift": lambda metrics: number(metrics.lift_top_decile, 2),
}
"""Figures of the comparison of models."""
LEVELS = np.arange(1, 11) / 10


def calibration(report: PurchaseReport) -> Section:
    """Predicted and actual shares of positive rows."""
    many = report.summary.dataset.words.many
    count, predicted, actual = reliability(*report.scores["test"])
    limits = [wilson(share * size, size) for share, size in zip(actual, count, strict=True)]
    inside = sum(low <= p <= high for p, (low, high) in zip(predicted, limits, strict=True))
    axis = around(f"predicted share of {many}", [0.0, *predicted, *(high for _, high in limits)], percent)
    says = f"In {inside} of {len(count)} groups the predicted share is within the 95 % interval of the actual share."
    chart = curves(
        "calibration",
        f"Predicted and actual share of {many}",
        says,
        axis,
        Axis(f"actual share of {many}", axis.low, axis.high, percent),
        [
            Series("predicted = actual", [axis.low, axis.high], [axis.low, axis.high], style=3, dashed=True),
            Series("customers with similar scores, with 95 % interval", predicted, actual, points=True, bars=limits),
        ],
    )
    cells = [
        (percent(p, 1), percent(a, 1), percents(*limit, 1), number(c))
        for p, a, limit, c in zip(predicted, actual, limits, count, strict=True)
    ]
    head = ("Predicted", "Actual", "95 % interval", "Customers")
    table = Table("calibration", "Groups of test customers with similar scores", head, cells)
    text = (
        f"Of 100 customers with a score of 20 %, 20 should be {many}; then the point is on the diagonal. Profit and "
        "budget are only as accurate as these probabilities. The mean difference (expected calibration error, ECE) is "
        f"{percent(report.summary.metrics['test'].ece, 1)}."
    )
    blocks: list[Block] = [Paragraph("calibration-error", text), Figure(chart, says, table)]
    return Section("calibration", "Are the probabilities right?", blocks)


def ranking(report: PurchaseReport) -> Section:
    """ROC and precision-recall curves; the test split must have rows of both labels."""
    labels, _ = report.scores["test"]
    metrics = report.summary.metrics["test"]
    assert metrics.auc is not None, "the test split has rows of both labels"
    area = interval(*auc_interval(metrics.auc, labels.sum(), len(labels) - labels.sum()), 3)
    text = (
        f"AUC is {number(metrics.auc, 4)} (95 % interval {area}; Hanley and McNeil 1982). Average precision is "
        f"{number(metrics.pr_auc, 4)}."
    )
    return Section("ranking", "How well it ranks", [Paragraph("areas", text), _roc(report), _precision(report)])


def _roc(report: PurchaseReport) -> Figure:
    words = report.summary.dataset.words
    false_rate, true_rate, _ = roc_curve(*report.scores["test"])
    xs, ys = thin(false_rate, true_rate)
    chart = curves(
        "roc",
        "ROC curve",
        f"The share of {words.many} reached against the share of all other customers called. The area under the curve "
        f"is {number(report.summary.metrics['test'].auc, 3)}.",
        Axis("false positive rate (other customers called)", 0.0, 1.0, percent),
        Axis("true positive rate (recall)", 0.0, 1.0, percent),
        [Series("random order", [0.0, 1.0], [0.0, 1.0], style=3, dashed=True), Series("this model", xs, ys)],
    )
    cells = [(percent(level), percent(_at(true_rate, false_rate, level), 1)) for level in LEVELS]
    head = (f"{words.many.capitalize()} reached", "Other customers called")
    says = "The closer the curve is to the upper left corner, the better."
    return Figure(chart, says, Table("roc", "ROC curve", head, cells))


def _precision(report: PurchaseReport) -> Figure:
    words = report.summary.dataset.words
    labels, probabilities = report.scores["test"]
    precision, recall, _ = (values[::-1] for values in precision_recall_curve(labels, probabilities))
    xs, ys = thin(recall[1:], precision[1:])
    rate = float(labels.mean())
    chart = curves(
        "precision",
        "Precision and recall",
        f"The share of {words.many} among the customers called against the share of all {words.many} reached. Average "
        f"precision is {number(report.summary.metrics['test'].pr_auc, 3)}; random order has {number(rate, 3)}.",
        Axis(f"recall ({words.many} reached)", 0.0, 1.0, percent),
        Axis("precision", 0.0, 1.0, percent),
        [Series("random order", [0.0, 1.0], [rate, rate], style=3, dashed=True), Series("this model", xs, ys)],
    )
    cells = [(percent(level), percent(_at(recall, precision, level), 1)) for level in LEVELS]
    head = (f"{words.many.capitalize()} reached", f"{words.many.capitalize()} among customers called")
    says = "The higher the curve, the fewer calls are wasted."
    return Figure(chart, says, Table("precision", "Precision and recall", head, cells))


def decisions(report: PurchaseReport) -> Section:
    """Confusion matrices at the model's threshold and at 0.5."""
    words, threshold = report.summary.dataset.words, report.summary.model.threshold
    text = (
        "The served decision is yes for scores above the threshold, which has the best F1 on the eval customers. "
        f"Scores above 0.5 are rare where few customers are {words.many}. The accuracy that the gate checks is at 0.5."
    )
    tables = [
        _confusion(report, "confusion-at-threshold", f"At the model's threshold, {number(threshold, 3)}", threshold),
        _confusion(report, "confusion-at-half", "At 0.5", 0.5),
    ]
    return Section("decisions", "Yes or no", [Paragraph("threshold", text), *tables])


def _confusion(report: PurchaseReport, name: str, title: str, threshold: float) -> Table:
    labels, probabilities = report.scores["test"]
    many = report.summary.dataset.words.many
    yes = probabilities > threshold
    cells = []
    for decision, rows_decided in (("yes", yes), ("no", ~yes)):
        positives, size = labels[rows_decided].sum(), rows_decided.sum()
        share = percent(positives / size, 1) if size else UNKNOWN
        cells.append((f"Decision {decision}", number(positives), number(size - positives), number(size), share))
    recall = percent(labels[yes].sum() / labels.sum(), 1) if labels.any() else UNKNOWN
    caption = f"{title}: reaches {recall} of {many}, F1\u00a0{number(f1(labels, probabilities, threshold), 3)}"
    head = ("Test customers", many.capitalize(), "Others", "All", f"Share of {many}")
    return Table(name, caption, head, cells, narrow=True)


def groups(report: PurchaseReport) -> Section:
    """The Evaluator's slices, with counts and intervals."""
    title = "Groups of customers"
    if not report.slices:
        return Section("groups", title, [Paragraph("no-slices", "The contract names no columns to slice by.")])
    words = report.summary.dataset.words
    text = (
        f"Is the ranking good within each group? AUC is shown for groups of at least {FEWEST} customers with "
        f"{words.many} and others among them. Where an interval is wide, a difference may be chance. Intervals are "
        "95 %: Wilson (1927) for shares, Hanley and McNeil (1982) for AUC."
    )
    overall = report.summary.metrics["test"].auc
    blocks: list[Block] = [Paragraph("groups", text)]
    for column, members in itertools.groupby(report.slices, key=lambda group: group.column):
        blocks.append(_by(column, list(members), overall, words))
    return Section("groups", title, blocks)


def _by(column: str, groups: Sequence[Slice], overall: float | None, words: LabelWords) -> Figure:
    entries, cells = [], []
    for group in groups:
        measurable = group.rows >= FEWEST and 0 < group.positives < group.rows
        limits = auc_interval(group.auc, group.positives, group.rows - group.positives) if measurable else None
        entries.append(Row(group.value, group.auc if measurable else None, limits))
        cells.append(
            (
                group.value,
                number(group.rows),
                number(group.positives),
                percent(group.positives / group.rows, 1),
                percents(*wilson(group.positives, group.rows), 1),
                number(group.calibration, 2),
                number(group.auc, 3) if measurable else UNKNOWN,
                interval(*limits, 3) if limits else UNKNOWN,
            )
        )
    worst = min(_known(entries), key=lambda entry: entry[1], default=None)
    says = (
        f"AUC is lowest for {worst[0]}: {number(worst[1], 3)}, against {number(overall, 3)} over all customers."
        if worst
        else "No group has enough customers for an AUC."
    )
    low = min([0.5, *(entry.bar[0] for entry in entries if entry.bar)])
    axis = Axis("AUC", low, 1.0, lambda v: f"{v:.1f}")
    chart = rows(f"by-{column}", f"AUC by {column}", says, axis, entries, dots=True)
    head = (
        "Group",
        "Customers",
        words.many.capitalize(),
        f"Share of {words.many}",
        "Interval",
        "Predicted / actual",
        "AUC",
        "Interval",
    )
    return Figure(chart, says, Table(f"by-{column}", f"Test customers by {column}", head, cells))


def comparison(report: PurchaseReport) -> Section:
    """The network and the baselines on the same rows."""
    title, models = "Comparison with baselines", report.summary.comparison
    if not models:
        text = "The baselines were not measured in this run (--no-benchmark)."
        return Section("comparison", title, [Paragraph("no-baselines", text)])
    entries = []
    for model in models:
        auc = model.metrics.auc
        limits = None if auc is None else auc_interval(auc, *_labels(model.metrics))
        entries.append(Row(model.name, auc, limits, style=0 if model is models[0] else 3))
    best = max(_known(entries), key=lambda entry: entry[1], default=None)
    says = f"{best[0]} has the highest AUC, {number(best[1], 3)}." if best else "No AUC can be computed."
    ends = [end for entry in entries for end in entry.bar or ()]
    axis = around("AUC", ends, lambda v: f"{v:.2f}")
    chart = rows("models", "AUC of each model on test", says, axis, entries, dots=True)
    cells = [
        (
            model.name,
            *(figure(model.metrics) for figure in COMPARED.values()),
            number(model.train_seconds, 1),
            number(model.score_microseconds),
            "all" if model.train_rows is None else f"{model.train_rows:,}",
        )
        for model in models
    ]
    head = ("Model", *COMPARED, "Training, s", "Scoring, µs/row", "Training customers")
    caption = "The same test customers; the threshold of each model has its best F1 on eval"
    text = (
        f"All models were measured on the same {sum(_labels(models[0].metrics)):,} test customers. For log loss and "
        "ECE lower is better, for the other figures higher. Because the customers are the same, the difference "
        "between two models is more certain than the intervals suggest."
    )
    table = Table("models", caption, head, cells, marked=0)
    return Section("comparison", title, [Paragraph("same-customers", text), Figure(chart, says, table)])


def _labels(metrics: Metrics) -> tuple[int, int]:
    """Positive and negative rows."""
    return (
        metrics.true_positives + metrics.false_negatives,
        metrics.true_negatives + metrics.false_positives,
    )


def _known(entries: Sequence[Row]) -> list[tuple[str, float]]:
    return [(entry.name, entry.value) for entry in entries if entry.value is not None]


def _at(x: np.ndarray, y: np.ndarray, level: float) -> float:
    """The first y where a rising x reaches a level."""
    return float(y[np.searchsorted(x, level - 1e-9)])
