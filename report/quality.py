"""For who judges the model: calibration, ranking, decisions, groups, and the usual models beside it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from sklearn.metrics import precision_recall_curve, roc_curve

from analysis.economics import auc_interval, thin, wilson
from analysis.metrics import f1, reliability
from pages.blocks import Block, Figure, Section, Table
from pages.charts import Axis, Row, Series, around, curves, rows
from pages.formatting import UNKNOWN, interval, number, percent, percents
from report.gather import Material, Slice

FEWEST = 30
"""Groups with fewer customers are counted, not judged."""
COMPARED = {
    "auc": ("AUC", 4),
    "log_loss": ("Log loss", 4),
    "ece": ("ECE", 4),
    "accuracy": ("Accuracy", 4),
    "f1": ("F1 at 0.5", 4),
    "f1_at_threshold": ("F1 at threshold", 4),
    "lift_top_decile": ("Lift", 2),
}
"""Figures of the model comparison, with digits."""


def calibration(material: Material) -> Section:
    """Predicted against real shares of buyers."""
    count, predicted, actual = reliability(*material.scores["test"])
    spans = [wilson(share * rows_, rows_) for share, rows_ in zip(actual, count, strict=True)]
    inside = sum(low <= p <= high for p, (low, high) in zip(predicted, spans, strict=True))
    axis = around("predicted share of buyers", [0.0, *predicted, *(high for _, high in spans)], percent)
    says = f"In {inside} of {len(count)} groups the predicted share lies within the 95 % interval of the real one."
    chart = curves(
        "calibration",
        "Predicted and real share of buyers",
        says,
        axis,
        Axis("real share of buyers", axis.low, axis.high, percent),
        [
            Series("predicted = real", [axis.low, axis.high], [axis.low, axis.high], style=3, dashed=True),
            Series(
                "groups of customers with like scores, with 95 % intervals", predicted, actual, points=True, bars=spans
            ),
        ],
    )
    table = Table(
        "Groups of test customers with like scores",
        ("Predicted", "Real", "95 % interval", "Customers"),
        [
            (percent(p, 1), percent(a, 1), percents(*span, 1), number(c))
            for p, a, span, c in zip(predicted, actual, spans, count, strict=True)
        ],
    )
    return Section(
        "calibration",
        "Can the probabilities be believed?",
        [
            "Of 100 customers with a score of 20 %, 20 should buy; then the dot lies on the diagonal. Budgets "
            "and profits are "
            f"only as right as this. The mean gap, the expected calibration error, is "
            f"{percent(material.summary['metrics']['test']['ece'], 1)}.",
            Figure(chart, says, table),
        ],
    )


def ranking(material: Material) -> Section:
    """ROC and precision-recall curves; the test split has rows of both labels."""
    labels, probabilities = material.scores["test"]
    metrics = material.summary["metrics"]["test"]
    false_rate, true_rate, _ = roc_curve(labels, probabilities)
    precision, recall, _ = (values[::-1] for values in precision_recall_curve(labels, probabilities))
    share = {"low": 0.0, "high": 1.0, "text": percent}
    positives = labels.sum()
    area = interval(*auc_interval(metrics["auc"], positives, len(labels) - positives), 3)
    levels = np.arange(1, 11) / 10
    roc = curves(
        "roc",
        "ROC curve",
        f"Buyers found against others called in vain. The area is {number(metrics['auc'], 3)}.",
        Axis("others called in vain (false positive rate)", **share),
        Axis("buyers found (true positive rate)", **share),
        [
            Series("chance", [0.0, 1.0], [0.0, 1.0], style=3, dashed=True),
            Series("this model", *thin(false_rate, true_rate)),
        ],
    )
    found = curves(
        "pr",
        "Precision and recall",
        f"Share of buyers among those called against share of all buyers found. Average precision is "
        f"{number(metrics['pr_auc'], 3)}, that of chance {number(labels.mean(), 3)}.",
        Axis("buyers found (recall)", **share),
        Axis("buyers among those called (precision)", **share),
        [
            Series("chance", [0.0, 1.0], [labels.mean()] * 2, style=3, dashed=True),
            Series("this model", *thin(recall[1:], precision[1:])),
        ],
    )
    return Section(
        "ranking",
        "How well it ranks",
        [
            f"AUC is {number(metrics['auc'], 4)}, 95 % interval {area} (Hanley and McNeil 1982); average precision is "
            f"{number(metrics['pr_auc'], 4)}.",
            Figure(
                roc,
                "The further the curve bends to the upper left, the better.",
                Table(
                    "ROC curve",
                    ("Buyers found", "Others called in vain"),
                    [(percent(level), percent(_at(true_rate, false_rate, level), 1)) for level in levels],
                ),
            ),
            Figure(
                found,
                "The higher the curve, the fewer calls are in vain.",
                Table(
                    "Precision and recall",
                    ("Buyers found", "Buyers among those called"),
                    [(percent(level), percent(_at(recall, precision, level), 1)) for level in levels],
                ),
            ),
        ],
    )


def decisions(material: Material) -> Section:
    """What yes and no come to at the model's threshold and at 0.5."""
    labels, probabilities = material.scores["test"]
    threshold = material.summary["model"]["threshold"]
    tables = []
    for name, bound in ((f"At the model's threshold, {number(threshold, 3)}", threshold), ("At 0.5", 0.5)):
        yes = probabilities > bound
        cells = []
        for said, chosen in (("yes", yes), ("no", ~yes)):
            bought = labels[chosen].sum()
            rate = percent(bought / chosen.sum(), 1) if chosen.any() else UNKNOWN
            cells.append(
                (f"Model says {said}", number(bought), number(chosen.sum() - bought), number(chosen.sum()), rate)
            )
        recall = percent(labels[yes].sum() / labels.sum(), 1) if labels.any() else UNKNOWN
        caption = f"{name}: finds {recall} of buyers, F1\u00a0{number(f1(labels, probabilities, bound), 3)}"
        tables.append(
            Table(caption, ("Test customers", "Bought", "Did not", "All", "Bought, of these"), cells, narrow=True)
        )
    return Section(
        "decisions",
        "Yes or no",
        [
            "The served answer \u201cpurchase\u201d is yes above the threshold, the one with the best F1 on "
            "the eval customers. "
            "Few customers buy, so 0.5 is rarely reached; accuracy, which the gate looks at, is counted there.",
            *tables,
        ],
    )


