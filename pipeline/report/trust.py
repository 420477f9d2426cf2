"""How far the model can be trusted: calibration, ranking, decisions, groups, other models, time."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.metrics import precision_recall_curve, roc_curve

from modules.metrics import reliability
from pipeline.report import curves
from pipeline.report.charts import Axis, Chart, Line, around, percent
from pipeline.report.gather import Material, Slice
from pipeline.report.parts import Section, Table, Text, number, share, times

FEWEST = 30
"""Smaller groups of customers are counted, not judged."""


def calibration(labels: np.ndarray, probabilities: np.ndarray) -> Section:
    """Predicted against real shares of buyers; labels and probabilities are [rows]."""
    rows, predicted, actual = reliability(labels, probabilities)
    top = max(predicted.max(), actual.max(), 0.01)
    chart = Chart(
        "Predicted and real share of buyers",
        f"{len(rows)} groups of about {rows.mean():.0f} customers; the largest gap is "
        f"{abs(predicted - actual).max():.1%}.",
        around("predicted", [0.0, top], percent),
        around("real", [0.0, top], percent),
        [Line("this model", predicted, actual), Line("perfect", [0, top], [0, top])],
    )
    cells = []
    for count, score, rate in zip(rows, predicted, actual, strict=True):
        low, high = curves.wilson(rate * count, count)
        inside = "yes" if low <= score <= high else "no"
        cells.append((share(score), f"{count:,}", share(rate), f"{share(low)} to {share(high)}", inside))
    return Section(
        "calibration",
        "Can the probabilities be believed",
        [
            Text("Where the line lies on the diagonal, 20 of 100 customers with a score of 20 % buy."),
            chart,
            Table(
                "Customers in groups of like score",
                ("predicted", "customers", "real", "95 % interval", "inside"),
                cells,
            ),
        ],
    )


def ranking(labels: np.ndarray, probabilities: np.ndarray) -> Section:
    """ROC and precision-recall curves; labels, both kinds among them, and probabilities are [rows]."""
    false_rate, true_rate, _ = roc_curve(labels, probabilities)
    precision, recall, _ = precision_recall_curve(labels, probabilities)
    recall, precision = recall[::-1], precision[::-1]
    at = np.linspace(0.1, 1.0, 10)
    rows = [
        (
            percent(found),
            share(np.interp(found, true_rate, false_rate)),
            share(precision[recall >= found - 1e-9].max()),
        )
        for found in at
    ]
    unit = {"low": 0, "high": 1, "text": percent}
    return Section(
        "ranking",
        "Ranking in detail",
        [
            Chart(
                "ROC curve",
                "How many buyers are found against how many others are called in vain.",
                Axis("others called in vain", **unit),
                Axis("buyers found", **unit),
                [Line("this model", *curves.thin(false_rate, true_rate)), Line("at random", [0, 1], [0, 1])],
            ),
            Chart(
                "Precision and recall",
                "Share of buyers among those called against the share of all buyers found.",
                Axis("buyers found", **unit),
                Axis("buyers among those called", **unit),
                [
                    Line("this model", *curves.thin(recall, precision)),
                    Line("at random", [0, 1], [labels.mean()] * 2),
                ],
            ),
            Table(
                "At each share of buyers found",
                ("buyers found", "others called in vain", "best precision from there on"),
                rows,
            ),
        ],
    )


def decisions(material: Material) -> Section:
    """Confusion of the test customers at the model's threshold and at 0.5."""
    labels, probabilities = material.scores["test"]
    threshold = material.summary["model"]["threshold"]
    parts: list[Text | Table | Chart] = [
        Text(
            f"The model says yes above {threshold:.3f}, the threshold with the best F1 on eval; at 0.5, which the gate "
            "looks at, it says yes far more rarely, because few customers buy."
        )
    ]
    for name, bound in ((f"the model's threshold, {threshold:.3f}", threshold), ("0.5", 0.5)):
        yes = probabilities > bound
        rows = []
        for said, those in (("yes", yes), ("no", ~yes)):
            bought = labels[those].sum()
            rows.append((said, f"{bought:,.0f}", f"{those.sum() - bought:,.0f}", f"{those.sum():,}"))
        parts.append(Table(f"Test customers at {name}", ("model says", "bought", "did not", "all"), rows))
    return Section("decisions", "Yes or no", parts)


