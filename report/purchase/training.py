"""For improving the model: which columns it uses, how it learned, and what the Tuner tried."""

from __future__ import annotations

from collections.abc import Mapping

from pages.blocks import Block, Command, Figure, Paragraph, Section, Table
from pages.charts import Axis, Row, Series, around, curves, rows
from pages.formatting import any_value, number, signed
from report.purchase.gather import PurchaseReport

CURVES = {"Log loss": "average_log_loss", "Accuracy": "accuracy"}
"""Keys of the history for train; those for eval begin with `val_`."""


def importance(report: PurchaseReport) -> Section:
    """Permutation importance of the columns."""
    title, result = "Which columns matter", report.importance
    if result is None or result.auc is None:
        text = "The importance of the columns was not measured in this run."
        return Section("importance", title, [Paragraph("no-importance", text)])
    entries, cells = [], []
    for feature in result.features:
        drop, std = feature.auc_drop or 0.0, feature.std or 0.0
        entries.append(Row(feature.name, drop, (drop - std, drop + std)))
        cells.append((feature.name, signed(drop), number(std, 4)))
    ends = [end for entry in entries for end in entry.bar or ()]
    says = f"{', '.join(feature.name for feature in result.features[:3])} matter most."
    chart = rows(
        "importance",
        "Drop of AUC when a column is shuffled",
        says,
        around("drop of AUC", ends, lambda v: f"{v:.2f}", zero=True),
        entries,
    )
    table = Table("importance", "Permutation importance", ("Column", "Drop of AUC", "Standard deviation"), cells)
    text = (
        f"The values of one column at a time are shuffled among {number(result.rows)} test customers, "
        f"{result.repeats} times, and the customers are scored again. The more AUC drops, the more the model relies on "
        "the column. Correlated columns substitute for each other, so both can look unimportant. Importance does not "
        "mean that a column causes the outcome."
    )
    return Section("importance", title, [Paragraph("permutation", text), Figure(chart, says, table)])


def learning(report: PurchaseReport) -> Section:
    """Learning curves and the Tuner's trials."""
    blocks: list[Block] = []
    if report.history:
        blocks += _curves(report.history, report.best_epoch)
    if report.trials:
        blocks.append(_trials(report))
    else:
        text = "The Tuner did not run. The hyperparameters are from an earlier run or from the contract."
        blocks.append(Paragraph("no-trials", text))
    if report.model_run:
        command = f".venv/bin/python -m tensorboard.main --logdir {report.model_run}"
        blocks += [Paragraph("logs", "To see the training logs in TensorBoard:"), Command("tensorboard", command)]
    return Section("learning", "How it learned", blocks)


def _curves(history: Mapping[str, list[float]], best_epoch: int | None) -> list[Block]:
    epochs = list(range(1, len(history["loss"]) + 1))
    kept = len(epochs) if best_epoch is None else best_epoch + 1
    across = Axis("epoch", 1.0, float(max(len(epochs), 2)), lambda v: f"{v:g}" if float(v).is_integer() else "")
    text = (
        f"Training took {len(epochs)} epochs. The weights of epoch {kept} were kept, with the lowest log loss on eval."
    )
    blocks: list[Block] = [Paragraph("epochs", text)]
    for name, key in CURVES.items():
        train, evaluation = history[key], history[f"val_{key}"]
        says = (
            f"On eval, {name.lower()} goes from {number(evaluation[0], 4)} in the first epoch to "
            f"{number(evaluation[kept - 1], 4)} in epoch {kept}."
        )
        chart = curves(
            f"learning-{key.replace('_', '-')}",
            f"{name} by epoch",
            says,
            across,
            around(name.lower(), [*train, *evaluation], lambda v: f"{v:.3g}"),
            [
                Series("train, with dropout", epochs, train, style=2, dashed=True),
                Series("eval", epochs, evaluation),
                Series("kept", [kept], [evaluation[kept - 1]], style=1, points=True),
            ],
        )
        cells = [(str(e), number(t, 4), number(v, 4)) for e, t, v in zip(epochs, train, evaluation, strict=True)]
        table = Table(chart.name, name, ("Epoch", "Train", "Eval"), cells, marked=kept - 1)
        blocks.append(Figure(chart, says, table))
    return blocks


def _trials(report: PurchaseReport) -> Figure:
    trials = report.trials
    best, worst = trials[0], trials[-1]
    names = list(best.hyperparameters)
    says = (
        f"The best of {len(trials)} trials has a log loss of {number(best.score, 4)} on eval, the worst "
        f"{number(worst.score, 4)}."
    )
    chart = rows(
        "trials",
        "Log loss of each trial of the Tuner on eval",
        says,
        around("log loss after a short fit", [trial.score for trial in trials], lambda v: f"{v:.4g}"),
        [Row(f"trial {trial.number}", trial.score, style=0 if trial is best else 3) for trial in trials],
        dots=True,
    )
    cells = [
        (trial.number, number(trial.score, 5), *(any_value(trial.hyperparameters.get(name)) for name in names))
        for trial in trials
    ]
    head = ("Trial", "Log loss, eval", *names)
    return Figure(chart, says, Table("trials", "Trials of the Tuner, best first", head, cells, marked=0))


def network(report: PurchaseReport) -> str:
    """The size of the model."""
    model = report.summary.model
    return f"ensemble of {model.members} nets, {number(model.parameters)} parameters"


def hyperparameters(report: PurchaseReport) -> Table:
    """Of the network."""
    cells = [(name, any_value(value)) for name, value in report.summary.model.hyperparameters.items()]
    return Table("hyperparameters", "Hyperparameters", ("Name", "Value"), cells)