def groups(material: Material) -> Section:
    """The Evaluator's slices with counts and intervals."""
    title = "Groups of customers"
    if not material.slices:
        return Section("groups", title, ["The contract names no columns to slice by."])
    blocks: list[Block] = [
        f"Does the ranking hold within each group? Groups of fewer than {FEWEST} customers or without buyers "
        "are counted, not "
        "judged. Where an interval is wide, chance explains much. Intervals are 95 %: Wilson (1927) for "
        "shares, Hanley and "
        "McNeil (1982) for AUC.",
    ]
    overall = material.summary["metrics"]["test"]["auc"]
    for column, members in itertools.groupby(material.slices, key=lambda group: group.column):
        blocks.append(_by(column, list(members), overall))
    return Section("groups", title, blocks)


def _by(column: str, members: Sequence[Slice], overall: float | None) -> Figure:
    entries, cells = [], []
    for group in members:
        figures = group.figures
        count = figures["example_count"]
        buyers = figures["true_positives"] + figures["false_negatives"]
        judged = count >= FEWEST and 0 < buyers < count
        span = auc_interval(figures["auc"], buyers, count - buyers) if judged else None
        entries.append(Row(group.value, figures["auc"] if judged else None, span))
        cells.append(
            (
                group.value,
                number(count),
                number(buyers),
                percent(buyers / count, 1),
                percents(*wilson(buyers, count), 1),
                number(figures["calibration"], 2),
                number(figures["auc"], 3) if judged else UNKNOWN,
                interval(*span, 3) if span else UNKNOWN,
            )
        )
    low = min([0.5, *(entry.bar[0] for entry in entries if entry.bar)])
    known = [entry for entry in entries if entry.value is not None]
    worst = min(known, key=lambda entry: entry.value, default=None)
    says = (
        f"{worst.name} is ranked worst: AUC {number(worst.value, 3)}, against {number(overall, 3)} over all."
        if worst
        else "No group has enough customers to be judged."
    )
    chart = rows(
        f"by-{column}", f"AUC by {column}", says, Axis("AUC", low, 1.0, lambda v: f"{v:.1f}"), entries, dots=True
    )
    head = ("Group", "Customers", "Buyers", "Buy rate", "Interval", "Predicted / real", "AUC", "Interval")
    return Figure(chart, says, Table(f"Test customers by {column}", head, cells))


def comparison(material: Material) -> Section:
    """The usual models on the same rows."""
    title, models = "Beside the usual models", material.summary.get("comparison")
    if not models:
        return Section("comparison", title, ["This run measured no other models; it was run with --no-benchmark."])
    labels, _ = material.scores["test"]
    positives = labels.sum()
    entries = []
    for style, model in enumerate(models):
        auc = model["metrics"]["auc"]
        span = None if auc is None else auc_interval(auc, positives, len(labels) - positives)
        entries.append(Row(model["name"], auc, span, style=0 if style == 0 else 3))
    known = [entry for entry in entries if entry.value is not None]
    best = max(known, key=lambda entry: entry.value, default=None)
    says = f"{best.name} ranks best, with AUC {number(best.value, 3)}." if best else "No model can be ranked."
    ends = [end for entry in known for end in entry.bar or ()]
    chart = rows(
        "models", "AUC of each model on test", says, around("AUC", ends, lambda v: f"{v:.2f}"), entries, dots=True
    )
    table = Table(
        "The same test customers, each model with the threshold of its best F1 on eval",
        ("Model", *(name for name, _ in COMPARED.values()), "Seconds to train", "µs to score a row"),
        [
            (
                model["name"],
                *(number(model["metrics"].get(key), digits) for key, (_, digits) in COMPARED.items()),
                number(model["train_seconds"], 1),
                number(model["score_microseconds"]),
            )
            for model in models
        ],
        marked=0,
    )
    return Section(
        "comparison",
        title,
        [
            "Each was trained on the same train customers and measured on the same test customers. Of log loss "
            "and ECE less is "
            "better, of the others more. Intervals are wide beside the differences, but the customers are the "
            "same, so they "
            "overstate the doubt.",
            Figure(chart, says, table),
        ],
    )


def _at(x: np.ndarray, y: np.ndarray, level: float) -> float:
    """The first y at which a rising x has reached a level."""
    return float(y[np.searchsorted(x, level - 1e-9)])
