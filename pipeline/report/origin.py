"""Where the model comes from: what it looks at, how it learned, its data, the run."""

from __future__ import annotations

import platform
from importlib.metadata import version

import numpy as np

from monitoring.drift import Drift
from pipeline.report.charts import Axis, Chart, Line, around
from pipeline.report.gather import Material
from pipeline.report.parts import Section, Table, Text, number, plain, share

LIBRARIES = ("tfx", "tensorflow", "keras", "tensorflow-model-analysis", "apache-beam", "scikit-learn")


def importance(material: Material) -> Section:
    """Permutation importance."""
    title, found = "What the model looks at", material.importance
    if found is None or found["auc"] is None:
        return Section("importance", title, [Text("Not measured in this run.")])
    rows = [(f["name"], f"{f['auc_drop']:.4f}", f"{f['std']:.4f}") for f in found["features"]]
    return Section(
        "importance",
        title,
        [
            Text(
                f"How far AUC falls on {found['rows']:,} test customers when one column is shuffled among them, the "
                f"mean of {found['repeats']} shuffles. Columns that say the same share their weight. None of this is a "
                "cause."
            ),
            Table("Permutation importance", ("column", "fall of AUC", "standard deviation"), rows),
        ],
    )


def learning(material: Material) -> Section:
    """Learning curves and the Tuner's trials."""
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


def data(material: Material) -> Section:
    """Splits, whether they look alike, and what was wrong with rows."""
    summary = material.summary
    data = summary["dataset"]
    splits = [(name, f"{split['rows']:,}", share(split["label_rate"])) for name, split in summary["splits"].items()]
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


def run(material: Material) -> Section:
    """Gate, lineage, versions and the time of each component."""
    summary = material.summary
    model, asked = summary["model"], summary["settings"]
    stages = [(s["name"], f"{s['seconds']:.1f}", "cached" * s["cached"]) for s in summary["stages"]]
    gate = [
        (c["metric"], number(c["value"]), f"at least {number(c['bound'])}", "passed" if c["passed"] else "failed")
        for c in summary["gate"]["checks"]
    ]
    about = {
        "run": summary["run_id"],
        "data, sha256": asked["data_sha256"],
        "git commit": asked["commit"] or "not in a git checkout",
        "columns": ", ".join(summary["features"]),
        "hyperparameters": ", ".join(f"{name} {plain(value)}" for name, value in model["hyperparameters"].items()),
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
