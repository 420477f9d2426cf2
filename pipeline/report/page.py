"""What the page says, section by section: plain words first, then pictures, each with its numbers in a table."""

from __future__ import annotations

import itertools
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
from sklearn.metrics import precision_recall_curve, roc_curve

from modules.metrics import gains, reliability
from monitoring.drift import Drift
from pipeline.report import curves
from pipeline.report.charts import Axis, Chart, Line, around, percent
from pipeline.report.gather import Material, Slice

HEADLINE_SHARE = 0.2
"""Share of customers called in the page's first sentence."""
FEWEST = 30
"""Smaller groups of customers are counted, not judged."""
LIBRARIES = ("tfx", "tensorflow", "keras", "tensorflow-model-analysis", "apache-beam", "scikit-learn")


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str
    kind: str = "text"


@dataclass(frozen=True)
class Table:
    """Rows of texts; the first cell of each names it."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: bool = False
    """Whether cells are words, not figures."""
    kind: str = "table"


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it."""

    id: str
    title: str
    parts: Sequence[Text | Table | Chart]


@dataclass(frozen=True)
class Page:
    """The whole report."""

    run: str
    headline: str
    verdict: str
    blessed: bool
    synthetic: bool
    data: str
    tiles: Sequence[tuple[str, str, str]]
    """A figure, what it is, and what to compare it with."""
    changes: Section
    sections: Sequence[Section]


def compose(material: Material, cost: float, margin: float) -> Page:
    """The page of one run.

    Args:
      material: what the run made.
      cost: of a call, in euros.
      margin: of a deposit before the cost of the call, in euros.
    """
    summary = material.summary
    data, test = summary["dataset"], summary["metrics"]["test"]
    labels, probabilities = material.scores["test"]
    rankable = 0 < labels.sum() < len(labels) and material.scores["eval"][0].sum() > 0
    return Page(
        run=summary["run_id"],
        headline=_headline(labels, probabilities)
        if rankable
        else "The test rows all have one answer, so nothing can be said about the ranking.",
        verdict=_verdict(summary),
        blessed=summary["gate"]["blessed"],
        synthetic=data["synthetic"],
        data=f"{data['contract']}: {data['rows']:,} customers, {_share(data['label_rate'])} of them buyers; "
        f"split {_split(data['split'])}; source {data['source']}",
        tiles=[
            (_number(test["auc"], 3), "AUC on test", "0.5 is chance, 1 is perfect ranking"),
            (_times(test["lift_top_decile"]), "lift in the best tenth", "against calling at random"),
            (
                _share(test["accuracy"]),
                "accuracy at 0.5",
                f"saying no to everybody: {_share(test['majority_accuracy'])}",
            ),
            (_number(test["ece"], 3), "calibration error", "mean gap between predicted and real share"),
        ],
        changes=_changes(material),
        sections=[
            *(_ranking(material, cost, margin) if rankable else []),
            _calibration(labels, probabilities),
            *([_quality(labels, probabilities)] if rankable else []),
            _decisions(material),
            _groups(material.slices),
            _comparison(summary),
            _time(material),
            _importance(material),
            _learning(material),
            _data(material),
            _run(material),
        ],
    )


def _headline(labels: np.ndarray, probabilities: np.ndarray) -> str:
    reached = gains(labels, probabilities, np.array(HEADLINE_SHARE))
    return (
        f"Calling the best-scored {percent(HEADLINE_SHARE)} of customers reaches {percent(reached)} of buyers, "
        f"{reached / HEADLINE_SHARE:.1f} times as many as calling at random."
    )


def _verdict(summary: Mapping[str, Any]) -> str:
    if summary["pushed"]:
        return f"Blessed and pushed as version {summary['pushed']['version']}: it passed every bound of the gate."
    failed = [check for check in summary["gate"]["checks"] if not check["passed"]]
    if not failed:
        return "Blessed, but not pushed."
    reasons = "; ".join(
        f"{check['metric']} is {_number(check['value'])}, at least {_number(check['bound'])} is asked"
        for check in failed
    )
    return f"Not blessed, so nothing was pushed and the served model stays: {reasons}."


