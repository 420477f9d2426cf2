"""For who improves the model: how it learned, what the Tuner tried, and which columns it lives on."""

from __future__ import annotations

from pages.blocks import Block, Command, Figure, Section, Table
from pages.charts import Axis, Row, Series, around, curves, rows
from pages.formatting import any_value, number, signed
from report.gather import Material

CURVES = {"Log loss": "average_log_loss", "Accuracy": "accuracy"}
"""What `history.json` has for train and, with `val_` before it, for eval."""


def importance(material: Material) -> Section:
    """Permutation importance."""
    title, found = "What the model looks at", material.importance
    if found is None or found["auc"] is None:
        return Section("importance", title, ["The importance of the columns was not measured in this run."])
    features = found["features"]
    entries = [Row(f["name"], f["auc_drop"], (f["auc_drop"] - f["std"], f["auc_drop"] + f["std"])) for f in features]
    ends = [end for entry in entries for end in (entry.value, *entry.bar)]
    says = f"{', '.join(f['name'] for f in features[:3])} matter most."
    chart = rows(
        "importance-chart",
        "Fall of AUC when a column is shuffled",
        says,
        around("fall of AUC", ends, lambda v: f"{v:.2f}", zero=True),
        entries,
    )
    table = Table(
        "Permutation importance",
        ("Column", "Fall of AUC", "Standard deviation"),
        [(f["name"], signed(f["auc_drop"]), number(f["std"], 4)) for f in features],
    )
    return Section(
        "importance",
        title,
        [
            f"Each column in turn is shuffled among {number(found['rows'])} test customers, {found['repeats']} "
            "times, and scored "
            "anew: the further AUC falls, the more the model lives on that column. Columns that say the same "
            "stand in for "
            "one another. None of this is a cause.",
            Figure(chart, says, table),
        ],
    )


def learning(material: Material) -> Section:
    """Learning curves and the Tuner's trials."""
    blocks: list[Block] = []
    if material.history:
        blocks += _curves(material)
    if material.trials:
        blocks.append(_trials(material))
    else:
        blocks.append("The Tuner did not run; hyperparameters are those of an earlier run or of the contract.")
    if material.model_run:
        blocks += ["The training logs open in TensorBoard:", Command(tensorboard(material.model_run))]
    return Section("learning", "How it learned", blocks)


def tensorboard(model_run: object) -> str:
    """The command that shows a run's training logs."""
    return f".venv/bin/python -m tensorboard.main --logdir {model_run}"


def _curves(material: Material) -> list[Block]:
    history = material.history
    epochs = list(range(1, len(history["loss"]) + 1))
    kept = material.card.get("best_epoch", len(epochs) - 1) + 1
    across = Axis("epoch", 1.0, float(max(len(epochs), 2)), lambda v: f"{v:g}" if float(v).is_integer() else "")
    blocks: list[Block] = [
        f"Of {len(epochs)} epochs, the weights of epoch {kept} were kept, which had the lowest log loss on eval."
    ]
    for name, key in CURVES.items():
        train, evaluation = history[key], history[f"val_{key}"]
        says = (
            f"On eval {name.lower()} goes from {number(evaluation[0], 4)} to {number(evaluation[kept - 1], 4)} "
            f"in epoch {kept}."
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
        table = Table(name, ("Epoch", "Train", "Eval"), cells, marked=kept - 1)
        blocks.append(Figure(chart, says, table))
    return blocks


def _trials(material: Material) -> Figure:
    trials = material.trials
    names = [name for name in trials[0] if name not in ("trial_id", "score")]
    scores = [trial["score"] for trial in trials]
    says = (
        f"The best of {len(trials)} trials has a log loss of {number(scores[0], 4)} on eval, the worst "
        f"{number(scores[-1], 4)}."
    )
    chart = rows(
        "trials",
        "Log loss of each trial of the Tuner on eval",
        says,
        around("log loss after a short fit", scores, lambda v: f"{v:.4g}"),
        [Row(f"trial {t['trial_id']}", t["score"], style=0 if t is trials[0] else 3) for t in trials],
        dots=True,
    )
    table = Table(
        "Trials of the Tuner, the best first",
        ("Trial", "Log loss, eval", *names),
        [(str(t["trial_id"]), number(t["score"], 5), *(any_value(t.get(name)) for name in names)) for t in trials],
        marked=0,
    )
    return Figure(chart, says, table)