def groups(slices: Sequence[Slice]) -> Section:
    """The Evaluator's slices with their intervals."""
    rows = []
    for group in slices:
        figures = group.figures
        buyers = figures["true_positives"] + figures["false_negatives"]
        count = figures["example_count"]
        rate = " to ".join(share(end) for end in curves.wilson(buyers, count))
        auc = spread = "-"
        if count >= FEWEST and 0 < buyers < count:
            auc = f"{figures['auc']:.3f}"
            spread = " to ".join(f"{end:.3f}" for end in curves.auc_interval(figures["auc"], buyers, count - buyers))
        rows.append(
            (
                f"{group.column}: {group.value}",
                f"{count:,.0f}",
                f"{buyers:,.0f}",
                share(buyers / count),
                rate,
                auc,
                spread,
            )
        )
    head = ("group", "customers", "buyers", "buy rate", "95 % interval", "AUC", "95 % interval")
    return Section(
        "groups",
        "Groups of customers",
        [
            Text(
                f"Does the ranking hold within each group? Groups below {FEWEST} customers are counted, not judged; "
                "where an interval is wide, chance explains much. Intervals are Wilson's for rates, Hanley and "
                "McNeil's for AUC."
            ),
            Table("Groups of test customers", head, rows),
        ],
    )


def comparison(summary: Mapping[str, Any]) -> Section:
    """The network beside the models that the Benchmark trained."""
    title = "Beside the usual models"
    if not summary["comparison"]:
        return Section("comparison", title, [Text("This run was asked not to measure other models (--no-benchmark).")])
    rows = [
        (
            model["name"],
            *(number(model["metrics"][key]) for key in ("auc", "accuracy", "log_loss", "ece", "f1", "f1_at_threshold")),
            times(model["metrics"]["lift_top_decile"]),
            f"{model['train_seconds']:.1f}",
            f"{model['score_microseconds']:.0f}",
        )
        for model in summary["comparison"]
    ]
    head = ("model", "AUC", "accuracy", "log loss", "ECE", "F1 at 0.5", "F1 at best", "lift", "s to train", "µs a row")
    return Section(
        "comparison",
        title,
        [
            Text(
                "Each was trained on the same train customers, got the threshold of its best F1 on the same eval "
                "customers, and is measured on the same test customers. Log loss and ECE: the lower the better."
            ),
            Table("Models on test", head, rows),
        ],
    )


def over_time(material: Material) -> Section:
    """Which figure to believe: the random split or the walk forward, where there is one."""
    title, found = "Which figure to believe", material.backtest
    data = material.summary["dataset"]
    parts: list[Text | Table | Chart] = [
        Text(
            "A random split asks how well the model ranks customers of days it has learned from, and flatters. A "
            "campaign asks how well it ranks the calls of the weeks to come: believe the walk-forward figures for a "
            "plan, and the random split for comparing models."
        )
    ]
    if data["split"] == "time":
        parts.append(Text("This run was split by time: its test customers are the newest."))
    if found is None:
        command = "python -m pipeline.backtest" + ("" if data["synthetic"] else f" --data {data['source']}")
        parts.append(Text(f"No backtest of this data has been made yet: {command}"))
        return Section("time", title, parts)
    spans = found["spans"]
    numbers = [span["number"] for span in spans]
    names = {"static": "trained once", "expanding": "trained anew on all", "rolling": "trained anew on the newest"}
    lines = [Line(name, numbers, [(span[key] or {}).get("auc") for span in spans]) for key, name in names.items()]
    rates = [span["label_rate"] for span in spans]
    across = Axis("span of calls, oldest first", min(numbers), max(max(numbers), min(numbers) + 1), lambda n: f"{n:g}")
    parts += [
        Chart(
            "AUC over time",
            "AUC of each span for a model trained once and for models trained anew before each span.",
            across,
            around(
                "AUC", list(itertools.chain(*(line.ys for line in lines))), lambda value: f"{value:.2f}", also=[0.5]
            ),
            lines,
        ),
        Chart(
            "Share of buyers over time",
            f"The share of buyers moves between {min(rates):.1%} and {max(rates):.1%}.",
            across,
            around("buyers", rates, percent, also=[0.0]),
            [Line("buyers", numbers, rates)],
        ),
    ]
    rows = [
        (
            f"{span['number']}",
            f"{span['rows']:,}",
            share(span["label_rate"]),
            *(
                number((span[key] or {}).get(figure), 3)
                for figure in ("auc", "ece", "lift_top_decile")
                for key in names
            ),
        )
        for span in spans
    ]
    head = ["span", "calls", "buyers", *(f"{figure}, {name}" for figure in ("AUC", "ECE", "lift") for name in names)]
    parts.append(Table("Walking forward through the calls", head, rows))
    split = found["random_split"]
    parts.append(
        Text(
            f"The same model on a random split of the same file: AUC {number(split['auc'], 3)}, "
            f"ECE {number(split['ece'], 3)}."
        )
    )
    return Section("time", title, parts)