def _changes(material: Material) -> Section:
    title = "What changed since the last blessed run"
    now, before = material.summary, material.previous
    if before is None:
        return Section(
            "changes", title, [Text("No earlier blessed run on this data and these columns to compare with.")]
        )
    old, new = dict(_settings(before)), dict(_settings(now))
    rows = [
        (name, _plain(old.get(name)), _plain(new.get(name)), "")
        for name in dict.fromkeys([*old, *new])
        if old.get(name) != new.get(name)
    ]
    for name in ("auc", "accuracy", "log_loss", "ece", "lift_top_decile"):
        a, b = before["metrics"]["test"][name], now["metrics"]["test"][name]
        rows.append((f"test {name}", _number(a), _number(b), f"{b - a:+.4f}" if None not in (a, b) else "-"))
    table = Table(f"Run {before['run_id']} and this one", ("", "then", "now", "difference"), rows)
    return Section("changes", title, [table])


def _settings(summary: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    yield from (("rows", summary["dataset"]["rows"]), ("source", summary["dataset"]["source"]))
    yield from summary["settings"].items()
    yield from summary["model"]["hyperparameters"].items()
    yield from ((key, summary["model"][key]) for key in ("parameters", "threshold"))


def _ranking(material: Material, cost: float, margin: float) -> list[Section]:
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
            _share(decile.rate),
            " to ".join(_share(end) for end in curves.wilson(decile.buyers, decile.rows)),
            _share(decile.cumulative_gain),
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
                    "Customers are sorted by their score, the best first. The steeper the curve begins, the fewer calls "
                    "a campaign needs. All figures are of test customers, whom the model has never seen."
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
        (percent(curves.SHARES[i]), f"{found.curve[i]:,.0f}", f"{found.everyone * curves.SHARES[i]:,.0f}")
        for i in range(0, 101, 10)
    ]
    return Section(
        "profit",
        "What it earns",
        [
            Text(
                f"With {cost:g} euros a call and {margin:g} euros margin a deposit, a call pays from a score of "
                f"{cost / margin:.1%} on. Set your own figures with --cost and --margin."
            ),
            Text(advice),
            chart,
            Table("Euros per 1,000 customers", ("customers called", "this model", "at random"), rows),
        ],
    )


def _calibration(labels: np.ndarray, probabilities: np.ndarray) -> Section:
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
        cells.append((_share(score), f"{count:,}", _share(rate), f"{_share(low)} to {_share(high)}", inside))
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


def _quality(labels: np.ndarray, probabilities: np.ndarray) -> Section:
    false_rate, true_rate, _ = roc_curve(labels, probabilities)
    precision, recall, _ = precision_recall_curve(labels, probabilities)
    recall, precision = recall[::-1], precision[::-1]
    at = np.linspace(0.1, 1.0, 10)
    rows = [
        (
            percent(share),
            _share(np.interp(share, true_rate, false_rate)),
            _share(precision[recall >= share - 1e-9].max()),
        )
        for share in at
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
                Axis("buyers found (recall)", **unit),
                Axis("buyers among those called (precision)", **unit),
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


def _decisions(material: Material) -> Section:
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


def _groups(slices: Sequence[Slice]) -> Section:
    rows = []
    for group in slices:
        figures = group.figures
        buyers = figures["true_positives"] + figures["false_negatives"]
        count = figures["example_count"]
        rate = " to ".join(_share(end) for end in curves.wilson(buyers, count))
        auc = spread = "-"
        if count >= FEWEST and 0 < buyers < count:
            auc = f"{figures['auc']:.3f}"
            spread = " to ".join(f"{end:.3f}" for end in curves.auc_interval(figures["auc"], buyers, count - buyers))
        rows.append(
            (
                f"{group.column}: {group.value}",
                f"{count:,.0f}",
                f"{buyers:,.0f}",
                _share(buyers / count),
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
                "where an interval is wide, chance explains much. Intervals: Wilson for rates, Hanley and McNeil for AUC."
            ),
            Table("Groups of test customers", head, rows),
        ],
    )


def _comparison(summary: Mapping[str, Any]) -> Section:
    title = "Beside the usual models"
    if not summary["comparison"]:
        return Section("comparison", title, [Text("This run was asked not to measure other models (--no-benchmark).")])
    rows = [
        (
            model["name"],
            *(
                _number(model["metrics"][key])
                for key in ("auc", "accuracy", "log_loss", "ece", "f1", "f1_at_threshold")
            ),
            _times(model["metrics"]["lift_top_decile"]),
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
                "Each was trained on the same train customers, got the threshold of its best F1 on the same eval customers, "
                "and is measured on the same test customers. Log loss and ECE: the lower the better."
            ),
            Table("Models on test", head, rows),
        ],
    )


def _time(material: Material) -> Section:
    title, found = "Which figure to believe", material.backtest
    data = material.summary["dataset"]
    parts: list[Text | Table | Chart] = [
        Text(
            "A random split asks how well the model ranks customers of days it has learned from, and flatters. A campaign "
            "asks how well it ranks the calls of the weeks to come: believe the walk-forward figures for a plan, and the "
            "random split for comparing models."
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
            _share(span["label_rate"]),
            *(
                _number((span[key] or {}).get(figure), 3)
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
            f"The same model on a random split of the same file: AUC {_number(split['auc'], 3)}, ECE {_number(split['ece'], 3)}."
        )
    )
    return Section("time", title, parts)


def _importance(material: Material) -> Section:
    title, found = "What the model looks at", material.importance
    if found is None or found["auc"] is None:
        return Section("importance", title, [Text("Not measured in this run.")])
    rows = [(f["name"], f"{f['auc_drop']:.4f}", f"{f['std']:.4f}") for f in found["features"]]
    return Section(
        "importance",
        title,
        [
            Text(
                f"How far AUC falls on {found['rows']:,} test customers when one column is shuffled among them, mean of "
                f"{found['repeats']} shuffles. Columns that say the same share their weight. None of this is a cause."
            ),
            Table("Permutation importance", ("column", "fall of AUC", "standard deviation"), rows),
        ],
    )


def _learning(material: Material) -> Section:
    history = material.history
    epochs = np.arange(1, len(history["loss"]) + 1)
    losses = [Line("train", epochs, history["average_log_loss"]), Line("eval", epochs, history["val_average_log_loss"])]
    rates = [Line("train", epochs, history["accuracy"]), Line("eval", epochs, history["val_accuracy"])]
    across = Axis("epoch", 1, max(len(epochs), 2), lambda value: f"{value:g}")
    kept = material.best_epoch + 1
    parts: list[Text | Table | Chart] = [
        Text(
            f"The weights of epoch {kept} were kept, which had the lowest log loss on eval. Losses on train are taken "
            "with dropout on and so can lie above those on eval."
        ),
        *(
            Chart(
                f"{name} while learning",
                f"{name} on train and eval over {len(epochs)} epochs.",
                across,
                around(name, [*lines[0].ys, *lines[1].ys], lambda value: f"{value:.3f}"),
                lines,
            )
            for name, lines in (("Log loss", losses), ("Accuracy", rates))
        ),
        Table(
            "Epochs",
            ("epoch", "log loss, train", "log loss, eval", "accuracy, train", "accuracy, eval"),
            [
                (f"{epoch}" + " (kept)" * (epoch == kept), *(f"{line.ys[i]:.4f}" for line in (*losses, *rates)))
                for i, epoch in enumerate(epochs)
            ],
        ),
    ]
    if material.trials:
        names = [name for name in material.trials[0] if name not in ("trial_id", "score")]
        rows = [
            (trial["trial_id"], f"{trial['score']:.5f}", *(f"{trial[name]:.4g}" for name in names))
            for trial in material.trials
        ]
        parts.append(Table("Tuner trials, the best first", ("trial", "log loss, eval", *names), rows))
    else:
        parts.append(Text("The Tuner did not run; hyperparameters are those of an earlier run or of the contract."))
    parts.append(Text(f"TensorBoard: {tensorboard(material)}"))
    return Section("learning", "How it learned", parts)


def tensorboard(material: Material) -> str:
    """The command that opens the run's training logs."""
    return f".venv/bin/python -m tensorboard.main --logdir {material.tensorboard}"


def _data(material: Material) -> Section:
    summary = material.summary
    data = summary["dataset"]
    splits = [(name, f"{split['rows']:,}", _share(split["label_rate"])) for name, split in summary["splits"].items()]
    read = f"{data['read']:,} rows read, {data['rows']:,} kept, {data['quarantined']:,} quarantined."
    anomalies = "; ".join(material.anomalies) or "no value outside the contract's ranges and vocabularies"
    parts = [
        Text(f"{read} Anomalies: {anomalies}."),
        Table("Splits", ("split", "rows", "buyers"), splits),
        Text(
            "Do the splits look alike? PSI compares the shares of a column's bins with those in train. Above its line, "
            "which rises where rows are few, a difference is neither small nor chance."
        ),
        *(
            Table(f"{name} against train", ("column", "PSI", "line", "L-infinity", ""), _shifts(found))
            for name, found in material.drift.items()
        ),
    ]
    return Section("data", "The data", parts)


def _shifts(found: Drift) -> list[tuple[str, ...]]:
    verdict = {None: "too few rows", True: "moved", False: ""}
    return [
        (name, f"{shift.psi:.4f}", f"{shift.line:.3f}", f"{shift.l_infinity:.3f}", verdict[shift.alarm])
        for name, shift in sorted(found.features.items(), key=lambda item: -item[1].psi)
    ]


def _run(material: Material) -> Section:
    summary = material.summary
    model, asked = summary["model"], summary["settings"]
    stages = [(s["name"], f"{s['seconds']:.1f}", "cached" * s["cached"]) for s in summary["stages"]]
    gate = [
        (c["metric"], _number(c["value"]), f"at least {_number(c['bound'])}", "passed" if c["passed"] else "failed")
        for c in summary["gate"]["checks"]
    ]
    about = {
        "run": summary["run_id"],
        "data, sha256": asked["data_sha256"],
        "git commit": asked["commit"] or "not in a git checkout",
        "columns": ", ".join(summary["features"]),
        "hyperparameters": ", ".join(f"{name} {_plain(value)}" for name, value in model["hyperparameters"].items()),
        "parameters of the network": f"{model['parameters']:,}",
        "seed": f"{asked['seed']}",
        "versions": ", ".join(
            [f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in LIBRARIES)]
        ),
    }
    return Section(
        "run",
        "The run",
        [
            Table("The gate", ("bound", "value", "asked", ""), gate),
            Table("Where it came from", ("", ""), list(about.items()), words=True),
            Table(f"Components, {summary['seconds']:.0f} s in all", ("component", "seconds", ""), stages),
            Table(
                "Artifacts",
                ("artifact", "id", "path in the artifacts folder"),
                [(made.name, f"{made.number}", made.path) for made in material.artifacts],
                words=True,
            ),
        ],
    )


def _split(split: str) -> str:
    return "at random" if split == "random" else "by time, the newest rows as test"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}".replace("%", " %")


def _number(value: float | bool | None, digits: int = 4) -> str:
    if value is None:
        return "-"
    return ("no", "yes")[value] if isinstance(value, bool) else f"{value:.{digits}f}"


def _times(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} ×"


def _plain(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "-", False: "no", True: "yes"}[value]
    return f"{value:,.6g}" if isinstance(value, (int, float)) else str(value)
